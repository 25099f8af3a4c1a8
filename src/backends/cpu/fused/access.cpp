#include "backends/cpu/fused/access.h"

#include <algorithm>
#include <cstring>

namespace lazuli::cpu {
namespace {

// Rows shorter than this are not worth a sweep of their own if they can be joined.
constexpr int64_t short_row = 64;

// Byte strides of an input along the dimensions of the space; 0 where it broadcasts.
void align_strides(const Shape& space, const WalkInput& input, SmallVector<int64_t, 8>& strides) {
  strides.clear();
  strides.resize(space.size(), 0);
  size_t lead = space.size() - input.shape->size();
  int64_t dense = input.itemsize;
  for (size_t i = input.shape->size(); i-- > 0;) {
    int64_t extent = (*input.shape)[i];
    int64_t stride = input.layout->dense ? dense : input.layout->strides[i] * input.itemsize;
    if (extent != 1) strides[lead + i] = stride;
    dense *= extent;
  }
}

// Merges dimensions [first, last) of the space wherever every input allows it.
void merge(const Shape& space, size_t first, size_t last, Walk& walk, bool inner) {
  SmallVector<int64_t, 4>& extents = inner ? walk.inner : walk.outer;
  auto merged = [&](size_t k) -> SmallVector<int64_t, 4>& {
    return inner ? walk.operands[k].inner : walk.operands[k].outer;
  };
  for (size_t d = first; d < last; ++d) {
    if (space[d] == 1) continue;
    bool joins = !extents.empty();
    for (size_t k = 0; joins && k < walk.operands.size(); ++k) {
      joins = merged(k).back() == walk.strides[k][d] * space[d];
    }
    if (joins) {
      extents.back() *= space[d];
      for (size_t k = 0; k < walk.operands.size(); ++k) merged(k).back() = walk.strides[k][d];
    } else {
      extents.push_back(space[d]);
      for (size_t k = 0; k < walk.operands.size(); ++k) merged(k).push_back(walk.strides[k][d]);
    }
  }
}

bool all_dense(const Shape& space, std::span<const WalkInput> inputs) {
  for (const WalkInput& input : inputs) {
    if (input.row_scope) return false;
    if (element_count(*input.shape) == 1) continue;
    if (!input.layout->dense || *input.shape != space) return false;
  }
  return true;
}

RowAccess row_access(const SmallVector<int64_t, 4>& inner, int64_t itemsize) {
  if (inner.empty()) return RowAccess::splat;
  bool constant = std::all_of(inner.begin(), inner.end(), [](int64_t s) { return s == 0; });
  if (constant) return RowAccess::splat;
  return inner.size() == 1 && inner[0] == itemsize ? RowAccess::direct : RowAccess::gather;
}

// One sweep over everything: the usual case, found without looking at strides.
void make_flat_walk(const Shape& space, std::span<const WalkInput> inputs, Walk& walk) {
  walk.length = element_count(space);
  if (walk.length != 1) walk.inner.push_back(walk.length);
  for (size_t k = 0; k < inputs.size(); ++k) {
    const WalkInput& input = inputs[k];
    OperandAccess& access = walk.operands[k];
    bool single = walk.length != 1 && element_count(*input.shape) == 1;
    access.base = input.layout->data();
    access.itemsize = input.itemsize;
    access.row = single ? RowAccess::splat : RowAccess::direct;
    if (!walk.inner.empty()) access.inner.push_back(single ? 0 : input.itemsize);
  }
}

}  // namespace

void make_walk(const Shape& space, size_t row_axes, std::span<const WalkInput> inputs, Walk& walk) {
  walk.rows = walk.length = 1;
  walk.outer.clear();
  walk.inner.clear();
  // The entries of the thread's last walk are written over: a small step is over sooner than they
  // are made.
  walk.operands.resize(inputs.size());
  for (OperandAccess& access : walk.operands) {
    access.outer.clear();
    access.inner.clear();
  }
  if (row_axes == 0 && all_dense(space, inputs)) return make_flat_walk(space, inputs, walk);
  walk.strides.resize(inputs.size());
  for (size_t k = 0; k < inputs.size(); ++k) align_strides(space, inputs[k], walk.strides[k]);
  if (row_axes) {
    merge(space, 0, space.size() - row_axes, walk, false);
    merge(space, space.size() - row_axes, space.size(), walk, true);
  } else {
    merge(space, 0, space.size(), walk, true);
    // The innermost dimension is the row, unless it is too short: then one row gathers them all.
    if (walk.inner.size() > 1 && walk.inner.back() >= short_row) {
      auto split = [](SmallVector<int64_t, 4>& inner, SmallVector<int64_t, 4>& outer) {
        outer.assign(inner.begin(), inner.end() - 1);
        inner.erase(inner.begin(), inner.end() - 1);
      };
      split(walk.inner, walk.outer);
      for (OperandAccess& access : walk.operands) split(access.inner, access.outer);
    }
  }
  for (int64_t extent : walk.outer) walk.rows *= extent;
  for (int64_t extent : walk.inner) walk.length *= extent;
  for (size_t k = 0; k < inputs.size(); ++k) {
    OperandAccess& access = walk.operands[k];
    access.base = inputs[k].layout->data();
    access.itemsize = inputs[k].itemsize;
    access.row = row_access(access.inner, inputs[k].itemsize);
    // A row of a dense value is one run even where other operands keep its dimensions apart.
    bool dense = inputs[k].layout->dense && !inputs[k].row_scope && *inputs[k].shape == space;
    if (dense || walk.length == 1) access.row = RowAccess::direct;
  }
}

namespace {

template <class T>
void copy_strided(const char* from, int64_t stride, int64_t count, char* to) {
  T* target = reinterpret_cast<T*>(to);
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(target + i, from + i * stride, sizeof(T));
  }
}

void copy_run(const char* from, int64_t stride, int64_t itemsize, int64_t count, char* to) {
  if (stride == itemsize) {
    std::memcpy(to, from, static_cast<size_t>(count * itemsize));
    return;
  }
  switch (itemsize) {
    case 1: return copy_strided<uint8_t>(from, stride, count, to);
    case 2: return copy_strided<uint16_t>(from, stride, count, to);
    case 4: return copy_strided<uint32_t>(from, stride, count, to);
    default: return copy_strided<uint64_t>(from, stride, count, to);
  }
}

}  // namespace

void gather_row(const Walk& walk, const OperandAccess& operand, const char* row, int64_t first,
                int64_t count, char* to) {
  size_t rank = walk.inner.size();
  SmallVector<int64_t, 8> index(rank, 0);
  int64_t rest = first;
  for (size_t d = rank; d-- > 0;) {
    index[d] = rest % walk.inner[d];
    rest /= walk.inner[d];
  }
  while (count > 0) {
    const char* from = row;
    for (size_t d = 0; d < rank; ++d) from += index[d] * operand.inner[d];
    int64_t run = std::min(count, walk.inner[rank - 1] - index[rank - 1]);
    copy_run(from, operand.inner[rank - 1], operand.itemsize, run, to);
    to += run * operand.itemsize;
    count -= run;
    index[rank - 1] += run;
    for (size_t d = rank - 1; d > 0 && index[d] == walk.inner[d]; --d) {
      index[d] = 0;
      ++index[d - 1];
    }
  }
}

}  // namespace lazuli::cpu
