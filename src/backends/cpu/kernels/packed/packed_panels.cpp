// Panels of packed weights: packed_levels-inl.h has the products.
#include "backends/cpu/kernels/packed/packed_panels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/packed/packed_panels.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "backends/cpu/kernels/packed/packed_levels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::packed {
namespace HWY_NAMESPACE {

void block_panel(const PackedMatmul& p, const LevelTiles& x, int64_t tile_first, int64_t tile_last,
                 int64_t first, Scratch& scratch) {
  const PanelOut out = {p.out, p.out_dtype, p.out_row_stride, p.n};
  const auto* w = reinterpret_cast<const uint8_t*>(p.w);
  with_format(p.format, [&](auto f) HWY_ATTR {
    level_panel_product<decltype(f)>(w, p.k, x, tile_first, tile_last, first, out, scratch);
  });
}

PanelShape best_panel_shape() { return {panel_columns, tile_rows_max}; }

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu::packed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::cpu::packed {

HWY_EXPORT(block_panel);
HWY_EXPORT(best_panel_shape);

PanelShape panel_shape() { return HWY_DYNAMIC_DISPATCH(best_panel_shape)(); }

void packed_panel(const PackedMatmul& product, const LevelTiles& x, int64_t tile_first,
                  int64_t tile_last, int64_t first) {
  thread_local Scratch scratch;
  HWY_DYNAMIC_DISPATCH(block_panel)(product, x, tile_first, tile_last, first, scratch);
}

}  // namespace lazuli::cpu::packed
#endif  // HWY_ONCE
