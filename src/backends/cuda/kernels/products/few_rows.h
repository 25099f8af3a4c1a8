// Products of few rows as few_rows.cuh and matmul_rows.cu take them.
#pragma once

#include "backends/cuda/kernel.h"
#include "backends/cuda/kernels/byte_range.h"

namespace lazuli::cuda {

constexpr int matrices_max = 4;

// As in few_rows.cuh.
struct FewRows {
  const void* x;
  const void* w[matrices_max];
  void* out[matrices_max];
  int64_t out_row[matrices_max];
  int n[matrices_max], first_block[matrices_max + 1];
  int count, shares;
  int64_t x_row, x_batch, w_row, w_batch, out_column, out_batch;
  int m, k;
  bool settled;

  // Of w [n, k] with K together; items are of so many bytes.
  ByteRange bytes_of_x(int64_t item) const {
    return ByteRange::of(x, k * item).along(m, x_row * item);
  }
  ByteRange bytes_of_w(int i, int64_t item) const {
    return ByteRange::of(w[i], k * item).along(n[i], w_row * item);
  }
  ByteRange bytes_of_out(int i, int64_t item) const {
    return ByteRange::of(out[i], int64_t{m} * n[i] * item);
  }
};

// What a stream was given last, if that was products of one row by matrices with K together: a step
// that takes them as operands makes one launch with them.
struct LastProducts {
  uint64_t launched = 0;  // by the stream's queue, with this
  const Function* function = nullptr;
  LaunchShape shape;
  FewRows products;
  Dtype::Val dtype;
  int columns;     // rows of matrices to a warp
  bool makes_row;  // by the step before, which is still the stream's last one
  uint16_t x;      // of that step
};

// Null if the stream has been given something else since.
LastProducts* last_products(int stream);

}  // namespace lazuli::cuda
