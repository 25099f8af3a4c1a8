// Products of dense matrices for other kernels.
#pragma once

#include "backends/cuda/blas.h"

namespace lazuli::cuda {

// Any strides and sizes (k > 0). Few rows or columns go to kernels that read the larger matrix
// once, the others to cuBLASLt where it is there and reads the operands as they lie, else to an own
// kernel.
void multiply(int stream, const MatrixProduct& product);

// The same with sums of 64 products that are added, so that one large product does not take the
// digits of all others.
void multiply_in_slices(int stream, const MatrixProduct& product);

// A product in nearly float32 (relative error 2^-16) from planes of bfloat16: out [m, n] = x w.
struct PlanesProduct {
  int64_t m, n, k;
  const void* x;  // [m, 3, k]
  const void* w;  // two matrices [k, n], w_plane elements apart
  int64_t w_row, w_column, w_plane;
  float* out;
  int64_t out_row;
};
void multiply_planes(int stream, const PlanesProduct& product);

}  // namespace lazuli::cuda
