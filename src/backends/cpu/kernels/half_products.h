// What products of bfloat16 and float16 are made of: halves become float32 in registers or in
// cache, sums are float32. On the calling thread.
#pragma once

#include <cstdint>

#include "lazuli/dtype.h"

namespace lazuli::cpu {

// `count` elements of a half type to float32, and back.
void widen(Dtype::Val dtype, const void* from, int64_t count, float* to);
void narrow(const float* from, int64_t count, Dtype::Val dtype, void* to);

// out [m, n] = x [m, k] times w [k, n], whose columns lie together if `w_transposed`.
struct FewRowsProduct {
  Dtype::Val dtype;  // of w and out
  int64_t m, n, k;   // m up to few_rows_max
  const float* x;
  const void* w;
  int64_t w_stride;
  bool w_transposed;
  void* out;
};
inline constexpr int64_t few_rows_max = 4;

// Columns [first, last), at most few_rows_columns where w is not transposed.
inline constexpr int64_t few_rows_columns = 1024;
void multiply_few_rows(const FewRowsProduct& product, int64_t first, int64_t last);

}  // namespace lazuli::cpu
