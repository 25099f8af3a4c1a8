// Launches of products with matrices of levels side by side, and those of nibble_tiles.cuh and
// nibble_groups.cuh.
#pragma once

#include "backends/cuda/kernels/levels/level_rows.h"

namespace lazuli::cuda {

constexpr int matrices_max = 4, tile_rows = 16;
// Few rows of x, for which matrices are read a row tile at a time; columns of a product at most.
constexpr int64_t level_rows_max = 8, level_columns_max = 64;

// As in level_rows.cuh.
struct LevelMatrices {
  const void *w[matrices_max], *scales[matrices_max], *biases[matrices_max];
  int64_t rows[matrices_max], out[matrices_max];
  int first_tile[matrices_max + 1];
  int count;
};
struct LevelRows {
  const void* x;
  void* out;
  int64_t x_stride, out_stride, row_bytes;
  int columns, planes;
  int k, tiles;
  int settled;
  LevelMatrices matrices;
};

// Matrices side by side, in tiles of so many rows.
void place_parts(LevelRows& p, const LevelPart* parts, size_t count, int rows = tile_rows);

// Bytes of a row's scales, where they lie apart.
int64_t nibble_scales_bytes(const LevelProduct& product, const LevelFormat& format);
// Whether levels are of four bits, and all may be copied in pieces of 16 bytes.
bool are_nibbles(const LevelProduct& product, const LevelFormat& format, int64_t row_bytes,
                 const LevelPart* parts, size_t count);
// Products of 9 to 64 rows of a half type with levels of four bits: true if they were queued. `p`
// holds what all matrices have in common.
bool multiply_nibble_tiles(const LevelProduct& product, const LevelFormat& format, LevelRows p,
                           const LevelPart* parts, size_t count);

}  // namespace lazuli::cuda
