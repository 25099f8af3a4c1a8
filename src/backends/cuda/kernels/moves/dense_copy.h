// Copies of strided values without gaps, for kernels that need them so.
#pragma once

#include <memory>

#include "backends/cuda/kernel.h"

namespace lazuli::cuda {

// The elements of `shape` at `strides` (in elements) from `from`, row by row at `to`.
void copy_dense(int stream, const Shape& shape, const Strides& strides, int64_t item_bytes,
                const void* from, void* to);

// The strides of an operand, whether it is dense or not.
inline Strides strides_of(const Operand& operand) {
  return operand.layout->dense ? dense_strides(*operand.shape) : operand.layout->strides;
}

}  // namespace lazuli::cuda
