#include "backends/cpu/fused/access.h"

#include <algorithm>
#include <cstring>

namespace lazuli::cpu {
namespace {

// Rows shorter than this are not worth a sweep of their own if they can be joined.
constexpr int64_t short_row = 64;

// Byte strides of an input along the dimensions of the space; 0 where it broadcasts.
SmallVector<int64_t, 8> aligned_strides(const Shape& space, const WalkInput& input) {
  SmallVector<int64_t, 8> strides(space.size(), 0);
  size_t lead = space.size() - input.shape->size();
  Strides dense;
  const Strides* own = &input.layout->strides;
  if (input.layout->dense) {
    dense = dense_strides(*input.shape);
    own = &dense;
  }
  for (size_t i = 0; i < input.shape->size(); ++i) {
    if ((*input.shape)[i] != 1) strides[lead + i] = (*own)[i] * input.itemsize;
  }
  return strides;
}

using StrideTable = std::vector<SmallVector<int64_t, 8>>;

// Merges dimensions [first, last) of the space wherever every input allows it.
void merge(const Shape& space, size_t first, size_t last, const StrideTable& strides,
           SmallVector<int64_t, 4>& extents, std::vector<SmallVector<int64_t, 4>>& merged) {
  for (size_t d = first; d < last; ++d) {
    if (space[d] == 1) continue;
    bool joins = !extents.empty();
    for (size_t k = 0; joins && k < strides.size(); ++k) {
      joins = merged[k].back() == strides[k][d] * space[d];
    }
    if (joins) {
      extents.back() *= space[d];
      for (size_t k = 0; k < strides.size(); ++k) merged[k].back() = strides[k][d];
    } else {
      extents.push_back(space[d]);
      for (size_t k = 0; k < strides.size(); ++k) merged[k].push_back(strides[k][d]);
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
  // The entries of the thread's last walk are written over: a small step is over sooner than they
  // are made.
  walk.operands.resize(inputs.size());
  for (size_t k = 0; k < inputs.size(); ++k) {
    const WalkInput& input = inputs[k];
    OperandAccess& access = walk.operands[k];
    bool single = walk.length != 1 && element_count(*input.shape) == 1;
    access.base = input.layout->data();
    access.itemsize = input.itemsize;
    access.row = single ? RowAccess::splat : RowAccess::direct;
    access.outer.clear();
    access.inner.clear();
    if (!walk.inner.empty()) access.inner.push_back(single ? 0 : input.itemsize);
  }
}

}  // namespace

void make_walk(const Shape& space, size_t row_axes, std::span<const WalkInput> inputs, Walk& walk) {
  walk.rows = walk.length = 1;
  walk.outer.clear();
  walk.inner.clear();
  if (row_axes == 0 && all_dense(space, inputs)) return make_flat_walk(space, inputs, walk);
  walk.operands.clear();
  StrideTable strides;
  for (const WalkInput& input : inputs) strides.push_back(aligned_strides(space, input));
  std::vector<SmallVector<int64_t, 4>> outer(inputs.size()), inner(inputs.size());
  if (row_axes) {
    merge(space, 0, space.size() - row_axes, strides, walk.outer, outer);
    merge(space, space.size() - row_axes, space.size(), strides, walk.inner, inner);
  } else {
    merge(space, 0, space.size(), strides, walk.inner, inner);
    // The innermost dimension is the row, unless it is too short: then one row gathers them all.
    if (walk.inner.size() > 1 && walk.inner.back() >= short_row) {
      walk.outer.assign(walk.inner.begin(), walk.inner.end() - 1);
      walk.inner.erase(walk.inner.begin(), walk.inner.end() - 1);
      for (size_t k = 0; k < inputs.size(); ++k) {
        outer[k].assign(inner[k].begin(), inner[k].end() - 1);
        inner[k].erase(inner[k].begin(), inner[k].end() - 1);
      }
    }
  }
  for (int64_t extent : walk.outer) walk.rows *= extent;
  for (int64_t extent : walk.inner) walk.length *= extent;
  for (size_t k = 0; k < inputs.size(); ++k) {
    RowAccess access = row_access(inner[k], inputs[k].itemsize);
    // A row of a dense value is one run even where other operands keep its dimensions apart.
    bool dense = inputs[k].layout->dense && !inputs[k].row_scope && *inputs[k].shape == space;
    if (walk.length == 1) access = RowAccess::direct;
    walk.operands.push_back({inputs[k].layout->data(), inputs[k].itemsize,
                             dense ? RowAccess::direct : access, std::move(outer[k]),
                             std::move(inner[k])});
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
