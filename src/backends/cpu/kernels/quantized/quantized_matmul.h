// Affine quantisation as MLX defines it: quantize, dequantize and products with the packed form.
//
// A row of `columns` elements is cut into groups of 32, 64 or 128; element = scale * level + bias
// with an unsigned level of `bits` bits (1, 2, 3, 4, 5, 6 or 8), rows of levels being streams of
// bits in 32-bit words, lowest first. Scales and biases are float32, bfloat16 or float16. All sums
// are float32. All functions run on the thread pool.
#pragma once

#include <cstdint>

#include "lazuli/dtype.h"

namespace lazuli::cpu {

struct QuantizedMatrix {
  const uint32_t* w_q;  // [rows, columns * bits / 32]
  const void* scales;  // [rows, columns / group]
  const void* biases;  // [rows, columns / group]
  Dtype dtype;  // of scales and biases
  int64_t rows;
  int64_t columns;
  int group;
  int bits;

  int64_t row_words() const { return columns * bits / 32; }
  int64_t row_groups() const { return columns / group; }
};

// Fills w_q, scales and biases (in the layout of QuantizedMatrix, and in w's type) from w [rows,
// columns] without gaps. A group with a NaN gets NaN as its scale and bias. ArgumentError for
// shapes, groups, bits or dtypes that do not fit.
void quantize(const void* w, Dtype dtype, int64_t rows, int64_t columns, int group, int bits,
              uint32_t* w_q, void* scales, void* biases);

// Writes the [rows, columns] values, computed in float32 and rounded once, without gaps.
void dequantize(const QuantizedMatrix& w, void* out, Dtype out_dtype);

struct QuantizedMatmul {
  const void* x;  // [m, k], rows x_row_stride elements apart
  Dtype x_dtype;  // float32, bfloat16 or float16
  int64_t x_row_stride;  // elements
  int64_t m;
  QuantizedMatrix w;  // [n, k] if transpose, else [k, n]
  bool transpose;  // whether out = x @ w.T or x @ w
  void* out;  // [m, n], rows out_row_stride elements apart
  Dtype out_dtype;  // float32, bfloat16 or float16
  int64_t out_row_stride;  // elements

  int64_t n() const { return transpose ? w.rows : w.columns; }
  int64_t k() const { return transpose ? w.columns : w.rows; }
};

// Where x and the result are float32, the product is accurate to float32 whatever the rows hold.
// Else x becomes integers of 15 bits for each 32 elements (packed_rows.h), whose error is that of
// halves but within runs that hold one far larger element. ArgumentError for shapes, strides,
// groups, bits or dtypes that do not fit.
void quantized_matmul(const QuantizedMatmul& product);

}  // namespace lazuli::cpu
