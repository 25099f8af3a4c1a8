// The float32 product for kernels that make one of their operands.
#pragma once

#include <cstdint>

namespace lazuli::cpu {

// out [m, n] = a [m, k] times the transpose of b [n, k]; rows lie so many elements apart.
struct TransposedProduct {
  const float* a;
  int64_t a_row_stride;
  const float* b;
  int64_t b_row_stride;
  float* out;
  int64_t out_row_stride;
  int64_t m, n, k;  // none of them 0
  bool add;         // to what `out` holds
};

// On the pool.
void multiply_transposed(const TransposedProduct& product);

}  // namespace lazuli::cpu
