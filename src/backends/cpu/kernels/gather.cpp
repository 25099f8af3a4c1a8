// gather, take_along_axis and their inverses. Indices are int64, wrap once when negative, and raise
// IndexError out of range. Floor: each gathered byte read and written once.
#include <algorithm>
#include <cstring>
#include <vector>

#include "backends/cpu/kernels/move.h"
#include "base/thread_pool.h"
#include "compiler/backend.h"
#include "core/visit.h"
#include "lazuli/interrupt.h"
#include "ops/table/op.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

constexpr int64_t serial_bytes = 1 << 16;

Strides byte_strides(const Operand& operand, int64_t itemsize) {
  Strides strides = operand.layout->dense ? dense_strides(*operand.shape) : operand.layout->strides;
  for (int64_t& s : strides) s *= itemsize;
  return strides;
}

int64_t checked(const char* op, int64_t index, int64_t extent) {
  int64_t at = index < 0 ? index + extent : index;
  if (at < 0 || at >= extent) {
    throw IndexError("[" + std::string(op) + "] Index " + std::to_string(index) +
                     " is out of range for an axis of extent " + std::to_string(extent) + ".");
  }
  return at;
}

// Reads element `i` (row-major) of index arrays with any strides.
class Indices {
 public:
  explicit Indices(std::span<const Operand> operands) : operands_(operands) {
    for (const Operand& operand : operands) strides_.push_back(byte_strides(operand, 8));
  }
  int64_t at(size_t which, int64_t i) const {
    const Operand& operand = operands_[which];
    if (operand.layout->dense) return operand.as<int64_t>()[i];
    const char* p = operand.data();
    for (size_t d = operand.shape->size(); d-- > 0;) {
      p += i % (*operand.shape)[d] * strides_[which][d];
      i /= (*operand.shape)[d];
    }
    return *reinterpret_cast<const int64_t*>(p);
  }

 private:
  std::span<const Operand> operands_;
  std::vector<Strides> strides_;
};

template <class T>
T merged(T old, T value, ScatterMode mode) {
  if constexpr (std::is_same_v<T, bool>) {
    switch (mode) {
      case ScatterMode::add:
      case ScatterMode::maximum: return old || value;
      case ScatterMode::multiply:
      case ScatterMode::minimum: return old && value;
      default: return value;
    }
  } else if constexpr (std::is_same_v<T, complex64_t>) {
    auto less = [](T a, T b) {
      return a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
    };
    switch (mode) {
      case ScatterMode::add: return old + value;
      case ScatterMode::multiply: return old * value;
      case ScatterMode::maximum: return less(old, value) ? value : old;
      case ScatterMode::minimum: return less(value, old) ? value : old;
      default: return value;
    }
  } else if constexpr (std::is_integral_v<T>) {
    using U = std::conditional_t<(sizeof(T) < 8), uint32_t, uint64_t>;
    switch (mode) {
      case ScatterMode::add: return static_cast<T>(static_cast<U>(old) + static_cast<U>(value));
      case ScatterMode::multiply:
        return static_cast<T>(static_cast<U>(old) * static_cast<U>(value));
      case ScatterMode::maximum: return std::max(old, value);
      case ScatterMode::minimum: return std::min(old, value);
      default: return value;
    }
  } else {
    using F = std::conditional_t<std::is_same_v<T, double>, double, float>;
    F a = static_cast<F>(old), b = static_cast<F>(value);
    switch (mode) {
      case ScatterMode::add: return static_cast<T>(a + b);
      case ScatterMode::multiply: return static_cast<T>(a * b);
      case ScatterMode::maximum: return a != a || a > b ? old : value;
      case ScatterMode::minimum: return a != a || a < b ? old : value;
      default: return value;
    }
  }
}

// Applies a block of updates, element by element, to a strided place.
template <class T>
void merge_block(const Shape& shape, const char* from, const Strides& from_strides, char* to,
                 const Strides& to_strides, ScatterMode mode) {
  int64_t total = element_count(shape);
  for (int64_t i = 0; i < total; ++i) {
    const char* a = from;
    char* b = to;
    int64_t rest = i;
    for (size_t d = shape.size(); d-- > 0;) {
      int64_t k = rest % shape[d];
      rest /= shape[d];
      a += k * from_strides[d];
      b += k * to_strides[d];
    }
    T* place = reinterpret_cast<T*>(b);
    *place = merged(*place, *reinterpret_cast<const T*>(a), mode);
  }
}

}  // namespace

// Inputs: values, one index array for each axis.
void kernel_gather(const KernelCall& call) {
  const Operand& source = call.inputs[0];
  int64_t itemsize = call.node->type().size();
  size_t rank = source.shape->size(), lead = call.output.shape->size() - rank;
  Shape slice(call.output.shape->begin() + static_cast<long>(lead), call.output.shape->end());
  Strides from = byte_strides(source, itemsize), to = dense_strides(slice);
  for (int64_t& s : to) s *= itemsize;
  int64_t block = element_count(slice) * itemsize;
  if (block == 0) return;
  int64_t count = call.output.size() * itemsize / block;
  Indices indices(call.inputs.subspan(1));
  Words axes = params<AxesParams>(call.node).axes;
  bool contiguous =
      is_dense(slice, source.layout->dense ? dense_strides(*source.shape) : source.layout->strides);
  int64_t tasks = std::clamp<int64_t>(count * block / serial_bytes, 1, count);
  if (count == 0) return;
  ThreadPool::instance().run(tasks, [&](int64_t task) {
    for (int64_t i = count * task / tasks; i < count * (task + 1) / tasks; ++i) {
      const char* at = source.data();
      for (size_t k = 0; k < axes.size(); ++k) {
        size_t axis = static_cast<size_t>(axes[k]);
        at += checked("gather", indices.at(k, i), (*source.shape)[axis] - slice[axis] + 1) *
              from[axis];
      }
      char* place = call.output.data() + i * block;
      if (contiguous) {
        std::memcpy(place, at, static_cast<size_t>(block));
      } else {
        cpu::copy_strided(slice, itemsize, at, from, place, to);
      }
    }
  });
}

// Inputs: values (already in the output), updates, index arrays.
void kernel_scatter(const KernelCall& call) {
  const Operand& updates = call.inputs[1];
  int64_t itemsize = call.node->type().size();
  size_t rank = call.output.shape->size(), lead = updates.shape->size() - rank;
  Shape slice(updates.shape->begin() + static_cast<long>(lead), updates.shape->end());
  Strides all = byte_strides(updates, itemsize), to = byte_strides(call.output, itemsize);
  Strides from(all.begin() + static_cast<long>(lead), all.end());
  int64_t count = 1;
  for (size_t d = 0; d < lead; ++d) count *= (*updates.shape)[d];
  if (element_count(slice) == 0) return;
  Indices indices(call.inputs.subspan(2));
  auto scatter = params<ScatterParams>(call.node);
  // In order and on one thread: several updates may meet in one place.
  for (int64_t i = 0; i < count; ++i) {
    if (i % (1 << 16) == 0) check_interrupt();
    const char* update = updates.data();
    int64_t rest = i;
    for (size_t d = lead; d-- > 0;) {
      update += rest % (*updates.shape)[d] * all[d];
      rest /= (*updates.shape)[d];
    }
    char* place = call.output.data();
    for (size_t k = 0; k < scatter.axes.size(); ++k) {
      size_t axis = static_cast<size_t>(scatter.axes[k]);
      int64_t room = (*call.output.shape)[axis] - slice[axis] + 1;
      place += checked("scatter", indices.at(k, i), room) * to[axis];
    }
    visit(call.output.dtype,
          [&]<class T>() { merge_block<T>(slice, update, from, place, to, scatter.mode); });
  }
}

namespace {

// [outer, extent, inner] of a dense shape around an axis.
struct Around {
  int64_t outer = 1, extent, inner = 1;
  Around(const Shape& shape, size_t axis) : extent(shape[axis]) {
    for (size_t d = 0; d < axis; ++d) outer *= shape[d];
    for (size_t d = axis + 1; d < shape.size(); ++d) inner *= shape[d];
  }
};

template <class T>
void gather_along(const Around& from, int64_t picks, const T* x, const int64_t* index, T* out) {
  ThreadPool::instance().run(from.outer, [&](int64_t o) {
    for (int64_t p = 0; p < picks; ++p) {
      for (int64_t i = 0; i < from.inner; ++i) {
        int64_t at = (o * picks + p) * from.inner + i;
        int64_t row = checked("take_along_axis", index[at], from.extent);
        out[at] = x[(o * from.extent + row) * from.inner + i];
      }
    }
  });
}

}  // namespace

// Inputs: values, indices.
void kernel_gather_axis(const KernelCall& call) {
  size_t axis = static_cast<size_t>(params<AxisParams>(call.node).axis);
  Around around(*call.inputs[0].shape, axis);
  int64_t picks = (*call.output.shape)[axis];
  const int64_t* index = call.inputs[1].as<int64_t>();
  if (call.output.size() == 0) return;
  switch (call.node->type().size()) {
    case 1:
      return gather_along(around, picks, call.inputs[0].as<uint8_t>(), index,
                          call.output.as<uint8_t>());
    case 2:
      return gather_along(around, picks, call.inputs[0].as<uint16_t>(), index,
                          call.output.as<uint16_t>());
    case 4:
      return gather_along(around, picks, call.inputs[0].as<uint32_t>(), index,
                          call.output.as<uint32_t>());
    default:
      return gather_along(around, picks, call.inputs[0].as<uint64_t>(), index,
                          call.output.as<uint64_t>());
  }
}

// Inputs: values (already in the output), indices, updates.
void kernel_scatter_axis(const KernelCall& call) {
  auto scatter = params<ScatterAxisParams>(call.node);
  size_t axis = static_cast<size_t>(scatter.axis);
  Around around(*call.output.shape, axis);
  const int64_t* index = call.inputs[1].as<int64_t>();
  if (call.inputs[1].size() == 0) return;
  int64_t picks = (*call.inputs[1].shape)[axis];
  visit(call.output.dtype, [&]<class T>() {
    const T* update = call.inputs[2].as<T>();
    T* out = call.output.as<T>();
    ThreadPool::instance().run(around.outer, [&](int64_t o) {
      for (int64_t p = 0; p < picks; ++p) {
        for (int64_t i = 0; i < around.inner; ++i) {
          int64_t at = (o * picks + p) * around.inner + i;
          int64_t row = checked("put_along_axis", index[at], around.extent);
          T& place = out[(o * around.extent + row) * around.inner + i];
          place = merged(place, update[at], scatter.mode);
        }
      }
    });
  });
}

}  // namespace lazuli
