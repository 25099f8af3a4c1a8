// Four runs of 32 at a time, so that their largest magnitudes and sums meet in one vector: the
// largest gives the scale, then the levels are rounded, to nearest even, and spread to the layout
// that the product reads.
#include "backends/cpu/kernels/packed/packed_activations.h"

#include <algorithm>
#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/packed/packed_activations.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "backends/cpu/kernels/packed/packed_floats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::packed {
namespace HWY_NAMESPACE {

constexpr int64_t runs_together = 4;

// What four runs have beside their levels. A run that is not finite has levels without meaning and
// a scale of 0.
struct Runs {
  HWY_ALIGN float scales[runs_together];
  HWY_ALIGN float half_sums[2][runs_together];  // scale * sum of the first or last 16 levels
  HWY_ALIGN int32_t finite[runs_together];
};

using Four = hn::FixedTag<float, 4>;
using FourInts = hn::RebindToSigned<Four>;

// Lane i of the result combines all lanes of vector i; `combine` is associative.
template <class D, class V, class Combine>
HWY_INLINE hn::Vec<FourInts> combine_lanes(D d, V a, V b, V c, V e, const Combine& combine) {
  const hn::Repartition<int64_t, D> d64;
  const auto wide = [&](V v) HWY_ATTR { return hn::BitCast(d64, v); };
  const auto ab = wide(combine(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b)));
  const auto ce = wide(combine(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e)));
  // Each 128-bit block has one lane for each vector now.
  auto all = combine(hn::BitCast(d, hn::InterleaveLower(d64, ab, ce)),
                     hn::BitCast(d, hn::InterleaveUpper(d64, ab, ce)));
  if constexpr (hn::MaxLanes(D()) >= 8) all = combine(all, hn::SwapAdjacentBlocks(all));
  if constexpr (hn::MaxLanes(D()) >= 16) all = combine(all, hn::ReverseBlocks(d, all));
  return hn::ResizeBitCast(FourInts(), all);
}

// The bits of the largest magnitude among 32 elements, lane by lane. As integers, so that
// infinities and NaNs count as largest.
template <class T>
HWY_INLINE auto largest_lanes(const T* x) {
  const hn::CappedTag<float, 16> d;
  const hn::RebindToSigned<decltype(d)> d32;
  auto largest = hn::Zero(d32);
  for (size_t i = 0; i < activation_run; i += hn::Lanes(d)) {
    largest = hn::Max(largest, hn::BitCast(d32, hn::Abs(load_floats(d, x + i))));
  }
  return largest;
}

// Writes the levels of a run and returns sums of them over its first and last half, lane by lane.
struct HalfSums {
  using D = hn::CappedTag<int32_t, 8>;
  hn::Vec<D> first, last;
};

template <class T>
HWY_INLINE HalfSums round_run(const T* x, float inverse, int16_t* levels) {
  const hn::CappedTag<float, 16> d;
  const hn::RebindToUnsigned<decltype(d)> d32;
  const hn::Rebind<uint16_t, decltype(d)> d16;
  // Added to 1.5 * 2^23, a float leaves its nearest integer in the low bits of the sum.
  const auto magic = hn::Set(d, 12582912.0f);
  for (size_t i = 0; i < activation_run; i += hn::Lanes(d)) {
    const auto sum = hn::MulAdd(load_floats(d, x + i), hn::Set(d, inverse), magic);
    hn::Store(hn::TruncateTo(d16, hn::BitCast(d32, sum)), d16,
              reinterpret_cast<uint16_t*>(levels + i));
  }
  const HalfSums::D d_sum;
  const hn::Repartition<int16_t, HalfSums::D> d_half;
  HalfSums sums = {hn::Zero(d_sum), hn::Zero(d_sum)};
  const auto ones = hn::Set(d_half, 1);
  for (size_t i = 0; i < 16; i += hn::Lanes(d_half)) {
    const auto first = hn::Load(d_half, levels + i), last = hn::Load(d_half, levels + 16 + i);
    sums.first = hn::Add(sums.first, hn::WidenMulPairwiseAdd(d_sum, first, ones));
    sums.last = hn::Add(sums.last, hn::WidenMulPairwiseAdd(d_sum, last, ones));
  }
  return sums;
}

// Levels go to [4, 32] at `levels`.
template <class T>
HWY_INLINE void convert_runs(const T* const (&x)[runs_together], int16_t* levels, Runs& runs) {
  const Four d;
  const FourInts d32;
  const hn::CappedTag<int32_t, 16> d_wide;
  const auto bits =
      combine_lanes(d_wide, largest_lanes(x[0]), largest_lanes(x[1]), largest_lanes(x[2]),
                    largest_lanes(x[3]), [](auto a, auto b) HWY_ATTR { return hn::Max(a, b); });
  const auto largest = hn::BitCast(d, bits);
  const auto infinity = hn::Set(d32, 0x7f800000);
  hn::Store(hn::VecFromMask(d32, hn::Lt(bits, infinity)), d32, runs.finite);
  const auto counts =
      hn::And(hn::Ge(largest, hn::Set(d, 0x1p-100f)), hn::RebindMask(d, hn::Lt(bits, infinity)));
  const auto scales =
      hn::IfThenElseZero(counts, hn::Mul(largest, hn::Set(d, 1.0f / activation_level_max)));
  HWY_ALIGN float inverse[runs_together];
  hn::Store(hn::IfThenElseZero(counts, hn::Div(hn::Set(d, activation_level_max), largest)), d,
            inverse);
  const HalfSums a = round_run(x[0], inverse[0], levels);
  const HalfSums b = round_run(x[1], inverse[1], levels + 32);
  const HalfSums c = round_run(x[2], inverse[2], levels + 64);
  const HalfSums e = round_run(x[3], inverse[3], levels + 96);
  const auto add = [](auto v, auto w) HWY_ATTR { return hn::Add(v, w); };
  const HalfSums::D d_sum;
  const auto first = combine_lanes(d_sum, a.first, b.first, c.first, e.first, add);
  const auto last = combine_lanes(d_sum, a.last, b.last, c.last, e.last, add);
  hn::Store(scales, d, runs.scales);
  hn::Store(hn::Mul(scales, hn::ConvertTo(d, first)), d, runs.half_sums[0]);
  hn::Store(hn::Mul(scales, hn::ConvertTo(d, last)), d, runs.half_sums[1]);
}

// level = 128 * high + low, with low in [-64, 63].
HWY_INLINE void split_levels(const int16_t* levels, int8_t* high, int8_t* low) {
  const hn::CappedTag<int16_t, 16> d16;
  const hn::Rebind<int8_t, decltype(d16)> d8;
  for (size_t i = 0; i < 16; i += hn::Lanes(d16)) {
    const auto level = hn::Load(d16, levels + i);
    const auto top = hn::ShiftRight<7>(hn::Add(level, hn::Set(d16, 64)));
    hn::StoreU(hn::DemoteTo(d8, top), d8, high + i);
    hn::StoreU(hn::DemoteTo(d8, hn::Sub(level, hn::ShiftLeft<7>(top))), d8, low + i);
  }
}

// The even elements of a run to out, the odd ones to out + 64.
HWY_INLINE void split_parity(const int8_t* run, int8_t* out) {
  const hn::FixedTag<int8_t, 16> d;
  const auto first = hn::LoadU(d, run), last = hn::LoadU(d, run + 16);
  hn::StoreU(hn::ConcatEven(d, last, first), d, out);
  hn::StoreU(hn::ConcatOdd(d, last, first), d, out + 64);
}

// Planes, scales and sums of the runs 4 * index to 4 * index + 3 of a row.
HWY_INLINE void place_runs(const Runs& runs, int64_t row, int64_t index, SplitOrder order,
                           const Activations& a) {
  const int64_t at = row * a.stride + index * runs_together * activation_run;
  const int64_t run = row * a.runs() + index * runs_together;
  for (int64_t j = 0; j < runs_together; ++j) {
    for (int64_t half = 0; half < 2; ++half) {
      const int64_t place = at + j * activation_run + half * 16, split = at + half * 64 + j * 16;
      split_levels(a.levels + place, a.high + place, a.low + place);
      if (order == SplitOrder::halves) {
        std::memcpy(a.high_split + split, a.high + place, 16);
        std::memcpy(a.low_split + split, a.low + place, 16);
      }
    }
    if (order == SplitOrder::parity) {
      const int64_t run_at = at + j * activation_run, split = at + j * 16;
      split_parity(a.high + run_at, a.high_split + split);
      split_parity(a.low + run_at, a.low_split + split);
    }
  }
  const Four d;
  const auto first = hn::Load(d, runs.half_sums[0]), last = hn::Load(d, runs.half_sums[1]);
  hn::StoreU(hn::Load(d, runs.scales), d, a.scales + run);
  hn::StoreU(hn::Add(first, last), d, a.sums32 + run);
  hn::StoreInterleaved2(first, last, d, a.sums16 + 2 * run);
}

template <class T>
void fill_row(const T* x, int64_t k, int64_t row, SplitOrder order, const Activations& a) {
  constexpr int64_t step = runs_together * activation_run;
  const FourInts d32;
  auto finite = hn::Set(d32, -1);
  Runs runs;
  for (int64_t at = 0; at < a.stride; at += step) {
    const T* from = x + at;
    T rest[step] = {};
    if (at + step > k) {
      if (at < k) std::memcpy(rest, from, static_cast<size_t>(k - at) * sizeof(T));
      from = rest;
    }
    convert_runs<T>({from, from + 32, from + 64, from + 96}, a.levels + row * a.stride + at, runs);
    finite = hn::And(finite, hn::Load(d32, runs.finite));
    place_runs(runs, row, at / step, order, a);
  }
  a.finite[row] = hn::AllTrue(d32, hn::Ne(finite, hn::Zero(d32)));
}

void fill_rows(const void* x, Dtype x_dtype, int64_t row_stride, int64_t k, SplitOrder order,
               const Activations& a) {
  with_float(x_dtype, [&](auto t) HWY_ATTR {
    using T = decltype(t);
    for (int64_t row = 0; row < a.rows; ++row) {
      fill_row(static_cast<const T*>(x) + row * row_stride, k, row, order, a);
    }
  });
}

// Levels of one run of four rows, to [pair, four rows of `tile`, 2].
HWY_INLINE void interleave_runs(const int16_t (&rows)[4][activation_run], int64_t tile,
                                int16_t* levels) {
  const hn::FixedTag<int16_t, 8> d16;
  const hn::FixedTag<int32_t, 4> d;
  const hn::FixedTag<int64_t, 2> d64;
  for (int pair = 0; pair < activation_run / 2; pair += 4) {
    const auto a = hn::BitCast(d, hn::Load(d16, rows[0] + 2 * pair));
    const auto b = hn::BitCast(d, hn::Load(d16, rows[1] + 2 * pair));
    const auto c = hn::BitCast(d, hn::Load(d16, rows[2] + 2 * pair));
    const auto e = hn::BitCast(d, hn::Load(d16, rows[3] + 2 * pair));
    const auto ab0 = hn::BitCast(d64, hn::InterleaveLower(d, a, b));
    const auto ab1 = hn::BitCast(d64, hn::InterleaveUpper(d, a, b));
    const auto ce0 = hn::BitCast(d64, hn::InterleaveLower(d, c, e));
    const auto ce1 = hn::BitCast(d64, hn::InterleaveUpper(d, c, e));
    auto* to = reinterpret_cast<int64_t*>(levels + pair * tile * 2);
    hn::StoreU(hn::InterleaveLower(d64, ab0, ce0), d64, to);
    hn::StoreU(hn::InterleaveUpper(d64, ab0, ce0), d64, to + tile / 2);
    hn::StoreU(hn::InterleaveLower(d64, ab1, ce1), d64, to + tile);
    hn::StoreU(hn::InterleaveUpper(d64, ab1, ce1), d64, to + 3 * tile / 2);
  }
}

// Rows r..r + 3 of tile `index`; those from `rows` on are zeros.
template <class T>
void fill_four_rows(const T* x, int64_t row_stride, int64_t rows, int64_t k, int64_t index,
                    int64_t r, const ActivationTiles& tiles) {
  const ActivationTiles t = tiles;  // a copy, which the stores below cannot change
  const Four d;
  const FourInts d32;
  auto finite = hn::Set(d32, -1);
  const T zeros[activation_run] = {};
  HWY_ALIGN int16_t levels[runs_together][activation_run];
  Runs runs;
  for (int64_t i = 0; i < k / activation_run; ++i) {
    const auto row = [&](int64_t j) HWY_ATTR {
      return j < rows ? x + j * row_stride + i * activation_run : zeros;
    };
    convert_runs<T>({row(0), row(1), row(2), row(3)}, levels[0], runs);
    finite = hn::And(finite, hn::Load(d32, runs.finite));
    const int64_t at = (index * t.runs() + i) * t.tile + r;
    const int64_t at16 = (index * t.runs() + i) * 2 * t.tile + r;
    const auto first = hn::Load(d, runs.half_sums[0]), last = hn::Load(d, runs.half_sums[1]);
    hn::StoreU(hn::Load(d, runs.scales), d, t.scales + at);
    hn::StoreU(hn::Add(first, last), d, t.sums32 + at);
    hn::StoreU(first, d, t.sums16 + at16);
    hn::StoreU(last, d, t.sums16 + at16 + t.tile);
    interleave_runs(levels, t.tile,
                    t.levels + (index * t.stride + i * activation_run) * t.tile + 2 * r);
  }
  HWY_ALIGN int32_t flags[runs_together];
  hn::Store(finite, d32, flags);
  for (int j = 0; j < runs_together; ++j) t.finite[index * t.tile + r + j] = flags[j] != 0;
}

void fill_one_tile(const void* x, Dtype x_dtype, int64_t row_stride, int64_t k, int64_t index,
                   const ActivationTiles& t) {
  with_float(x_dtype, [&](auto type) HWY_ATTR {
    using T = decltype(type);
    for (int64_t r = 0; r < t.tile; r += 4) {
      const int64_t row = index * t.tile + r;
      const T* from = static_cast<const T*>(x) + row * row_stride;
      fill_four_rows(from, row_stride, t.rows - row, k, index, r, t);
    }
  });
}

// The levels of `count` elements (runs of 32) to [run, row of four, 32]; returns their scale, or
// NaN if an element is not finite.
template <class T>
HWY_INLINE float group_levels(const T* x, int64_t count, int row,
                              int16_t (&levels)[4][4][activation_run]) {
  const hn::CappedTag<float, 16> d;
  const hn::RebindToSigned<decltype(d)> d32;
  const hn::Rebind<int16_t, decltype(d)> d16;
  constexpr auto lanes = static_cast<int64_t>(hn::MaxLanes(hn::CappedTag<float, 16>()));
  auto bits = hn::Zero(d32);
  for (int64_t i = 0; i < count; i += lanes) {
    bits = hn::Max(bits, hn::BitCast(d32, hn::Abs(load_floats(d, x + i))));
  }
  const int32_t largest_bits = hn::ReduceMax(d32, bits);
  float largest;
  std::memcpy(&largest, &largest_bits, sizeof largest);
  const bool finite = largest_bits < 0x7f800000;
  const bool counts = finite && largest >= 0x1p-100f;
  const auto inverse = hn::Set(d, counts ? LevelTiles::level_max / largest : 0.0f);
  for (int64_t i = 0; i < count; i += lanes) {
    const auto level =
        finite ? hn::NearestInt(hn::Mul(load_floats(d, x + i), inverse)) : hn::Zero(d32);
    hn::StoreU(hn::DemoteTo(d16, level), d16, levels[i / 32][row] + i % 32);
  }
  if (!finite) return std::numeric_limits<float>::quiet_NaN();
  return counts ? largest / LevelTiles::level_max : 0.0f;
}

// Rows r..r + 3 of tile `index`; those from `rows` on are zeros.
template <class T>
void fill_four_level_rows(const T* x, int64_t row_stride, int64_t rows, int64_t index, int64_t r,
                          const LevelTiles& tiles) {
  const LevelTiles t = tiles;  // a copy, which the stores below cannot change
  const T zeros[LevelTiles::group] = {};
  HWY_ALIGN int16_t levels[4][4][activation_run];
  bool finite[4] = {true, true, true, true};
  for (int64_t g = 0; g < t.groups(); ++g) {
    const int64_t at = g * LevelTiles::group, count = HWY_MIN(LevelTiles::group, t.stride - at);
    for (int j = 0; j < 4; ++j) {
      const float scale =
          group_levels(j < rows ? x + j * row_stride + at : zeros, count, j, levels);
      finite[j] = finite[j] && scale == scale;
      t.scales[(index * t.groups() + g) * t.tile + r + j] = scale;
    }
    for (int64_t run = 0; run < count / activation_run; ++run) {
      interleave_runs(levels[run], t.tile, t.at(index, at + run * activation_run) + 2 * r);
    }
  }
  for (int j = 0; j < 4; ++j) t.finite[index * t.tile + r + j] = finite[j];
}

void fill_one_level_tile(const void* x, Dtype x_dtype, int64_t row_stride, int64_t index,
                         const LevelTiles& t) {
  with_float(x_dtype, [&](auto type) HWY_ATTR {
    using T = decltype(type);
    for (int64_t r = 0; r < t.tile; r += 4) {
      const int64_t row = index * t.tile + r;
      const T* from = static_cast<const T*>(x) + row * row_stride;
      fill_four_level_rows(from, row_stride, t.rows - row, index, r, t);
    }
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu::packed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::cpu::packed {

HWY_EXPORT(fill_rows);
HWY_EXPORT(fill_one_tile);
HWY_EXPORT(fill_one_level_tile);

void place_activations(int64_t m, int64_t k, Scratch& scratch, Activations& a) {
  a.rows = m;
  a.stride = (k + activation_pad - 1) / activation_pad * activation_pad;
  int64_t elements = m * a.stride, runs = m * a.runs();
  scratch.start(Scratch::bytes<int16_t>(elements) + 4 * Scratch::bytes<int8_t>(elements) +
                2 * Scratch::bytes<float>(runs) + Scratch::bytes<float>(2 * runs) +
                Scratch::bytes<uint8_t>(m));
  a.levels = scratch.take<int16_t>(elements);
  a.high = scratch.take<int8_t>(elements);
  a.low = scratch.take<int8_t>(elements);
  a.high_split = scratch.take<int8_t>(elements);
  a.low_split = scratch.take<int8_t>(elements);
  a.scales = scratch.take<float>(runs);
  a.sums32 = scratch.take<float>(runs);
  a.sums16 = scratch.take<float>(2 * runs);
  a.finite = scratch.take<uint8_t>(m);
}

void fill_activations(const void* x, Dtype x_dtype, int64_t row_stride, int64_t k, SplitOrder order,
                      const Activations& a) {
  HWY_DYNAMIC_DISPATCH(fill_rows)(x, x_dtype, row_stride, k, order, a);
}

void place_tiles(int64_t m, int64_t k, int64_t tile, Scratch& scratch, ActivationTiles& t) {
  t.rows = m;
  t.tile = tile;
  t.stride = k;
  int64_t rows = t.tiles() * tile, runs = rows * t.runs();
  scratch.start(Scratch::bytes<int16_t>(rows * k) + 2 * Scratch::bytes<float>(runs) +
                Scratch::bytes<float>(2 * runs) + Scratch::bytes<uint8_t>(rows));
  t.levels = scratch.take<int16_t>(rows * k);
  t.scales = scratch.take<float>(runs);
  t.sums32 = scratch.take<float>(runs);
  t.sums16 = scratch.take<float>(2 * runs);
  t.finite = scratch.take<uint8_t>(rows);
}

void fill_tile(const void* x, Dtype x_dtype, int64_t row_stride, int64_t k, int64_t index,
               const ActivationTiles& tiles) {
  HWY_DYNAMIC_DISPATCH(fill_one_tile)(x, x_dtype, row_stride, k, index, tiles);
}

void place_level_tiles(int64_t m, int64_t k, int64_t tile, Scratch& scratch, LevelTiles& t) {
  t.rows = m;
  t.tile = tile;
  t.stride = k;
  int64_t rows = t.tiles() * tile, scales = rows * t.groups();
  scratch.start(Scratch::bytes<int16_t>(rows * k) + Scratch::bytes<float>(scales) +
                Scratch::bytes<uint8_t>(rows));
  t.levels = scratch.take<int16_t>(rows * k);
  t.scales = scratch.take<float>(scales);
  t.finite = scratch.take<uint8_t>(rows);
}

void fill_level_tile(const void* x, Dtype x_dtype, int64_t row_stride, int64_t index,
                     const LevelTiles& tiles) {
  HWY_DYNAMIC_DISPATCH(fill_one_level_tile)(x, x_dtype, row_stride, index, tiles);
}

}  // namespace lazuli::cpu::packed
#endif  // HWY_ONCE
