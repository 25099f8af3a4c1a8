// Affine quantisation in plain scalar code: what the packed form means.
//
// A row of `columns` elements is cut into groups of 32, 64 or 128; element = scale * level + bias
// with an unsigned level of `bits` bits (1, 2, 3, 4, 5, 6 or 8). The levels of a row are one stream
// of bits, lowest first, in 32-bit words: element i at bits [i * bits, (i + 1) * bits).
#pragma once

#include <cstdint>

namespace lazuli::reference {

struct QuantizedShape {
  int64_t rows;
  int64_t columns;  // a multiple of group
  int group;
  int bits;

  int64_t row_words() const { return columns * bits / 32; }
  int64_t row_groups() const { return columns / group; }
};

// w_q is [rows, row_words()], scales and biases are [rows, row_groups()]. Scales and biases are not
// yet rounded to the type they will be stored in; the levels are those for the unrounded ones.
void quantize(const float* w, const QuantizedShape& shape, uint32_t* w_q, float* scales,
              float* biases);

void dequantize(const uint32_t* w_q, const float* scales, const float* biases,
                const QuantizedShape& shape, double* out);

// out[m, n] = sum over k of x[m, k] * w, in double; w is the dequantised [n, k] if `transpose`,
// else [k, n]. x and out are row-major without gaps.
void quantized_matmul(const float* x, int64_t m, const uint32_t* w_q, const float* scales,
                      const float* biases, const QuantizedShape& shape, bool transpose,
                      double* out);

}  // namespace lazuli::reference
