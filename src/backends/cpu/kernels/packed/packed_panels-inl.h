// Products of integer panels, for quantised weights.
//
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
// Floor: 16 pair products and 3 operations of scaling for each 32 columns and vector, so 84 % of
// the peak of int16 pair products (half that of bytes).

#if defined(LAZULI_PACKED_PANELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LAZULI_PACKED_PANELS_INL_H_
#undef LAZULI_PACKED_PANELS_INL_H_
#else
#define LAZULI_PACKED_PANELS_INL_H_
#endif

#include <cstring>

#include "backends/cpu/kernels/packed/packed_activations.h"
#include "backends/cpu/kernels/packed/packed_floats-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::packed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Sums = hn::CappedTag<float, 16>;
using Ints = hn::RebindToSigned<Sums>;
using Pairs = hn::Repartition<int16_t, Ints>;

constexpr int64_t panel_lanes = static_cast<int64_t>(hn::MaxLanes(Sums()));
constexpr int64_t panel_columns = 2 * panel_lanes;
constexpr int64_t panel_depth = 256;  // panel_columns of w in a panel
// 12 x 2 sums, two vectors of w and one of x fit 32 registers; 4 x 2 fit 16.
constexpr int tile_rows_max = panel_lanes == 16 ? 12 : 4;

// A piece of w, unpacked.
struct Panel {
  HWY_ALIGN int16_t levels[panel_depth / 2 * panel_columns * 2];
  HWY_ALIGN float scales[panel_depth / 32 * panel_columns];
  HWY_ALIGN float biases[panel_depth / 16 * panel_columns];
};

// Four pairs of columns of the rows 0, 4, 8, ... from `row` on, one 128-bit block each.
template <int Block>
HWY_INLINE hn::Vec<Ints> load_blocks(const int16_t* row, hn::Vec<Ints> blocks) {
  if constexpr (Block < panel_lanes / 4) {
    const hn::FixedTag<int32_t, 4> d128;
    const auto block =
        hn::BitCast(d128, hn::LoadU(hn::FixedTag<int16_t, 8>(), row + Block * 4 * panel_depth));
    return load_blocks<Block + 1>(row, hn::InsertBlock<Block>(blocks, block));
  } else {
    return blocks;
  }
}

// `lanes` rows of levels, [lanes, depth], to as many columns of the panel from `column` on.
HWY_INLINE void interleave_rows(const int16_t* rows, int64_t count, int64_t column,
                                int16_t* panel_levels) {
  const Ints d;
  const hn::Repartition<int64_t, Ints> d64;
  for (int64_t pair = 0; pair < count / 2; pair += 4) {
    const auto zero = hn::Zero(d);
    const auto a = load_blocks<0>(rows + 2 * pair, zero);
    const auto b = load_blocks<0>(rows + 2 * pair + panel_depth, zero);
    const auto c = load_blocks<0>(rows + 2 * pair + 2 * panel_depth, zero);
    const auto e = load_blocks<0>(rows + 2 * pair + 3 * panel_depth, zero);
    const auto ab0 = hn::BitCast(d64, hn::InterleaveLower(d, a, b));
    const auto ab1 = hn::BitCast(d64, hn::InterleaveUpper(d, a, b));
    const auto ce0 = hn::BitCast(d64, hn::InterleaveLower(d, c, e));
    const auto ce1 = hn::BitCast(d64, hn::InterleaveUpper(d, c, e));
    auto* to = reinterpret_cast<int64_t*>(panel_levels + (pair * panel_columns + column) * 2);
    hn::Store(hn::InterleaveLower(d64, ab0, ce0), d64, to);
    hn::Store(hn::InterleaveUpper(d64, ab0, ce0), d64, to + panel_columns / 2);
    hn::Store(hn::InterleaveLower(d64, ab1, ce1), d64, to + panel_columns);
    hn::Store(hn::InterleaveUpper(d64, ab1, ce1), d64, to + 3 * panel_columns / 2);
  }
}

// Columns [at, at + count) of the rows of w from `first` on; rows that do not exist become zeros.
template <class W>
HWY_INLINE void unpack_panel(const W& w, int64_t first, int64_t at, int64_t count, Panel& panel) {
  HWY_ALIGN int16_t levels[panel_lanes * panel_depth];
  const int64_t rows = w.rows() - first;
  if (rows < panel_columns) {
    std::memset(panel.scales, 0, sizeof panel.scales);
    std::memset(panel.biases, 0, sizeof panel.biases);
  }
  for (int64_t column = 0; column < panel_columns; column += panel_lanes) {
    for (int64_t r = 0; r < panel_lanes; ++r) {
      int16_t* row = levels + r * panel_depth;
      if (column + r < rows) {
        w.unpack(first + column + r, at, count, column + r, row, panel);
      } else {
        std::memset(row, 0, panel_depth * sizeof(int16_t));
      }
    }
    interleave_rows(levels, count, column, panel.levels);
  }
}

HWY_INLINE hn::Vec<Ints> add_pair_products(hn::Vec<Ints> sum, hn::Vec<Pairs> a, hn::Vec<Pairs> b) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
  // One instruction. Written out, because GCC 12 copies and spills the accumulators of its
  // intrinsic.
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
    hn::Store(hn::MulAdd(value1, scale, hn::Load(d, sums + panel_lanes)), d, sums + panel_lanes);
    add_scaled<R - 1>(tile.rest, scale0, scale1, x_scales + 1, sums + panel_columns);
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
      add_pairs<R>(tile, hn::Load(d16, w), hn::Load(d16, w + 2 * panel_lanes), x);
      w += 2 * panel_columns;
      x += 2 * R;
    }
    add_scaled<R>(tile, hn::Load(d, panel.scales + run * panel_columns),
                  hn::Load(d, panel.scales + run * panel_columns + panel_lanes), x_scales + run * R,
                  sums);
  }
}

template <int R>
HWY_INLINE void set_zero(FloatTile<R>& tile) {
  if constexpr (R > 0) {
    tile.left = tile.right = hn::Zero(Sums());
    set_zero<R - 1>(tile.rest);
  }
}

// sums += tile.
template <int R>
HWY_INLINE void add_sums(const FloatTile<R>& tile, float* sums) {
  if constexpr (R > 0) {
    const Sums d;
    hn::Store(hn::Add(tile.left, hn::Load(d, sums)), d, sums);
    hn::Store(hn::Add(tile.right, hn::Load(d, sums + panel_lanes)), d, sums + panel_lanes);
    add_sums<R - 1>(tile.rest, sums + panel_columns);
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

// sums[R][columns] += x [depth][R] * w [depth][columns], in floats.
template <int R>
HWY_INLINE void add_float_tile(const float* x, int64_t depth, const float* w, float* sums) {
  const Sums d;
  FloatTile<R> tile;
  set_zero<R>(tile);
  for (int64_t i = 0; i < depth; ++i) {
    add_products<R>(tile, hn::Load(d, w + i * panel_columns),
                    hn::Load(d, w + i * panel_columns + panel_lanes), x + i * R);
  }
  add_sums<R>(tile, sums);
}

// One tile times one piece of a panel, that starts at column `at` of w.
template <int R>
void add_piece(const ActivationTiles& x, int64_t tile, int64_t at, int64_t count, int bias_group,
               const Panel& panel, float* sums) {
  const int64_t runs = tile * R * x.runs();
  add_tile<R>(x.levels + tile * R * x.stride + at * R, x.scales + runs + at / 32 * R, count / 32,
              panel, sums);
  if (bias_group == 32) {
    add_float_tile<R>(x.sums32 + runs + at / 32 * R, count / 32, panel.biases, sums);
  } else if (bias_group == 16) {
    add_float_tile<R>(x.sums16 + 2 * runs + at / 16 * R, count / 16, panel.biases, sums);
  }
}

using AddPiece = void (*)(const ActivationTiles&, int64_t, int64_t, int64_t, int, const Panel&,
                          float*);

inline AddPiece add_piece_of(int64_t tile_rows) {
  if constexpr (tile_rows_max == 12) {
    if (tile_rows == 12) return add_piece<12>;
    if (tile_rows == 8) return add_piece<8>;
  }
  return tile_rows == 4 ? add_piece<4> : nullptr;
}

// Where the results go: [.., columns], rows `stride` elements apart.
struct PanelOut {
  void* data;
  Dtype dtype;
  int64_t stride;
  int64_t columns;
};

// Rows [row_first, row_last) of sums to columns first... of `out`.
inline void store_sums(const PanelOut& out, int64_t row_first, int64_t row_last, int64_t first,
                       const float* sums) {
  const Sums d;
  const auto count = static_cast<size_t>(HWY_MIN(panel_columns, out.columns - first));
  with_float(out.dtype, [&](auto t) HWY_ATTR {
    using T = decltype(t);
    for (int64_t row = row_first; row < row_last; ++row, sums += panel_columns) {
      T* to = static_cast<T*>(out.data) + row * out.stride + first;
      for (size_t i = 0; i < count; i += panel_lanes) {
        const auto values = hn::Load(d, sums + i);
        if (count - i >= panel_lanes) {
          store_floats(d, values, to + i);
        } else {
          store_floats(d, values, to + i, count - i);
        }
      }
    }
  });
}

// Columns first... of `out` (rows of w), as many as a panel has, for the tiles [tile_first,
// tile_last) of x, which has k columns.
//
// W gives rows(), bias_group() (elements of a row under one bias: 32 or 16; 0 if there are none)
// and unpack(row, at, count, column, levels, panel): the levels of columns [at, at + count) of a
// row, and its scales per 32 and biases per bias_group() to column `column` of the panel.
template <class W>
void panel_product(const W& w, const ActivationTiles& x, int64_t k, int64_t tile_first,
                   int64_t tile_last, int64_t first, const PanelOut& out, Scratch& scratch) {
  const int64_t tile_size = x.tile * panel_columns, size = (tile_last - tile_first) * tile_size;
  scratch.start(Scratch::bytes<Panel>(1) + Scratch::bytes<float>(size));
  Panel& panel = *scratch.take<Panel>(1);
  float* all_sums = scratch.take<float>(size);
  const AddPiece add = add_piece_of(x.tile);
  for (int64_t at = 0; at < k; at += panel_depth) {
    const int64_t count = HWY_MIN(panel_depth, k - at);
    unpack_panel(w, first, at, count, panel);
    float* sums = all_sums;
    for (int64_t tile = tile_first; tile < tile_last; ++tile, sums += tile_size) {
      if (at == 0) std::memset(sums, 0, static_cast<size_t>(tile_size) * sizeof(float));
      add(x, tile, at, count, w.bias_group(), panel, sums);
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

#endif  // LAZULI_PACKED_PANELS_INL_H_
