// quantize and dequantize. A group's range gives scale and bias, then each element its level; eight
// levels make `bits` bytes.
//
// Floor: the bytes read and written.
#include <algorithm>
#include <cstring>
#include <limits>

#include "backends/cpu/kernels/quantized/quantized_checks.h"
#include "backends/cpu/kernels/quantized/quantized_matmul.h"
#include "backends/cpu/kernels/quantized/quantized_products.h"
#include "base/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/quantized/quantized_convert.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "backends/cpu/kernels/packed/packed_floats-inl.h"
#include "backends/cpu/kernels/quantized/quantized_levels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::packed {
namespace HWY_NAMESPACE {

using Floats = hn::CappedTag<float, 16>;

struct GroupRange {
  float low, high;
  bool has_nan;
};

HWY_INLINE GroupRange group_range(const float* values, int count) {
  const Floats d;
  auto low = hn::Load(d, values), high = low;
  auto nan = hn::IsNaN(low);
  for (size_t i = hn::Lanes(d); i < static_cast<size_t>(count); i += hn::Lanes(d)) {
    const auto value = hn::Load(d, values + i);
    low = hn::Min(low, value);
    high = hn::Max(high, value);
    nan = hn::Or(nan, hn::IsNaN(value));
  }
  return {hn::ReduceMin(d, low), hn::ReduceMax(d, high), !hn::AllFalse(d, nan)};
}

struct GroupFit {
  float scale, bias;
};

// The end of the range that is larger in magnitude is kept exact: it gets a level of its own, which
// the scale is adjusted to. With one bit the two levels are the two ends.
HWY_INLINE GroupFit fit_group(const GroupRange& r, int bits) {
  constexpr float least_scale = 1e-7f;
  if (r.has_nan) {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    return {nan, nan};
  }
  if (bits == 1) return {HWY_MAX(r.high - r.low, least_scale), r.low};
  const bool low_is_edge = __builtin_fabsf(r.low) > __builtin_fabsf(r.high);
  float scale = HWY_MAX((r.high - r.low) / static_cast<float>((1 << bits) - 1), least_scale);
  if (!low_is_edge) scale = -scale;
  const float edge = low_is_edge ? r.low : r.high;
  const float level = __builtin_nearbyintf(edge / scale);
  if (level == 0) return {scale, 0};
  return {edge / level, edge};
}

template <class T>
void quantize_row(const T* w, int64_t columns, int group, int bits, uint8_t* w_q, T* scales,
                  T* biases) {
  const Floats d;
  const hn::RebindToSigned<Floats> d32;
  HWY_ALIGN float values[128];
  HWY_ALIGN int32_t levels[128];
  const auto most = hn::Set(d, static_cast<float>((1 << bits) - 1));
  for (int64_t at = 0; at < columns; at += group) {
    for (int i = 0; i < group; i += static_cast<int>(hn::Lanes(d))) {
      hn::Store(load_floats(d, w + at + i), d, values + i);
    }
    const GroupFit fit = fit_group(group_range(values, group), bits);
    scales[at / group] = T(fit.scale);
    biases[at / group] = T(fit.bias);
    for (int i = 0; i < group; i += static_cast<int>(hn::Lanes(d))) {
      const auto scaled =
          hn::Div(hn::Sub(hn::Load(d, values + i), hn::Set(d, fit.bias)), hn::Set(d, fit.scale));
      // Zero where it is NaN.
      const auto level = hn::IfThenElseZero(hn::Gt(scaled, hn::Zero(d)), hn::Min(scaled, most));
      hn::Store(hn::NearestInt(level), d32, levels + i);
    }
    for (int i = 0; i < group; i += 8, w_q += bits) {
      uint64_t packed = 0;
      for (int j = 0; j < 8; ++j) packed |= static_cast<uint64_t>(levels[i + j]) << (j * bits);
      std::memcpy(w_q, &packed, static_cast<size_t>(bits));
    }
  }
}

void quantize_rows(const void* w, Dtype dtype, int64_t columns, int group, int bits, int64_t first,
                   int64_t last, uint32_t* w_q, void* scales, void* biases) {
  with_float(dtype, [&](auto t) HWY_ATTR {
    using T = decltype(t);
    const int64_t groups = columns / group;
    for (int64_t row = first; row < last; ++row) {
      quantize_row(static_cast<const T*>(w) + row * columns, columns, group, bits,
                   reinterpret_cast<uint8_t*>(w_q + row * (columns * bits / 32)),
                   static_cast<T*>(scales) + row * groups, static_cast<T*>(biases) + row * groups);
    }
  });
}

// Groups [first, last) of a row.
template <int Bits, class T>
void dequantize_groups(const QuantizedMatrix& w, int64_t row, int64_t first, int64_t last, T* out) {
  const Floats d;
  const hn::RebindToSigned<Floats> d32;
  const hn::Rebind<uint8_t, Floats> d8;
  const uint8_t* p = quantized_row(w, row) + first * w.group * Bits / 8;
  HWY_ALIGN uint8_t levels[128];
  for (int64_t g = first; g < last; ++g, p += w.group * Bits / 8, out += w.group) {
    unpack_levels<Bits>(p, w.group, levels);
    const auto scale = hn::Set(d, float_at(w.scales, w.dtype, row * w.row_groups() + g));
    const auto bias = hn::Set(d, float_at(w.biases, w.dtype, row * w.row_groups() + g));
    for (int i = 0; i < w.group; i += static_cast<int>(hn::Lanes(d))) {
      const auto level = hn::ConvertTo(d, hn::PromoteTo(d32, hn::LoadU(d8, levels + i)));
      // Two roundings, so that every target gives the same.
      store_floats(d, hn::Add(hn::Mul(scale, level), bias), out + i);
    }
  }
}

void dequantize_rows(const QuantizedMatrix& w, int64_t first, int64_t last, void* out,
                     Dtype out_dtype) {
  with_bits(w.bits, [&](auto bits) HWY_ATTR {
    with_float(out_dtype, [&](auto t) HWY_ATTR {
      using T = decltype(t);
      for (int64_t row = first; row < last; ++row) {
        dequantize_groups<decltype(bits)::value>(w, row, 0, w.row_groups(),
                                                 static_cast<T*>(out) + row * w.columns);
      }
    });
  });
}

void dequantize_part(const QuantizedMatrix& w, int64_t row, int64_t first, int64_t count,
                     float* out) {
  with_bits(w.bits, [&](auto bits) HWY_ATTR {
    dequantize_groups<decltype(bits)::value>(w, row, first / w.group, (first + count) / w.group,
                                             out);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu::packed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::cpu {

namespace packed {

HWY_EXPORT(quantize_rows);
HWY_EXPORT(dequantize_rows);
HWY_EXPORT(dequantize_part);

auto best_quantize_rows() { return HWY_DYNAMIC_POINTER(quantize_rows); }
auto best_dequantize_rows() { return HWY_DYNAMIC_POINTER(dequantize_rows); }

void quantized_floats(const QuantizedMatrix& w, int64_t row, int64_t first, int64_t count,
                      float* out) {
  HWY_DYNAMIC_DISPATCH(dequantize_part)(w, row, first, count, out);
}

}  // namespace packed

namespace {

constexpr int64_t elements_per_task = 1 << 15;

// Calls run(first, last) for pieces of [0, rows) on the pool.
void share_rows(int64_t rows, int64_t columns, const auto& run) {
  int64_t per_task = std::max<int64_t>(1, elements_per_task / std::max<int64_t>(1, columns));
  ThreadPool::instance().run((rows + per_task - 1) / per_task, [&](int64_t task) {
    run(task * per_task, std::min(rows, (task + 1) * per_task));
  });
}

}  // namespace

void quantize(const void* w, Dtype dtype, int64_t rows, int64_t columns, int group, int bits,
              uint32_t* w_q, void* scales, void* biases) {
  packed::check_quantized("quantize", {w_q, scales, biases, dtype, rows, columns, group, bits});
  auto run = packed::best_quantize_rows();
  share_rows(rows, columns, [&](int64_t first, int64_t last) {
    run(w, dtype, columns, group, bits, first, last, w_q, scales, biases);
  });
}

void dequantize(const QuantizedMatrix& w, void* out, Dtype out_dtype) {
  packed::check_quantized("dequantize", w);
  packed::check_float("dequantize", "the result", out_dtype);
  auto run = packed::best_dequantize_rows();
  share_rows(w.rows, w.columns,
             [&](int64_t first, int64_t last) { run(w, first, last, out, out_dtype); });
}

}  // namespace lazuli::cpu
#endif  // HWY_ONCE
