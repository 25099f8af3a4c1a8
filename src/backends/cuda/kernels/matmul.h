// Products of dense matrices for other kernels.
#pragma once

#include "backends/cuda/blas.h"

namespace lazuli::cuda {

// Any strides and sizes (k > 0). Few rows or columns go to kernels that read the larger matrix
// once, the others to cuBLASLt where it is there and reads the operands as they lie, else to an own
// kernel.
void multiply(int stream, const MatrixProduct& product);

}  // namespace lazuli::cuda
