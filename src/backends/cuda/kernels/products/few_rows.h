// What is known of products of few rows that a stream was given.
#pragma once

#include "backends/cuda/kernel.h"
#include "backends/cuda/kernels/byte_range.h"

namespace lazuli::cuda {

#include "backends/cuda/device/few_rows_shape.cuh"

// Where products with w [n, k], K together, read and write; items are of so many bytes.
inline ByteRange bytes_of_x(const FewRows& p, int64_t item) {
  return ByteRange::of(p.x, p.k * item).along(p.m, p.x_row * item);
}
inline ByteRange bytes_of_w(const FewRows& p, int i, int64_t item) {
  return ByteRange::of(p.w[i], p.k * item).along(p.n[i], p.w_row * item);
}
inline ByteRange bytes_of_out(const FewRows& p, int i, int64_t item) {
  return ByteRange::of(p.out[i], int64_t{p.m} * p.n[i] * item);
}

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
