// Each run of 32: its largest magnitude gives the scale, then the levels are rounded, to nearest
// even, and spread to the layout that the product reads.
#include "backends/cpu/kernels/packed_activations.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/packed_activations.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "backends/cpu/kernels/packed_floats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu {
namespace HWY_NAMESPACE {

// One run, converted. All zeros if it is not finite.
struct Run {
  HWY_ALIGN int16_t levels[activation_run];
  float scale;
  float half_sums[2];  // scale * sum of each half's levels
  bool finite;
};

template <class T>
HWY_INLINE void convert_run(const T* x, Run& run) {
  const hn::CappedTag<float, 16> d;
  const hn::RebindToSigned<decltype(d)> d32;
  const hn::Rebind<int16_t, decltype(d)> d16;
  HWY_ALIGN float values[activation_run];
  auto largest = hn::Zero(d);
  auto finite = hn::Eq(largest, largest);
  for (size_t i = 0; i < activation_run; i += hn::Lanes(d)) {
    const auto value = load_floats(d, x + i);
    largest = hn::Max(largest, hn::Abs(value));
    finite = hn::And(finite, hn::IsFinite(value));
    hn::Store(value, d, values + i);
  }
  run.finite = hn::AllTrue(d, finite);
  const float top = hn::ReduceMax(d, largest);
  if (!run.finite || !(top >= 0x1p-100f)) {
    std::memset(run.levels, 0, sizeof run.levels);
    run.scale = run.half_sums[0] = run.half_sums[1] = 0;
    return;
  }
  run.scale = top * (1.0f / activation_level_max);
  const auto inverse = hn::Set(d, activation_level_max / top);
  for (int half = 0; half < 2; ++half) {
    auto sum = hn::Zero(d32);
    for (size_t i = 0; i < 16; i += hn::Lanes(d)) {
      const size_t at = 16 * half + i;
      const auto level = hn::NearestInt(hn::Mul(hn::Load(d, values + at), inverse));
      hn::Store(hn::DemoteTo(d16, level), d16, run.levels + at);
      sum = hn::Add(sum, level);
    }
    run.half_sums[half] = run.scale * static_cast<float>(hn::ReduceSum(d32, sum));
  }
}

// level = 128 * high + low, with low in [-64, 63].
HWY_INLINE void split_levels(const int16_t* levels, int8_t* high, int8_t* low) {
  const hn::CappedTag<int16_t, activation_run> d16;
  const hn::Rebind<int8_t, decltype(d16)> d8;
  for (size_t i = 0; i < activation_run; i += hn::Lanes(d16)) {
    const auto level = hn::Load(d16, levels + i);
    const auto top = hn::ShiftRight<7>(hn::Add(level, hn::Set(d16, 64)));
    hn::StoreU(hn::DemoteTo(d8, top), d8, high + i);
    hn::StoreU(hn::DemoteTo(d8, hn::Sub(level, hn::ShiftLeft<7>(top))), d8, low + i);
  }
}

template <class T>
void fill_row(const T* x, int64_t k, int64_t row, const Activations& a) {
  a.finite[row] = 1;
  Run run;
  for (int64_t i = 0; i < a.runs(); ++i) {
    const int64_t at = row * a.stride + i * activation_run, index = row * a.runs() + i;
    if (i * activation_run < k) {
      convert_run(x + i * activation_run, run);
      if (!run.finite) a.finite[row] = 0;
    } else {
      run = {};
    }
    std::memcpy(a.levels + at, run.levels, sizeof run.levels);
    split_levels(run.levels, a.high + at, a.low + at);
    // Run j of four: its halves go to places j and 4 + j of eight.
    const int64_t to = row * a.stride + i / 4 * 128 + i % 4 * 16;
    std::memcpy(a.high_split + to, a.high + at, 16);
    std::memcpy(a.high_split + to + 64, a.high + at + 16, 16);
    std::memcpy(a.low_split + to, a.low + at, 16);
    std::memcpy(a.low_split + to + 64, a.low + at + 16, 16);
    a.scales[index] = run.scale;
    a.sums16[2 * index] = run.half_sums[0];
    a.sums16[2 * index + 1] = run.half_sums[1];
    a.sums32[index] = run.half_sums[0] + run.half_sums[1];
  }
}

void fill_rows(const void* x, Dtype x_dtype, int64_t row_stride, int64_t k, const Activations& a) {
  with_float(x_dtype, [&](auto t) {
    using T = decltype(t);
    for (int64_t row = 0; row < a.rows; ++row) {
      fill_row(static_cast<const T*>(x) + row * row_stride, k, row, a);
    }
  });
}

// Row r of tile `index`; x is null for a row of zeros.
template <class T>
void fill_tile_row(const T* x, int64_t k, int64_t index, int64_t r, const ActivationTiles& t) {
  int16_t* levels = t.levels + index * t.tile * t.stride + 2 * r;
  float* scales = t.scales + index * t.tile * t.runs() + r;
  float* sums32 = t.sums32 + index * t.tile * t.runs() + r;
  float* sums16 = t.sums16 + index * t.tile * t.runs() * 2 + r;
  t.finite[index * t.tile + r] = 1;
  Run run = {};
  for (int64_t i = 0; i < k / activation_run; ++i) {
    if (x != nullptr) {
      convert_run(x + i * activation_run, run);
      if (!run.finite) t.finite[index * t.tile + r] = 0;
    }
    for (int pair = 0; pair < activation_run / 2; ++pair) {
      std::memcpy(levels + (i * (activation_run / 2) + pair) * t.tile * 2, run.levels + 2 * pair,
                  4);
    }
    scales[i * t.tile] = run.scale;
    sums16[2 * i * t.tile] = run.half_sums[0];
    sums16[(2 * i + 1) * t.tile] = run.half_sums[1];
    sums32[i * t.tile] = run.half_sums[0] + run.half_sums[1];
  }
}

void fill_one_tile(const void* x, Dtype x_dtype, int64_t row_stride, int64_t k, int64_t index,
                   const ActivationTiles& t) {
  with_float(x_dtype, [&](auto type) {
    using T = decltype(type);
    for (int64_t r = 0; r < t.tile; ++r) {
      const int64_t row = index * t.tile + r;
      const T* from = row < t.rows ? static_cast<const T*>(x) + row * row_stride : nullptr;
      fill_tile_row(from, k, index, r, t);
    }
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::cpu {

HWY_EXPORT(fill_rows);
HWY_EXPORT(fill_one_tile);

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

void fill_activations(const void* x, Dtype x_dtype, int64_t row_stride, int64_t k,
                      const Activations& a) {
  HWY_DYNAMIC_DISPATCH(fill_rows)(x, x_dtype, row_stride, k, a);
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

}  // namespace lazuli::cpu
#endif  // HWY_ONCE
