// Two passes over each run of 32 in L1: the largest magnitude, then levels, planes and sums.
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

using Floats = hn::CappedTag<float, 16>;

// The scale of a run with this largest magnitude, and its inverse; 0 and 0 for a run of zeros.
struct RunScale {
  float scale;
  float inverse;
};

HWY_INLINE RunScale run_scale(float largest) {
  if (!(largest >= 0x1p-100f)) return {0, 0};
  return {largest * (1.0f / activation_level_max), activation_level_max / largest};
}

// Writes the levels and planes of 32 values and returns the sums of the two halves' levels.
HWY_INLINE void fill_run(const float* values, float inverse, int16_t* levels, int8_t* high,
                         int8_t* low, int32_t* half_sums) {
  const Floats d;
  const hn::RebindToSigned<Floats> d32;
  const hn::Rebind<int16_t, Floats> d16;
  const hn::Rebind<int8_t, Floats> d8;
  for (int half = 0; half < 2; ++half) {
    auto sum = hn::Zero(d32);
    for (size_t i = 0; i < 16; i += hn::Lanes(d)) {
      const size_t at = 16 * half + i;
      const auto scaled = hn::Mul(hn::LoadU(d, values + at), hn::Set(d, inverse));
      const auto level = hn::NearestInt(scaled);
      const auto top = hn::ShiftRight<7>(hn::Add(level, hn::Set(d32, 64)));
      hn::StoreU(hn::DemoteTo(d16, level), d16, levels + at);
      hn::StoreU(hn::DemoteTo(d8, top), d8, high + at);
      hn::StoreU(hn::DemoteTo(d8, hn::Sub(level, hn::ShiftLeft<7>(top))), d8, low + at);
      sum = hn::Add(sum, level);
    }
    half_sums[half] = hn::ReduceSum(d32, sum);
  }
}

template <class T>
HWY_INLINE void fill_row(const T* x, int64_t k, int64_t row, const Activations& a) {
  const Floats d;
  int16_t* levels = a.levels + row * a.stride;
  int8_t* high = a.high + row * a.stride;
  int8_t* low = a.low + row * a.stride;
  bool finite = true;
  for (int64_t run = 0; run < a.runs(); ++run) {
    HWY_ALIGN float values[activation_run];
    auto largest = hn::Zero(d);
    auto finite_lanes = hn::Eq(largest, largest);
    for (size_t i = 0; i < activation_run; i += hn::Lanes(d)) {
      const int64_t at = run * activation_run + static_cast<int64_t>(i);
      auto value = hn::Zero(d);
      if (at < k) value = load_floats(d, x + at);
      largest = hn::Max(largest, hn::Abs(value));
      finite_lanes = hn::And(finite_lanes, hn::IsFinite(value));
      hn::Store(value, d, values + i);
    }
    finite = finite && hn::AllTrue(d, finite_lanes);
    const RunScale s = finite ? run_scale(hn::ReduceMax(d, largest)) : RunScale{0, 0};
    int32_t half_sums[2] = {0, 0};
    const int64_t at = run * activation_run;
    if (!finite) std::memset(values, 0, sizeof values);
    fill_run(values, s.inverse, levels + at, high + at, low + at, half_sums);
    a.scales[row * a.runs() + run] = s.scale;
    float* sums16 = a.sums16 + 2 * (row * a.runs() + run);
    sums16[0] = s.scale * static_cast<float>(half_sums[0]);
    sums16[1] = s.scale * static_cast<float>(half_sums[1]);
    a.sums32[row * a.runs() + run] = s.scale * static_cast<float>(half_sums[0] + half_sums[1]);
  }
  a.finite[row] = finite;
}

void fill_rows(const void* x, Dtype x_dtype, int64_t row_stride, int64_t k, int64_t first,
               int64_t last, const Activations& a) {
  with_float(x_dtype, [&](auto t) {
    using T = decltype(t);
    for (int64_t row = first; row < last; ++row) {
      fill_row(static_cast<const T*>(x) + row * row_stride, k, row, a);
    }
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::cpu {

HWY_EXPORT(fill_rows);

void place_activations(int64_t m, int64_t k, Scratch& scratch, Activations& a) {
  a.rows = m;
  a.stride = (k + activation_pad - 1) / activation_pad * activation_pad;
  int64_t elements = m * a.stride, runs = m * a.runs();
  scratch.start(Scratch::bytes<int16_t>(elements) + 2 * Scratch::bytes<int8_t>(elements) +
                2 * Scratch::bytes<float>(runs) + Scratch::bytes<float>(2 * runs) +
                Scratch::bytes<uint8_t>(m));
  a.levels = scratch.take<int16_t>(elements);
  a.high = scratch.take<int8_t>(elements);
  a.low = scratch.take<int8_t>(elements);
  a.scales = scratch.take<float>(runs);
  a.sums32 = scratch.take<float>(runs);
  a.sums16 = scratch.take<float>(2 * runs);
  a.finite = scratch.take<uint8_t>(m);
}

void fill_activations(const void* x, Dtype x_dtype, int64_t row_stride, int64_t k, int64_t first,
                      int64_t last, const Activations& a) {
  HWY_DYNAMIC_DISPATCH(fill_rows)(x, x_dtype, row_stride, k, first, last, a);
}

}  // namespace lazuli::cpu
#endif  // HWY_ONCE
