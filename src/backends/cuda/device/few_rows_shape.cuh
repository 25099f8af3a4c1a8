// What products of few rows are given. Host code includes this file too.
#pragma once

constexpr int matrices_max = 4;

// Up to four matrices w that the same x is multiplied with; blocks of one follow those of another.
// Strides are in elements.
struct FewRows {
  const void* x;
  const void* w[matrices_max];
  void* out[matrices_max];
  int64_t out_row[matrices_max];
  int n[matrices_max], first_block[matrices_max + 1];
  int count, shares;
  int64_t x_row, x_batch, w_row, w_batch, out_column, out_batch;
  int m, k;
  bool settled;  // nothing that runs writes w
};
