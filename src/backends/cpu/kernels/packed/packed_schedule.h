// How products with packed or quantised weights are cut into tasks for the pool.
#pragma once

#include <cstdint>

#include "backends/cpu/kernels/packed/packed_activations.h"
#include "lazuli/dtype.h"

namespace lazuli::cpu::packed {

// Up to so many rows of x meet each row of w as it is read; more go through panels.
inline constexpr int64_t row_product_rows_max = 4;

bool is_packed_float(Dtype dtype);

// Rows of w for one task, a multiple of four, when all weights of the call have `bytes` bytes.
int64_t rows_per_task(int64_t bytes, int64_t row_bytes);

// Tiles of x for one task when the weights have `panels` panels: as many as leave each thread a few
// tasks, within the cache.
int64_t tiles_per_task(int64_t panels, const ActivationTiles& x);

// x [m, k] as tiles of a size that suits m, on the pool; they live in `scratch`.
ActivationTiles convert_tiles(const void* x, Dtype x_dtype, int64_t row_stride, int64_t m,
                              int64_t k, Scratch& scratch);

}  // namespace lazuli::cpu::packed
