// x @ w with quantised w [k, n] whose groups lie along n, so that scales change with each step of
// k: float products with dequantised weights.
//
// Few rows of x: a stretch of columns keeps its float sums in L1; four rows of w at a time are
// added to them. Many rows: 64 rows x N columns (two vectors) of w are dequantised to L1 and meet
// tiles of R rows of x, R x N sums in registers.
//
// Weights are rounded as `dequantize` rounds them, because scale * level and bias may cancel, and
// the sums of some rows of w are made before they are added to the others, because one of them may
// be large.
//
// Floor: the bytes of w (few rows; here 5 vector operations for 16 weights), the peak of float
// multiply-adds (many rows).
#include <algorithm>
#include <cstring>

#include "backends/cpu/kernels/packed/packed_schedule.h"
#include "backends/cpu/kernels/quantized/quantized_products.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/quantized/quantized_columns.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "backends/cpu/kernels/packed/packed_panels-inl.h"
#include "backends/cpu/kernels/quantized/quantized_levels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::packed {
namespace HWY_NAMESPACE {

constexpr int64_t groups_per_call = columns_per_call / 32;

using Levels = hn::Rebind<uint8_t, Sums>;

HWY_INLINE hn::Vec<Sums> level_floats(const uint8_t* levels) {
  return hn::ConvertTo(Sums(), hn::PromoteTo(Ints(), hn::LoadU(Levels(), levels)));
}

// Some rows of w in a stretch of columns, unpacked.
constexpr int64_t rows_together = 4;
struct RowStretch {
  const uint8_t* levels[rows_together];
  float scales[rows_together][groups_per_call + floats_room];
  float biases[rows_together][groups_per_call + floats_room];
  HWY_ALIGN uint8_t unpacked[rows_together][columns_per_call];
};

// Weights [i, i + lanes) of row r.
HWY_INLINE hn::Vec<Sums> weights_at(const RowStretch& rows, int64_t r, int64_t group, int64_t i) {
  const Sums d;
  const auto level = level_floats(rows.levels[r] + i);
  return hn::Add(hn::Mul(hn::Set(d, rows.scales[r][group]), level),
                 hn::Set(d, rows.biases[r][group]));
}

// sums[m * columns_per_call + i] += x[m][r] * weight i of row r, for one group of the rows.
template <int M>
HWY_INLINE void add_group(const RowStretch& rows, int64_t group, int64_t count,
                          const float (&x)[M][rows_together], float* sums) {
  const Sums d;
  for (int64_t i = group * count; i < (group + 1) * count; i += panel_lanes) {
    const auto w0 = weights_at(rows, 0, group, i), w1 = weights_at(rows, 1, group, i);
    const auto w2 = weights_at(rows, 2, group, i), w3 = weights_at(rows, 3, group, i);
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
      float* to = sums + m * columns_per_call + i;
      auto sum = hn::MulAdd(w0, hn::Set(d, x[m][0]), hn::Load(d, to));
      sum = hn::MulAdd(w1, hn::Set(d, x[m][1]), sum);
      sum = hn::MulAdd(w2, hn::Set(d, x[m][2]), sum);
      hn::Store(hn::MulAdd(w3, hn::Set(d, x[m][3]), sum), d, to);
    }
  }
}

// The columns of w that one call works on.
struct ColumnRange {
  int64_t first, count;
  int64_t group_first, groups, row_groups;
};

// Rows [row, row + count) of w; those that do not exist count as zeros.
template <int Bits>
HWY_INLINE void read_rows(const QuantizedMatrix& w, int64_t row, int64_t count,
                          const ColumnRange& range, RowStretch& rows) {
  const int64_t ahead = 2 * rows_together * w.row_words() * 4;
  for (int64_t r = 0; r < rows_together; ++r) {
    rows.levels[r] = rows.unpacked[r];
    if (r >= count) {
      std::memset(rows.unpacked[r], 0, static_cast<size_t>(range.count));
      std::memset(rows.scales[r], 0, sizeof rows.scales[r]);
      std::memset(rows.biases[r], 0, sizeof rows.biases[r]);
      continue;
    }
    const uint8_t* packed = quantized_row(w, row + r) + range.first * Bits / 8;
    for (int64_t line = 0; line < range.count * Bits / 8; line += 64) {
      __builtin_prefetch(packed + ahead + line);
    }
    if constexpr (Bits == 8) {
      rows.levels[r] = packed;
    } else {
      unpack_levels<Bits>(packed, range.count, rows.unpacked[r]);
    }
    const int64_t at = (row + r) * range.row_groups + range.group_first;
    floats_at(w.scales, w.dtype, at, range.groups, rows.scales[r]);
    floats_at(w.biases, w.dtype, at, range.groups, rows.biases[r]);
  }
}

constexpr int64_t sum_depth = 64;  // rows of w whose sum is made by itself

// Adds the rows [row_first, row_last) of w.
template <int Bits, int M>
void add_columns(const QuantizedMatmul& p, const float* x, const ColumnRange& range,
                 int64_t row_first, int64_t row_last, float* sums) {
  RowStretch rows;
  for (int64_t row = row_first; row < row_last; row += rows_together) {
    const int64_t count = HWY_MIN(row_last - row, rows_together);
    read_rows<Bits>(p.w, row, count, range, rows);
    float x_rows[M][rows_together] = {};
    for (int m = 0; m < M; ++m) {
      for (int64_t r = 0; r < count; ++r) x_rows[m][r] = x[m * p.k() + row + r];
    }
    for (int64_t g = 0; g < range.groups; ++g) add_group<M>(rows, g, p.w.group, x_rows, sums);
  }
}

template <int Bits>
void add_columns_of(const QuantizedMatmul& p, const float* x, const ColumnRange& range,
                    int64_t row_first, int64_t row_last, float* sums) {
  switch (p.m) {
    case 1: return add_columns<Bits, 1>(p, x, range, row_first, row_last, sums);
    case 2: return add_columns<Bits, 2>(p, x, range, row_first, row_last, sums);
    case 3: return add_columns<Bits, 3>(p, x, range, row_first, row_last, sums);
    default: return add_columns<Bits, 4>(p, x, range, row_first, row_last, sums);
  }
}

void few_columns(const QuantizedMatmul& p, const float* x, int64_t first, int64_t last) {
  const ColumnRange range = {first, last - first, first / p.w.group, (last - first) / p.w.group,
                             p.w.row_groups()};
  const Sums d;
  HWY_ALIGN float totals[row_product_rows_max * columns_per_call] = {};
  HWY_ALIGN float sums[row_product_rows_max * columns_per_call];
  for (int64_t row = 0; row < p.k(); row += sum_depth) {
    std::memset(sums, 0, static_cast<size_t>(p.m * columns_per_call) * sizeof(float));
    with_bits(p.w.bits, [&](auto bits) HWY_ATTR {
      add_columns_of<decltype(bits)::value>(p, x, range, row, HWY_MIN(p.k(), row + sum_depth),
                                            sums);
    });
    for (int64_t i = 0; i < p.m * columns_per_call; i += panel_lanes) {
      hn::Store(hn::Add(hn::Load(d, totals + i), hn::Load(d, sums + i)), d, totals + i);
    }
  }
  with_float(p.out_dtype, [&](auto t) HWY_ATTR {
    using T = decltype(t);
    for (int64_t m = 0; m < p.m; ++m) {
      T* out = static_cast<T*>(p.out) + m * p.out_row_stride + first;
      for (int64_t i = 0; i < range.count; i += panel_lanes) {
        store_floats(d, hn::Load(d, totals + m * columns_per_call + i), out + i);
      }
    }
  });
}

constexpr int64_t piece_depth = 64;  // rows of w in L1 at a time

// Rows [at, at + count) of w, columns [first, first + panel_columns), as floats. Levels come in
// runs of 32, of which a panel may be a part.
template <int Bits>
HWY_INLINE void dequantize_piece(const QuantizedMatrix& w, int64_t at, int64_t count, int64_t first,
                                 float* out) {
  static_assert(panel_columns <= 32 && 32 % panel_columns == 0);
  const Sums d;
  HWY_ALIGN uint8_t run[32];
  const int64_t run_first = first / 32 * 32;
  const uint8_t* levels = run + (first - run_first);
  for (int64_t row = at; row < at + count; ++row, out += panel_columns) {
    unpack_levels<Bits>(quantized_row(w, row) + run_first * Bits / 8, 32, run);
    const int64_t group = row * w.row_groups() + first / w.group;
    const auto scale = hn::Set(d, float_at(w.scales, w.dtype, group));
    const auto bias = hn::Set(d, float_at(w.biases, w.dtype, group));
    for (int64_t i = 0; i < panel_columns; i += panel_lanes) {
      hn::Store(hn::Add(hn::Mul(scale, level_floats(levels + i)), bias), d, out + i);
    }
  }
}

template <int Bits>
void column_panel_of(const QuantizedMatmul& p, const float* tiles, int64_t tile_first,
                     int64_t tile_last, int64_t first, Scratch& scratch) {
  constexpr int64_t tile_size = tile_rows_max * panel_columns;
  const int64_t k = p.k(), size = (tile_last - tile_first) * tile_size;
  scratch.start(Scratch::bytes<float>(piece_depth * panel_columns) + Scratch::bytes<float>(size));
  float* piece = scratch.take<float>(piece_depth * panel_columns);
  float* all_sums = scratch.take<float>(size);
  std::memset(all_sums, 0, static_cast<size_t>(size) * sizeof(float));
  for (int64_t at = 0; at < k; at += piece_depth) {
    const int64_t count = HWY_MIN(piece_depth, k - at);
    dequantize_piece<Bits>(p.w, at, count, first, piece);
    for (int64_t tile = tile_first; tile < tile_last; ++tile) {
      const float* x = tiles + (tile * k + at) * tile_rows_max;
      add_float_tile<tile_rows_max>(x, count, piece, all_sums + (tile - tile_first) * tile_size);
    }
  }
  const PanelOut out = {p.out, p.out_dtype, p.out_row_stride, p.n()};
  store_sums(out, tile_first * tile_rows_max, HWY_MIN(tile_last * tile_rows_max, p.m), first,
             all_sums);
}

void column_panel(const QuantizedMatmul& p, const float* tiles, int64_t tile_first,
                  int64_t tile_last, int64_t first, Scratch& scratch) {
  with_bits(p.w.bits, [&](auto bits) HWY_ATTR {
    column_panel_of<decltype(bits)::value>(p, tiles, tile_first, tile_last, first, scratch);
  });
}

void float_tile(const QuantizedMatmul& p, int64_t index, float* tiles) {
  const int64_t k = p.k(), row_first = index * tile_rows_max;
  float* to = tiles + index * k * tile_rows_max;
  with_float(p.x_dtype, [&](auto t) HWY_ATTR {
    for (int64_t r = 0; r < tile_rows_max; ++r) {
      const bool exists = row_first + r < p.m;
      const auto* x = static_cast<const decltype(t)*>(p.x) + (row_first + r) * p.x_row_stride;
      for (int64_t i = 0; i < k; ++i) {
        to[i * tile_rows_max + r] = exists ? static_cast<float>(x[i]) : 0.0f;
      }
    }
  });
}

// `to` has room for floats_room more.
void float_rows(const QuantizedMatmul& p, float* to) {
  for (int64_t row = 0; row < p.m; ++row) {
    floats_at(p.x, p.x_dtype, row * p.x_row_stride, p.k(), to + row * p.k());
  }
}

int64_t best_tile_rows() { return tile_rows_max; }

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu::packed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::cpu::packed {

HWY_EXPORT(few_columns);
HWY_EXPORT(column_panel);
HWY_EXPORT(float_tile);
HWY_EXPORT(float_rows);
HWY_EXPORT(best_tile_rows);

void quantized_columns(const QuantizedMatmul& product, const float* x, int64_t first,
                       int64_t last) {
  HWY_DYNAMIC_DISPATCH(few_columns)(product, x, first, last);
}

void copy_floats(const QuantizedMatmul& product, float* x) {
  HWY_DYNAMIC_DISPATCH(float_rows)(product, x);
}

int64_t float_tile_rows() { return HWY_DYNAMIC_DISPATCH(best_tile_rows)(); }

void fill_float_tile(const QuantizedMatmul& product, int64_t index, float* tiles) {
  HWY_DYNAMIC_DISPATCH(float_tile)(product, index, tiles);
}

void quantized_column_panel(const QuantizedMatmul& product, const float* tiles, int64_t tile_first,
                            int64_t tile_last, int64_t first) {
  thread_local Scratch scratch;
  HWY_DYNAMIC_DISPATCH(column_panel)(product, tiles, tile_first, tile_last, first, scratch);
}

}  // namespace lazuli::cpu::packed
#endif  // HWY_ONCE
