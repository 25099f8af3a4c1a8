// The left operand of packed products as 15-bit integers.
//
// Each run of 32 elements of a row has a scale of its own: x = scale * level with |level| <= 16256,
// so that level = 128 * high + low with high and low in int8. The error is at most 3.1e-5 of the
// run's largest element. Runs whose largest element is below 2^-100 count as zeros.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/cpu/kernels/packed/packed_scratch.h"
#include "lazuli/dtype.h"

namespace lazuli::cpu::packed {

inline constexpr int activation_run = 32;  // elements under one scale
inline constexpr int activation_pad = 256;  // rows are padded with zeros to a multiple of it
inline constexpr int activation_level_max = 16256;

// How the split planes order four runs: their first and their last halves, or their even and their
// odd elements.
enum class SplitOrder : uint8_t { halves, parity };

// Rows as they are, for products with few of them.
struct Activations {
  int64_t rows = 0;
  int64_t stride = 0;  // elements of a row, padding included

  int16_t* levels = nullptr;  // [rows, stride]
  int8_t* high = nullptr;  // [rows, stride]
  int8_t* low = nullptr;  // [rows, stride]
  int8_t* high_split = nullptr;  // [rows, stride / 128, 2, 4, 16]: one half of each of four runs,
  int8_t* low_split = nullptr;  // then the other halves
  float* scales = nullptr;  // [rows, stride / 32]
  float* sums32 = nullptr;  // [rows, stride / 32]: scale * sum of the run's levels
  float* sums16 = nullptr;  // [rows, stride / 16]: the same of each half of a run
  uint8_t* finite = nullptr;  // [rows]: 0 if x holds a NaN or an infinity: its levels are void

  int64_t runs() const { return stride / activation_run; }
};

// Lays out `a` for m rows of k elements in `scratch`; `stride` and `rows` get their values.
void place_activations(int64_t m, int64_t k, Scratch& scratch, Activations& a);

// Fills `a` from x (float32, bfloat16 or float16, row_stride in elements).
void fill_activations(const void* x, Dtype x_dtype, int64_t row_stride, int64_t k, SplitOrder order,
                      const Activations& a);

// Rows in tiles of `tile`, interleaved, in the order in which a tile product reads them. Rows
// behind the last are zeros.
struct ActivationTiles {
  int64_t rows = 0;
  int64_t tile = 0;  // rows of a tile, a multiple of 4
  int64_t stride = 0;  // elements of a row, padded to a multiple of 32

  int16_t* levels = nullptr;  // [tiles, stride / 2, tile, 2]
  float* scales = nullptr;  // [tiles, stride / 32, tile]
  float* sums32 = nullptr;  // [tiles, stride / 32, tile]
  float* sums16 = nullptr;  // [tiles, stride / 16, tile]
  uint8_t* finite = nullptr;  // [tiles, tile], as in Activations

  int64_t tiles() const { return (rows + tile - 1) / tile; }
  int64_t runs() const { return stride / activation_run; }
};

void place_tiles(int64_t m, int64_t k, int64_t tile, Scratch& scratch, ActivationTiles& tiles);

// Fills tile `index`.
void fill_tile(const void* x, Dtype x_dtype, int64_t row_stride, int64_t k, int64_t index,
               const ActivationTiles& tiles);

// Rows in tiles, as above, for products that sum 128 columns in integers: each group of 128 has
// one scale, x = scale * level with |level| <= 8191. Groups whose largest element is below 2^-100
// count as zeros. The error is at most 6.2e-5 of the group's largest element.
struct LevelTiles {
  static constexpr int64_t group = 128;
  static constexpr int level_max = 8191;
  int64_t rows = 0;
  int64_t tile = 0;  // rows of a tile, a multiple of 4
  int64_t stride = 0;  // elements of a row, a multiple of 32

  // Pieces of 256 columns, the last may be narrower, each [tiles, columns / 2, tile, 2]: a panel of
  // weights passes through a piece from its begin to its end.
  static constexpr int64_t piece = 256;
  int16_t* levels = nullptr;
  float* scales = nullptr;  // [tiles, groups, tile]
  uint8_t* finite = nullptr;  // [tiles, tile], as in Activations

  // Where the levels of a tile's column (a multiple of 2) begin.
  int16_t* at(int64_t index, int64_t column) const {
    const int64_t first = column / piece * piece;
    const int64_t columns = stride - first < piece ? stride - first : piece;
    return levels + (first * tiles() + index * columns + column - first) * tile;
  }

  int64_t tiles() const { return (rows + tile - 1) / tile; }
  int64_t groups() const { return (stride + group - 1) / group; }
};

void place_level_tiles(int64_t m, int64_t k, int64_t tile, Scratch& scratch, LevelTiles& tiles);

// Fills tile `index`.
void fill_level_tile(const void* x, Dtype x_dtype, int64_t row_stride, int64_t index,
                     const LevelTiles& tiles);

}  // namespace lazuli::cpu::packed
