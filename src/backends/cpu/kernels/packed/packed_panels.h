// The part of packed_matmul for many rows of x: w is unpacked in panels that serve all of them.
#pragma once

#include "backends/cpu/kernels/packed/packed_activations.h"
#include "backends/cpu/kernels/packed/packed_matmul.h"

namespace lazuli::cpu::packed {

// Rows of w in a panel, and the most rows of x in a tile, of the chosen SIMD target. Tiles have a
// multiple of four rows.
struct PanelShape {
  int64_t columns;
  int64_t tile_rows;
};
PanelShape panel_shape();

// Computes columns [first, first + panel_shape().columns) of `out`, as far as they exist, for the
// tiles [tile_first, tile_last) of x, on the calling thread.
void packed_panel(const PackedMatmul& product, const LevelTiles& x, int64_t tile_first,
                  int64_t tile_last, int64_t first);

}  // namespace lazuli::cpu::packed
