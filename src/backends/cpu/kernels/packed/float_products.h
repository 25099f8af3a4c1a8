// Products of float32 x with packed or quantised weights that are accurate to float32, whatever the
// rows hold: weights become floats a piece at a time, as dequantising gives them.
#pragma once

#include <cstdint>

namespace lazuli::cpu::packed {

// Weights [n, k] that can be made floats. Used from several threads at a time.
class FloatWeights {
 public:
  virtual ~FloatWeights() = default;
  // Elements [first, first + count) of a row; first and count are multiples of 256, or end with k.
  virtual void fill(int64_t row, int64_t first, int64_t count, float* out) const = 0;
};

struct FloatProduct {
  const float* x;  // [m, k], rows x_row_stride elements apart
  int64_t x_row_stride;
  int64_t m, n, k;  // k a multiple of 32
  float* out;  // [m, n], rows out_row_stride elements apart
  int64_t out_row_stride;
};

// out = x times the transpose of the weights, on the pool.
void multiply_floats(const FloatProduct& product, const FloatWeights& weights);

}  // namespace lazuli::cpu::packed
