// Many rows of x times panels of packed weights, summed in integers over 128 columns.
//
// Shapes: x in tiles of R rows (LevelTiles), w in panels of N rows (N = two vectors of int32),
// 256 columns at a time. Whatever its format, a row of w becomes int16 levels |w| <= 2047 of one
// scale for each 128 columns; pairs of columns lie beside each other: [128, N, 2], 16 KiB in L1.
// A tile product adds R x N products of pairs in int32 registers over 128 columns, then scales
// them into float sums.
//
// No overflow: 128 * 8191 * 2047 < 2^31. The error is about 3e-4 of the result's typical size,
// most of it the rounding of w.
//
// Floor: 64 pair products and 3 operations of scaling for each 128 columns and vector, so 95 % of
// the peak of int16 pair products. Reached on 2 cores of a Zen 4 server: 97 % of that peak within a
// panel, 85 % (400 of 470 GFLOP/s) with unpacking and storing for 512 rows.

#if defined(LAZULI_PACKED_LEVELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LAZULI_PACKED_LEVELS_INL_H_
#undef LAZULI_PACKED_LEVELS_INL_H_
#else
#define LAZULI_PACKED_LEVELS_INL_H_
#endif

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "backends/cpu/kernels/packed/packed_activations.h"
#include "backends/cpu/kernels/packed/packed_formats-inl.h"
#include "backends/cpu/kernels/packed/packed_panels-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::packed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t level_group = LevelTiles::group;
constexpr int weight_level_max = 2047;

// A piece of w, unpacked.
struct LevelPanel {
  HWY_ALIGN int16_t levels[panel_depth / 2 * panel_columns * 2];
  HWY_ALIGN float scales[panel_depth / level_group * panel_columns];
};

// The weights of a row as its blocks give them: small integers, scales and biases of groups.
template <class F>
struct BlockStretch {
  HWY_ALIGN int8_t levels[panel_depth];
  float scales[panel_depth / F::group];
  float biases[panel_depth / F::group];

  HWY_INLINE BlockStretch(const uint8_t* p, int64_t count) {
    constexpr int groups = F::elements / F::group;
    for (int64_t block = 0; block < count / F::elements; ++block, p += F::bytes) {
      F::levels(p, levels + block * F::elements);
      block_scales<F>(p, scales + block * groups, biases + block * groups);
    }
  }

  HWY_INLINE float bias(int64_t g) const { return F::biased ? biases[g] : 0.0f; }

  // A bound of the weights of groups [first, last); NaN if a scale is not finite.
  HWY_INLINE float bound(int64_t first, int64_t last) const {
    float most = 0, sum = 0;
    for (int64_t g = first; g < last; ++g) {
      const float low = std::abs(bias(g) + scales[g] * F::lowest);
      const float high = std::abs(bias(g) + scales[g] * F::highest);
      most = HWY_MAX(most, HWY_MAX(low, high));
      sum += low + high;
    }
    return sum < std::numeric_limits<float>::infinity() ? most
                                                        : std::numeric_limits<float>::quiet_NaN();
  }
};

// Columns of one row to int16; the scale of each 128 to column `column` of the panel.
//
// A level becomes level * 2^shift and meets its group's share of the panel's scale as a fixed-point
// number of 15 bits: both fit int16 for every group within the bound.
template <class F>
HWY_INLINE void level_row(const uint8_t* p, int64_t count, int64_t column, int16_t* out,
                          LevelPanel& panel) {
  constexpr int top = F::biased ? F::highest + 1 : -F::lowest;  // a power of two
  constexpr int shift = (F::biased ? 13 : 11) - std::countr_zero(static_cast<unsigned>(top));
  constexpr float unit = static_cast<float>(1 << (15 - shift));
  const hn::CappedTag<int16_t, F::group> d16;
  const hn::Rebind<int8_t, decltype(d16)> d8;
  const BlockStretch<F> w(p, count);
  for (int64_t at = 0; at < count; at += level_group) {
    const int64_t end = HWY_MIN(at + level_group, count);
    const float bound = w.bound(at / F::group, end / F::group);
    const float inverse = bound >= 0x1p-100f ? weight_level_max / bound : 0.0f;
    // A bound that is NaN leaves levels of zero and sums that are NaN.
    panel.scales[at / level_group * panel_columns + column] =
        inverse == 0 && bound == bound ? 0.0f : bound / weight_level_max;
    for (int64_t g = at / F::group; g < end / F::group; ++g) {
      const float share = inverse == 0 ? 0.0f : w.scales[g] * inverse * unit;
      const float offset = inverse == 0 ? 0.0f : w.bias(g) * inverse;
      const auto scale = hn::Set(d16, static_cast<int16_t>(std::lrintf(share)));
      const auto bias = hn::Set(d16, static_cast<int16_t>(std::lrintf(offset)));
      for (int64_t i = g * F::group; i < (g + 1) * F::group;
           i += static_cast<int64_t>(hn::Lanes(d16))) {
        const auto small = hn::PromoteTo(d16, hn::LoadU(d8, w.levels + i));
        auto level = hn::MulFixedPoint15(hn::ShiftLeft<shift>(small), scale);
        if constexpr (F::biased) level = hn::Add(level, bias);
        hn::StoreU(level, d16, out + i);
      }
    }
  }
}

// Columns [at, at + count) of the rows of w from `first` on; rows that do not exist become zeros.
template <class F>
HWY_INLINE void level_panel(const uint8_t* w, int64_t row_bytes, int64_t rows, int64_t at,
                            int64_t count, LevelPanel& panel) {
  HWY_ALIGN int16_t levels[panel_lanes * panel_depth];
  if (rows < panel_columns) std::memset(panel.scales, 0, sizeof panel.scales);
  for (int64_t column = 0; column < panel_columns; column += panel_lanes) {
    for (int64_t r = 0; r < panel_lanes; ++r) {
      int16_t* row = levels + r * panel_depth;
      if (column + r < rows) {
        const uint8_t* p = w + (column + r) * row_bytes + at / F::elements * F::bytes;
        level_row<F>(p, count, column + r, row, panel);
      } else {
        std::memset(row, 0, panel_depth * sizeof(int16_t));
      }
    }
    interleave_rows(levels, count, column, panel.levels);
  }
}

// sums[R][columns] += x tile * panel over `count` columns from `at` on.
template <int R>
void add_level_piece(const LevelTiles& t, int64_t tile, int64_t at, int64_t count,
                     const LevelPanel& panel, float* sums) {
  const Sums d;
  const Pairs d16;
  const int16_t* x = t.at(tile, at);
  const float* x_scales = t.scales + (tile * t.groups() + at / level_group) * R;
  const int16_t* w = panel.levels;
  const float* w_scales = panel.scales;
  for (int64_t left = count; left > 0; left -= level_group) {
    IntTile<R> products;
    set_zero<R>(products);
    for (int64_t pair = HWY_MIN(left, level_group) / 2; pair > 0; --pair) {
      add_pairs<R>(products, hn::Load(d16, w), hn::Load(d16, w + 2 * panel_lanes), x);
      w += 2 * panel_columns;
      x += 2 * R;
    }
    add_scaled<R>(products, hn::Load(d, w_scales), hn::Load(d, w_scales + panel_lanes), x_scales,
                  sums);
    x_scales += R;
    w_scales += panel_columns;
  }
}

using AddLevelPiece = void (*)(const LevelTiles&, int64_t, int64_t, int64_t, const LevelPanel&,
                               float*);

inline AddLevelPiece add_level_piece_of(int64_t tile_rows) {
  if constexpr (tile_rows_max == 12) {
    if (tile_rows == 12) return add_level_piece<12>;
    if (tile_rows == 8) return add_level_piece<8>;
  }
  return tile_rows == 4 ? add_level_piece<4> : nullptr;
}

// Columns first... of `out` (rows of w, k columns each), as many as a panel has, for the tiles
// [tile_first, tile_last) of x.
template <class F>
void level_panel_product(const uint8_t* w, int64_t k, const LevelTiles& x, int64_t tile_first,
                         int64_t tile_last, int64_t first, const PanelOut& out, Scratch& scratch) {
  const int64_t tile_size = x.tile * panel_columns, size = (tile_last - tile_first) * tile_size;
  scratch.start(Scratch::bytes<LevelPanel>(1) + Scratch::bytes<float>(size));
  LevelPanel& panel = *scratch.take<LevelPanel>(1);
  float* all_sums = scratch.take<float>(size);
  const AddLevelPiece add = add_level_piece_of(x.tile);
  const int64_t row_bytes = k / F::elements * F::bytes;
  for (int64_t at = 0; at < k; at += panel_depth) {
    const int64_t count = HWY_MIN(panel_depth, k - at);
    level_panel<F>(w + first * row_bytes, row_bytes, out.columns - first, at, count, panel);
    float* sums = all_sums;
    for (int64_t tile = tile_first; tile < tile_last; ++tile, sums += tile_size) {
      if (at == 0) std::memset(sums, 0, static_cast<size_t>(tile_size) * sizeof(float));
      add(x, tile, at, count, panel, sums);
      // Tile by tile, so that the memory has time to take them.
      if (at + count == k) {
        const int64_t row = tile * x.tile;
        store_sums(out, row, HWY_MIN(row + x.tile, x.rows), first, sums);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu::packed
HWY_AFTER_NAMESPACE();

#endif  // LAZULI_PACKED_LEVELS_INL_H_
