// Ops that only move elements: concatenate, slice_update. Floor: each byte read and written once.
#include "backends/cpu/kernels/move.h"

#include <algorithm>
#include <cstring>

#include "base/thread_pool.h"
#include "compiler/backend.h"
#include "ops/table/op.h"
#include "ops/table/params.h"

namespace lazuli {
namespace cpu {
namespace {

constexpr int64_t serial_bytes = 1 << 17;

template <class T>
void copy_items(int64_t count, const char* from, int64_t from_step, char* to, int64_t to_step) {
  for (int64_t i = 0; i < count; ++i)
    std::memcpy(to + i * to_step, from + i * from_step, sizeof(T));
}

void copy_run(int64_t count, int64_t itemsize, const char* from, int64_t from_step, char* to,
              int64_t to_step) {
  if (from_step == itemsize && to_step == itemsize) {
    std::memcpy(to, from, static_cast<size_t>(count * itemsize));
    return;
  }
  switch (itemsize) {
    case 1: return copy_items<uint8_t>(count, from, from_step, to, to_step);
    case 2: return copy_items<uint16_t>(count, from, from_step, to, to_step);
    case 4: return copy_items<uint32_t>(count, from, from_step, to, to_step);
    default: return copy_items<uint64_t>(count, from, from_step, to, to_step);
  }
}

struct Merged {
  Shape shape;
  Strides from, to;
};

Merged merge(const Shape& shape, const Strides& from, const Strides& to) {
  Merged m;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 1) continue;
    if (!m.shape.empty() && m.from.back() == from[d] * shape[d] &&
        m.to.back() == to[d] * shape[d]) {
      m.shape.back() *= shape[d];
      m.from.back() = from[d];
      m.to.back() = to[d];
    } else {
      m.shape.push_back(shape[d]);
      m.from.push_back(from[d]);
      m.to.push_back(to[d]);
    }
  }
  if (m.shape.empty()) {
    m.shape.push_back(1);
    m.from.push_back(0);
    m.to.push_back(0);
  }
  return m;
}

}  // namespace

void copy_strided(const Shape& shape, int64_t itemsize, const char* from,
                  const Strides& from_strides, char* to, const Strides& to_strides) {
  int64_t total = 1;
  for (int64_t extent : shape) total *= extent;
  if (total == 0) return;
  Merged m = merge(shape, from_strides, to_strides);
  size_t last = m.shape.size() - 1;
  int64_t run = m.shape[last], rows = total / run;
  // A single long run is cut so that all threads take part.
  int64_t parts = rows == 1 ? std::max<int64_t>(1, run * itemsize / serial_bytes) : 1;
  auto copy_row = [&](int64_t row, int64_t begin, int64_t end) {
    const char* a = from + begin * m.from[last];
    char* b = to + begin * m.to[last];
    for (size_t d = last; d-- > 0;) {
      int64_t k = row % m.shape[d];
      row /= m.shape[d];
      a += k * m.from[d];
      b += k * m.to[d];
    }
    copy_run(end - begin, itemsize, a, m.from[last], b, m.to[last]);
  };
  int64_t tasks = rows == 1 ? parts : std::clamp<int64_t>(total * itemsize / serial_bytes, 1, rows);
  ThreadPool::instance().run(tasks, [&](int64_t t) {
    if (rows == 1) return copy_row(0, run * t / tasks, run * (t + 1) / tasks);
    for (int64_t r = rows * t / tasks; r < rows * (t + 1) / tasks; ++r) copy_row(r, 0, run);
  });
}

namespace {

Strides byte_strides(const Operand& operand, int64_t itemsize) {
  Strides strides = operand.layout->dense ? dense_strides(*operand.shape) : operand.layout->strides;
  for (int64_t& s : strides) s *= itemsize;
  return strides;
}

}  // namespace
}  // namespace cpu

void kernel_concatenate(const KernelCall& call) {
  int64_t itemsize = call.node->type().size();
  size_t axis = static_cast<size_t>(params<AxisParams>(call.node).axis);
  Strides to = cpu::byte_strides(call.output, itemsize);
  char* at = call.output.data();
  for (const Operand& input : call.inputs) {
    cpu::copy_strided(*input.shape, itemsize, input.data(), cpu::byte_strides(input, itemsize), at,
                      to);
    at += input.extent(static_cast<int>(axis)) * to[axis];
  }
}

// Inputs: values (already in the output), update.
void kernel_slice_update(const KernelCall& call) {
  int64_t itemsize = call.node->type().size();
  const Operand& update = call.inputs[1];
  size_t rank = update.shape->size();
  Strides to = cpu::byte_strides(call.output, itemsize);
  char* at = call.output.data();
  auto part = params<SliceParams>(call.node);
  for (size_t d = 0; d < rank; ++d) {
    at += part.starts[d] * to[d];
    to[d] *= part.strides[d];
  }
  cpu::copy_strided(*update.shape, itemsize, update.data(), cpu::byte_strides(update, itemsize), at,
                    to);
}

}  // namespace lazuli
