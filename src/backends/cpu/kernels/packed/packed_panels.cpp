// Panels of packed weights: packed_panels-inl.h has the products, this file the unpacking.
#include "backends/cpu/kernels/packed/packed_panels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/packed/packed_panels.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "backends/cpu/kernels/packed/packed_floats-inl.h"
#include "backends/cpu/kernels/packed/packed_formats-inl.h"
#include "backends/cpu/kernels/packed/packed_panels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::packed {
namespace HWY_NAMESPACE {

// Rows of blocks of format F.
template <class F>
class BlockRows {
 public:
  explicit BlockRows(const PackedMatmul& p)
      : w_(reinterpret_cast<const uint8_t*>(p.w)),
        rows_(p.n),
        row_bytes_(p.k / F::elements * F::bytes) {}

  int64_t rows() const { return rows_; }
  int bias_group() const { return F::biased ? F::group : 0; }

  // Levels are times their sub-block's integer scale, where there is one.
  HWY_INLINE void unpack(int64_t row, int64_t at, int64_t count, int64_t column, int16_t* levels,
                         Panel& panel) const {
    const uint8_t* p = w_ + row * row_bytes_ + at / F::elements * F::bytes;
    // 16 bytes at a time: a wider load of what F::levels just stored would wait for the stores.
    const hn::CappedTag<int16_t, 16> d16;
    const hn::Rebind<int8_t, decltype(d16)> d8;
    constexpr int groups = F::elements / F::group;
    for (int64_t block = 0; block < count / F::elements; ++block, p += F::bytes) {
      HWY_ALIGN int8_t small[F::elements];
      int8_t multiples[groups], minima[groups];
      F::levels(p, small);
      if constexpr (F::nested) F::subscales(p, multiples, minima);
      const float d = half_at(p + F::scale_at);
      for (int g = 0; g < groups; ++g) {
        for (size_t i = 0; i < F::group; i += hn::Lanes(d16)) {
          auto level = hn::PromoteTo(d16, hn::LoadU(d8, small + g * F::group + i));
          if constexpr (F::nested) level = hn::Mul(level, hn::Set(d16, multiples[g]));
          hn::StoreU(level, d16, levels + block * F::elements + g * F::group + i);
        }
      }
      if constexpr (F::biased) {
        const float e = half_at(p + F::bias_at);
        for (int g = 0; g < groups; ++g) {
          panel.biases[(block * groups + g) * panel_columns + column] =
              F::nested ? -(e * minima[g]) : e;
        }
      }
      for (int run = 0; run < F::elements / 32; ++run) {
        panel.scales[(block * (F::elements / 32) + run) * panel_columns + column] = d;
      }
    }
  }

 private:
  const uint8_t* w_;
  int64_t rows_;
  int64_t row_bytes_;
};

void block_panel(const PackedMatmul& p, const ActivationTiles& x, int64_t tile_first,
                 int64_t tile_last, int64_t first, Scratch& scratch) {
  const PanelOut out = {p.out, p.out_dtype, p.out_row_stride, p.n};
  with_format(p.format, [&](auto f) HWY_ATTR {
    panel_product(BlockRows<decltype(f)>(p), x, p.k, tile_first, tile_last, first, out, scratch);
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

void packed_panel(const PackedMatmul& product, const ActivationTiles& x, int64_t tile_first,
                  int64_t tile_last, int64_t first) {
  thread_local Scratch scratch;
  HWY_DYNAMIC_DISPATCH(block_panel)(product, x, tile_first, tile_last, first, scratch);
}

}  // namespace lazuli::cpu::packed
#endif  // HWY_ONCE
