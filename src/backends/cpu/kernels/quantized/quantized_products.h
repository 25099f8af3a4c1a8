// The kernels under quantized_matmul; each computes on the calling thread.
#pragma once

#include "backends/cpu/kernels/packed/packed_activations.h"
#include "backends/cpu/kernels/quantized/quantized_matmul.h"

namespace lazuli::cpu::packed {

// transpose, few rows of x: columns [first, last) of `out` (rows of w). group_sums [m,
// row_groups()] has the sums of x's converted elements over the groups; x has its planes split by
// parity.
void quantized_rows(const QuantizedMatmul& product, const Activations& x, const float* group_sums,
                    int64_t first, int64_t last);

// transpose, many rows of x: a panel's columns from `first` on for the tiles [tile_first,
// tile_last).
void quantized_panel(const QuantizedMatmul& product, const ActivationTiles& x, int64_t tile_first,
                     int64_t tile_last, int64_t first);

// transpose, one row of x in float32 with dequantised weights: for x with NaN or infinities.
void quantized_float_row(const QuantizedMatmul& product, int64_t row, int64_t first, int64_t last);

// Elements [first, first + count), whole groups, of a row of w.
void quantized_floats(const QuantizedMatrix& w, int64_t row, int64_t first, int64_t count,
                      float* out);

// Not transpose: few (up to row_product_rows_max) rows of x as floats [m, k]; columns [first, last)
// of `out` are whole groups, at most columns_per_call.
inline constexpr int64_t columns_per_call = 1024;
inline constexpr int64_t copy_room = 16;  // floats behind the last that copy_floats may overwrite
void copy_floats(const QuantizedMatmul& product, float* x);
void quantized_columns(const QuantizedMatmul& product, const float* x, int64_t first, int64_t last);

// Not transpose, many rows: x as floats in tiles of float_tile_rows() interleaved rows, [tiles, k,
// rows], zeros behind the last row; a panel's columns from `first` on for the tiles
// [tile_first, tile_last).
int64_t float_tile_rows();
void fill_float_tile(const QuantizedMatmul& product, int64_t index, float* tiles);
void quantized_column_panel(const QuantizedMatmul& product, const float* tiles, int64_t tile_first,
                            int64_t tile_last, int64_t first);

}  // namespace lazuli::cpu::packed
