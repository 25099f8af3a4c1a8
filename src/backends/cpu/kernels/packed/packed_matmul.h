// Products with packed (GGUF) weights: out[m, n] = sum over k of x[m, k] * dequantize(w)[n, k].
//
// The weights stay as they lie in the file and are read once per call (once per panel of rows for
// large m). Up to four rows of x become 15-bit integers for runs of 32 (packed_rows.h); the error
// against float32 arithmetic on the dequantised weights is about 4e-5 of the result's typical
// size. More rows become 14-bit integers and weights 12-bit ones for groups of 128
// (packed_levels-inl.h): the error is about 3e-4. An exact product is accurate to float32 and
// slower. Both functions run on the thread pool.
//
// Infinite and NaN scales in w give outputs that are not finite; rows of x with a NaN or an
// infinity are computed in float32 with dequantised weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lazuli/dtype.h"
#include "lazuli/packed_format.h"

namespace lazuli::cpu {

struct PackedMatmul {
  const void* x;  // [m, k], rows x_row_stride elements apart
  Dtype x_dtype;  // float32, bfloat16 or float16
  int64_t x_row_stride;  // elements
  int64_t m, n, k;  // any m, n >= 0; k a multiple of the format's block
  const std::byte* w;  // [n, k], packed row by row without gaps
  PackedFormat format;
  void* out;  // [m, n], rows out_row_stride elements apart
  Dtype out_dtype;  // float32, bfloat16 or float16
  int64_t out_row_stride;  // elements
  bool exact = false;  // products and sums are those of float32
};

// ArgumentError for shapes, strides or dtypes that do not fit.
void packed_matmul(const PackedMatmul& product);

// Several products with one x (query, key and value; gate and up): x is converted once, and one job
// on the pool serves all. ArgumentError unless all have the same x, x_dtype, x_row_stride, m and k.
void packed_matmul_many(std::span<const PackedMatmul> products);

}  // namespace lazuli::cpu
