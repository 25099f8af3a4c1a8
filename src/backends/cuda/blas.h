// cuBLASLt, opened at run time: products of dense matrices on tensor cores.
#pragma once

#include <cstdint>

#include "lazuli/dtype.h"

namespace lazuli::cuda {

// Strides in elements; a batch stride of 0 repeats the matrix.
struct MatrixPlace {
  const void* data;
  int64_t row, column, batch;
  bool settled = false;  // nothing that runs writes it
};

// out[b, i, j] = sum over k of x[b, i, k] * y[b, k, j]; halves and float32 are summed in float32.
// The columns of out lie together; it has the operands' dtype, or is float32 of bfloat16 operands,
// and may be added to.
struct MatrixProduct {
  Dtype::Val dtype;
  int64_t m, n, k, batches;
  MatrixPlace x, y;
  void* out;
  int64_t out_row, out_batch;
  bool into_float = false, added = false;

  Dtype::Val out_dtype() const { return into_float ? Dtype::Val::float32 : dtype; }
};

// Whether cuBLASLt is there.
bool has_blas();

// Whether it can read the matrix [rows, columns] as it lies.
bool blas_reads(const MatrixPlace& matrix, int64_t rows, int64_t columns);

// Queues the product; false, and nothing is queued, where cuBLASLt has no algorithm for it.
// DeviceError where it fails.
bool blas_multiply(int stream, const MatrixProduct& product);

}  // namespace lazuli::cuda
