// Panels of quantised weights, for x @ w.T with many rows of x: packed_panels-inl.h has the
// products, this file the unpacking.
#include "backends/cpu/kernels/quantized/quantized_products.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/quantized/quantized_panels.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "backends/cpu/kernels/packed/packed_panels-inl.h"
#include "backends/cpu/kernels/quantized/quantized_levels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::packed {
namespace HWY_NAMESPACE {

template <int Bits>
class QuantizedRows {
 public:
  explicit QuantizedRows(const QuantizedMatrix& w) : w_(w) {}

  int64_t rows() const { return w_.rows; }
  int bias_group() const { return 32; }  // the bias of a larger group counts once for each run

  HWY_INLINE void unpack(int64_t row, int64_t at, int64_t count, int64_t column, int16_t* levels,
                         Panel& panel) const {
    const hn::CappedTag<int16_t, 16> d16;
    const hn::Rebind<uint8_t, decltype(d16)> d8;
    HWY_ALIGN uint8_t small[panel_depth];
    unpack_levels<Bits>(quantized_row(w_, row) + at * Bits / 8, count, small);
    for (int64_t i = 0; i < count; i += static_cast<int64_t>(hn::Lanes(d16))) {
      hn::StoreU(hn::PromoteTo(d16, hn::LoadU(d8, small + i)), d16, levels + i);
    }
    for (int64_t run = 0; run < count / 32; ++run) {
      const int64_t group = row * w_.row_groups() + (at + run * 32) / w_.group;
      panel.scales[run * panel_columns + column] = float_at(w_.scales, w_.dtype, group);
      panel.biases[run * panel_columns + column] = float_at(w_.biases, w_.dtype, group);
    }
  }

 private:
  const QuantizedMatrix& w_;
};

void row_panel(const QuantizedMatmul& p, const ActivationTiles& x, int64_t tile_first,
               int64_t tile_last, int64_t first, Scratch& scratch) {
  const PanelOut out = {p.out, p.out_dtype, p.out_row_stride, p.n()};
  with_bits(p.w.bits, [&](auto bits) HWY_ATTR {
    const QuantizedRows<decltype(bits)::value> w(p.w);
    panel_product(w, x, p.k(), tile_first, tile_last, first, out, scratch);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu::packed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::cpu::packed {

HWY_EXPORT(row_panel);

void quantized_panel(const QuantizedMatmul& product, const ActivationTiles& x, int64_t tile_first,
                     int64_t tile_last, int64_t first) {
  thread_local Scratch scratch;
  HWY_DYNAMIC_DISPATCH(row_panel)(product, x, tile_first, tile_last, first, scratch);
}

}  // namespace lazuli::cpu::packed
#endif  // HWY_ONCE
