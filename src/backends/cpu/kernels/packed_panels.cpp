// Shapes: x in tiles of R rows (packed_activations.h), w in panels of N rows (N = two vectors of
// int32), 256 columns at a time.
//
// A panel's integers become int16 (times the sub-block's integer scale, where there is one) with
// pairs of columns beside each other: [128, N, 2], 16 KiB in L1. A tile product adds R x N products
// of pairs in int32 registers over runs of 32 columns, then scales them into float sums in L1:
// sum += float(products) * scale of w[N] * scale of x[R]. Biases are products of their own with the
// sums of x.
//
// No overflow: |x| <= 16256, |w| <= 4096 (Q6_K: 128 * 32), 32 * 16256 * 4096 < 2^31.
//
// Floor: 16 pair products and 3 operations of scaling for each 32 columns and vector, so 84 % of the
// peak of int16 pair products (half that of bytes).
#include "backends/cpu/kernels/packed_panels.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/packed_panels.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "backends/cpu/kernels/packed_floats-inl.h"
#include "backends/cpu/kernels/packed_formats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu {
namespace HWY_NAMESPACE {

using Sums = hn::CappedTag<float, 16>;
using Ints = hn::RebindToSigned<Sums>;
using Pairs = hn::Repartition<int16_t, Ints>;

constexpr int64_t lanes = static_cast<int64_t>(hn::MaxLanes(Sums()));
constexpr int64_t columns = 2 * lanes;
constexpr int64_t depth = 256;  // columns of w in a panel
// 12 x 2 sums, two vectors of w and one of x fit 32 registers; 4 x 2 fit 16.
constexpr int tile_rows_max = lanes == 16 ? 12 : 4;

// A piece of w, unpacked.
struct Panel {
  HWY_ALIGN int16_t levels[depth / 2 * columns * 2];
  HWY_ALIGN float scales[depth / 32 * columns];
  HWY_ALIGN float biases[depth / 16 * columns];
};

// The levels of up to `depth` columns of one row as int16, times their sub-block's integer scale;
// scales and biases go to column `column` of the panel.
template <class F>
HWY_INLINE void unpack_row(const uint8_t* p, int64_t count, int64_t column, int16_t* levels,
                           Panel& panel) {
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
        panel.biases[(block * groups + g) * columns + column] = F::nested ? -(e * minima[g]) : e;
      }
    }
    for (int run = 0; run < F::elements / 32; ++run) {
      panel.scales[(block * (F::elements / 32) + run) * columns + column] = d;
    }
  }
}

// Four pairs of columns of the rows 0, 4, 8, ... from `row` on, one 128-bit block each.
template <int Block>
HWY_INLINE hn::Vec<Ints> load_blocks(const int16_t* row, hn::Vec<Ints> blocks) {
  if constexpr (Block < lanes / 4) {
    const hn::FixedTag<int32_t, 4> d128;
    const auto block = hn::BitCast(d128, hn::LoadU(hn::FixedTag<int16_t, 8>(),
                                                   row + Block * 4 * depth));
    return load_blocks<Block + 1>(row, hn::InsertBlock<Block>(blocks, block));
  } else {
    return blocks;
  }
}

// `lanes` rows of levels, [lanes, depth], to as many columns of the panel from `column` on.
HWY_INLINE void interleave_rows(const int16_t* rows, int64_t count, int64_t column, Panel& panel) {
  const Ints d;
  const hn::Repartition<int64_t, Ints> d64;
  for (int64_t pair = 0; pair < count / 2; pair += 4) {
    const auto zero = hn::Zero(d);
    const auto a = load_blocks<0>(rows + 2 * pair, zero);
    const auto b = load_blocks<0>(rows + 2 * pair + depth, zero);
    const auto c = load_blocks<0>(rows + 2 * pair + 2 * depth, zero);
    const auto e = load_blocks<0>(rows + 2 * pair + 3 * depth, zero);
    const auto ab0 = hn::BitCast(d64, hn::InterleaveLower(d, a, b));
    const auto ab1 = hn::BitCast(d64, hn::InterleaveUpper(d, a, b));
    const auto ce0 = hn::BitCast(d64, hn::InterleaveLower(d, c, e));
    const auto ce1 = hn::BitCast(d64, hn::InterleaveUpper(d, c, e));
    auto* to = reinterpret_cast<int64_t*>(panel.levels + (pair * columns + column) * 2);
    hn::Store(hn::InterleaveLower(d64, ab0, ce0), d64, to);
    hn::Store(hn::InterleaveUpper(d64, ab0, ce0), d64, to + columns / 2);
    hn::Store(hn::InterleaveLower(d64, ab1, ce1), d64, to + columns);
    hn::Store(hn::InterleaveUpper(d64, ab1, ce1), d64, to + 3 * columns / 2);
  }
}

// Columns [0, count) of `rows` rows of w at p; rows that do not exist become zeros.
template <class F>
void unpack_panel(const uint8_t* p, int64_t row_bytes, int64_t rows, int64_t count, Panel& panel) {
  HWY_ALIGN int16_t levels[lanes * depth];
  if (rows < columns) {
    std::memset(panel.scales, 0, sizeof panel.scales);
    std::memset(panel.biases, 0, sizeof panel.biases);
  }
  for (int64_t column = 0; column < columns; column += lanes) {
    for (int64_t r = 0; r < lanes; ++r) {
      int16_t* row = levels + r * depth;
      if (column + r < rows) {
        unpack_row<F>(p + (column + r) * row_bytes, count, column + r, row, panel);
      } else {
        std::memset(row, 0, depth * sizeof(int16_t));
      }
    }
    interleave_rows(levels, count, column, panel);
  }
}

HWY_INLINE hn::Vec<Ints> add_pair_products(hn::Vec<Ints> sum, hn::Vec<Pairs> a,
                                           hn::Vec<Pairs> b) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
  // One instruction. Written out, because GCC 12 copies and spills the accumulators of its intrinsic.
  asm("vpdpwssd %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
  return sum;
#else
  return hn::Add(sum, hn::WidenMulPairwiseAdd(Ints(), a, b));
#endif
}

// Two vectors for each of R rows. A list and not an array: GCC keeps arrays that loops index in
// memory, even when it unrolls the loops.
template <class V, int R>
struct TileOf {
  V left, right;
  TileOf<V, R - 1> rest;
};
template <class V>
struct TileOf<V, 0> {};

template <int R>
using IntTile = TileOf<hn::Vec<Ints>, R>;
template <int R>
using FloatTile = TileOf<hn::Vec<Sums>, R>;

template <int R>
HWY_INLINE void set_zero(IntTile<R>& tile) {
  if constexpr (R > 0) {
    tile.left = tile.right = hn::Zero(Ints());
    set_zero<R - 1>(tile.rest);
  }
}

// Adds one pair of columns; x has the pairs of the rows.
template <int R>
HWY_INLINE void add_pairs(IntTile<R>& tile, hn::Vec<Pairs> w0, hn::Vec<Pairs> w1,
                          const int16_t* x) {
  if constexpr (R > 0) {
    int32_t both;
    std::memcpy(&both, x, sizeof both);
    const auto pair = hn::BitCast(Pairs(), hn::Set(Ints(), both));
    tile.left = add_pair_products(tile.left, w0, pair);
    tile.right = add_pair_products(tile.right, w1, pair);
    add_pairs<R - 1>(tile.rest, w0, w1, x + 2);
  }
}

// sums += tile * w's scales * x's scale, row by row.
template <int R>
HWY_INLINE void add_scaled(const IntTile<R>& tile, hn::Vec<Sums> scale0, hn::Vec<Sums> scale1,
                           const float* x_scales, float* sums) {
  if constexpr (R > 0) {
    const Sums d;
    const auto scale = hn::Set(d, *x_scales);
    const auto value0 = hn::Mul(hn::ConvertTo(d, tile.left), scale0);
    const auto value1 = hn::Mul(hn::ConvertTo(d, tile.right), scale1);
    hn::Store(hn::MulAdd(value0, scale, hn::Load(d, sums)), d, sums);
    hn::Store(hn::MulAdd(value1, scale, hn::Load(d, sums + lanes)), d, sums + lanes);
    add_scaled<R - 1>(tile.rest, scale0, scale1, x_scales + 1, sums + columns);
  }
}

// sums[R][columns] += x tile * panel over `runs` runs of 32 columns.
template <int R>
HWY_INLINE void add_tile(const int16_t* x, const float* x_scales, int64_t runs, const Panel& panel,
                         float* sums) {
  const Sums d;
  const Pairs d16;
  const int16_t* w = panel.levels;
  for (int64_t run = 0; run < runs; ++run) {
    IntTile<R> tile;
    set_zero<R>(tile);
#pragma GCC unroll 2
    for (int pair = 0; pair < 16; ++pair) {
      add_pairs<R>(tile, hn::Load(d16, w), hn::Load(d16, w + 2 * lanes), x);
      w += 2 * columns;
      x += 2 * R;
    }
    add_scaled<R>(tile, hn::Load(d, panel.scales + run * columns),
                  hn::Load(d, panel.scales + run * columns + lanes), x_scales + run * R, sums);
  }
}

template <int R>
HWY_INLINE void load_tile(FloatTile<R>& tile, const float* sums) {
  if constexpr (R > 0) {
    tile.left = hn::Load(Sums(), sums);
    tile.right = hn::Load(Sums(), sums + lanes);
    load_tile<R - 1>(tile.rest, sums + columns);
  }
}

template <int R>
HWY_INLINE void store_tile(const FloatTile<R>& tile, float* sums) {
  if constexpr (R > 0) {
    hn::Store(tile.left, Sums(), sums);
    hn::Store(tile.right, Sums(), sums + lanes);
    store_tile<R - 1>(tile.rest, sums + columns);
  }
}

template <int R>
HWY_INLINE void add_products(FloatTile<R>& tile, hn::Vec<Sums> w0, hn::Vec<Sums> w1,
                             const float* x) {
  if constexpr (R > 0) {
    const auto value = hn::Set(Sums(), *x);
    tile.left = hn::MulAdd(w0, value, tile.left);
    tile.right = hn::MulAdd(w1, value, tile.right);
    add_products<R - 1>(tile.rest, w0, w1, x + 1);
  }
}

// sums[R][columns] += sums of x * biases over `groups` groups.
template <int R>
HWY_INLINE void add_biases(const float* x_sums, int64_t groups, const Panel& panel, float* sums) {
  const Sums d;
  FloatTile<R> tile;
  load_tile<R>(tile, sums);
  for (int64_t g = 0; g < groups; ++g) {
    add_products<R>(tile, hn::Load(d, panel.biases + g * columns),
                    hn::Load(d, panel.biases + g * columns + lanes), x_sums + g * R);
  }
  store_tile<R>(tile, sums);
}

// One tile times one piece of a panel, that starts at column `at` of w.
template <int R>
void add_piece(const ActivationTiles& x, int64_t tile, int64_t at, int64_t count, int bias_group,
               const Panel& panel, float* sums) {
  const int64_t runs = tile * R * x.runs();
  add_tile<R>(x.levels + tile * R * x.stride + at * R, x.scales + runs + at / 32 * R, count / 32,
              panel, sums);
  if (bias_group == 32) {
    add_biases<R>(x.sums32 + runs + at / 32 * R, count / 32, panel, sums);
  } else if (bias_group == 16) {
    add_biases<R>(x.sums16 + 2 * runs + at / 16 * R, count / 16, panel, sums);
  }
}

using AddPiece = void (*)(const ActivationTiles&, int64_t, int64_t, int64_t, int, const Panel&,
                          float*);

AddPiece add_piece_of(int64_t tile_rows) {
  if constexpr (tile_rows_max == 12) {
    if (tile_rows == 12) return add_piece<12>;
    if (tile_rows == 8) return add_piece<8>;
  }
  return tile_rows == 4 ? add_piece<4> : nullptr;
}

// Rows [row_first, row_last) of sums to columns first... of `out`.
template <class T>
void store_sums(const PackedMatmul& p, int64_t row_first, int64_t row_last, int64_t first,
                const float* sums) {
  const Sums d;
  const auto count = static_cast<size_t>(HWY_MIN(columns, p.n - first));
  for (int64_t row = row_first; row < row_last; ++row, sums += columns) {
    T* out = static_cast<T*>(p.out) + row * p.out_row_stride + first;
    for (size_t i = 0; i < count; i += lanes) {
      const auto values = hn::Load(d, sums + i);
      if (count - i >= lanes) {
        store_floats(d, values, out + i);
      } else {
        store_floats(d, values, out + i, count - i);
      }
    }
  }
}

template <class F, class T>
void panel_of(const PackedMatmul& p, const ActivationTiles& x, int64_t tile_first,
              int64_t tile_last, int64_t first, Panel& panel, float* all_sums) {
  const AddPiece add = add_piece_of(x.tile);
  const int64_t row_bytes = p.k / F::elements * F::bytes, tile_size = x.tile * columns;
  const auto* w = reinterpret_cast<const uint8_t*>(p.w) + first * row_bytes;
  for (int64_t at = 0; at < p.k; at += depth) {
    const int64_t count = HWY_MIN(depth, p.k - at);
    unpack_panel<F>(w + at / F::elements * F::bytes, row_bytes, p.n - first, count, panel);
    float* sums = all_sums;
    for (int64_t tile = tile_first; tile < tile_last; ++tile, sums += tile_size) {
      if (at == 0) std::memset(sums, 0, static_cast<size_t>(tile_size) * sizeof(float));
      add(x, tile, at, count, F::biased ? F::group : 0, panel, sums);
      // Tile by tile, so that the memory has time to take them.
      if (at + count == p.k) {
        const int64_t row = tile * x.tile;
        store_sums<T>(p, row, HWY_MIN(row + x.tile, x.rows), first, sums);
      }
    }
  }
}

void panel(const PackedMatmul& p, const ActivationTiles& x, int64_t tile_first, int64_t tile_last,
           int64_t first, Scratch& scratch) {
  const int64_t sums = (tile_last - tile_first) * x.tile * columns;
  scratch.start(Scratch::bytes<Panel>(1) + Scratch::bytes<float>(sums));
  Panel* unpacked = scratch.take<Panel>(1);
  float* all_sums = scratch.take<float>(sums);
  with_format(p.format, [&](auto f) HWY_ATTR {
    with_float(p.out_dtype, [&](auto t) HWY_ATTR {
      panel_of<decltype(f), decltype(t)>(p, x, tile_first, tile_last, first, *unpacked, all_sums);
    });
  });
}

PanelShape shape() { return {columns, tile_rows_max}; }

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::cpu {

HWY_EXPORT(panel);
HWY_EXPORT(shape);

PanelShape panel_shape() { return HWY_DYNAMIC_DISPATCH(shape)(); }

void packed_panel(const PackedMatmul& product, const ActivationTiles& x, int64_t tile_first,
                  int64_t tile_last, int64_t first) {
  thread_local Scratch scratch;
  HWY_DYNAMIC_DISPATCH(panel)(product, x, tile_first, tile_last, first, scratch);
}

}  // namespace lazuli::cpu
#endif  // HWY_ONCE
