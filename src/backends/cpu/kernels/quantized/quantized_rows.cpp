// Rows of quantised weights times few rows of x, on any target, and the float form for rows of x
// that are not finite.
//
// A row of w becomes levels in bytes and float scales in L1, once; for each row of x each run of 32
// levels is multiplied with x's 16-bit levels into int32 lanes, which scale * x's scale turns into
// float sums; biases meet the groups' sums of x.
// Floor: the bytes of w.
#include <cstring>
#include <vector>

#include "backends/cpu/kernels/packed/packed_schedule.h"
#include "backends/cpu/kernels/quantized/quantized_products.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/quantized/quantized_rows.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "backends/cpu/kernels/packed/packed_floats-inl.h"
#include "backends/cpu/kernels/quantized/quantized_levels-inl.h"
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
#include "backends/cpu/kernels/quantized/quantized_rows_wide-inl.h"
#endif

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::packed {
namespace HWY_NAMESPACE {

// A row of w, unpacked.
struct QuantizedLevels {
  std::vector<uint8_t> levels;
  std::vector<float> scales, biases;

  explicit QuantizedLevels(const QuantizedMatrix& w)
      : levels(static_cast<size_t>(w.columns)),
        scales(static_cast<size_t>(w.row_groups() + floats_room)),
        biases(scales.size()) {}

  void read(const QuantizedMatrix& w, int64_t row) {
    with_bits(w.bits, [&](auto bits) HWY_ATTR {
      unpack_levels<decltype(bits)::value>(quantized_row(w, row), w.columns, levels.data());
    });
    const int64_t groups = w.row_groups();
    floats_at(w.scales, w.dtype, row * groups, groups, scales.data());
    floats_at(w.biases, w.dtype, row * groups, groups, biases.data());
  }
};

HWY_INLINE float quantized_row_product(const QuantizedLevels& w, const Activations& x, int64_t m,
                                       const float* group_sums, int64_t k, int group) {
  const hn::CappedTag<int16_t, 32> d16;
  const hn::Rebind<uint8_t, decltype(d16)> d8;
  const hn::RepartitionToWide<decltype(d16)> d32;
  const hn::RebindToFloat<decltype(d32)> d;
  const int16_t* levels = x.levels + m * x.stride;
  const float* scales = x.scales + m * x.runs();
  const auto add_run = [&](int64_t run, auto total) HWY_ATTR {
    auto dot = hn::Zero(d32);
    for (size_t i = 0; i < 32; i += hn::Lanes(d16)) {
      const int64_t at = run * 32 + static_cast<int64_t>(i);
      const auto level = hn::PromoteTo(d16, hn::LoadU(d8, w.levels.data() + at));
      dot = hn::Add(dot, hn::WidenMulPairwiseAdd(d32, level, hn::LoadU(d16, levels + at)));
    }
    const float scale = w.scales[static_cast<size_t>(run * 32 / group)] * scales[run];
    return hn::MulAdd(hn::ConvertTo(d, dot), hn::Set(d, scale), total);
  };
  // Three chains of additions, so that none waits for the one before it.
  auto even = hn::Zero(d), odd = hn::Zero(d), biases = hn::Zero(d);
  int64_t run = 0;
  for (; run + 2 <= k / 32; run += 2) {
    even = add_run(run, even);
    odd = add_run(run + 1, odd);
  }
  if (run < k / 32) even = add_run(run, even);
  const auto groups = static_cast<size_t>(k / group), lanes = hn::Lanes(d);
  for (size_t g = 0; g < groups; g += lanes) {
    const size_t count = HWY_MIN(lanes, groups - g);
    const auto bias = hn::LoadN(d, w.biases.data() + g, count);
    biases = hn::MulAdd(bias, hn::LoadN(d, group_sums + g, count), biases);
  }
  return hn::ReduceSum(d, hn::Add(hn::Add(even, odd), biases));
}

void portable_quantized_rows(const QuantizedMatmul& p, const Activations& x,
                             const float* group_sums, int64_t first, int64_t last) {
  QuantizedLevels row(p.w);
  with_float(p.out_dtype, [&](auto t) HWY_ATTR {
    using T = decltype(t);
    for (int64_t n = first; n < last; ++n) {
      row.read(p.w, n);
      for (int64_t m = 0; m < p.m; ++m) {
        const float* sums = group_sums + m * p.w.row_groups();
        static_cast<T*>(p.out)[m * p.out_row_stride + n] =
            T(quantized_row_product(row, x, m, sums, p.w.columns, p.w.group));
      }
    }
  });
}

void few_rows(const QuantizedMatmul& p, const Activations& x, const float* group_sums,
              int64_t first, int64_t last) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
  if (p.m <= wide_x_rows && (p.w.bits == 4 || p.w.bits == 8)) {
    thread_local std::vector<float> sums;
    const auto size = static_cast<size_t>(p.m * (last - first));
    if (sums.size() < size) sums.resize(size);
    if (p.w.bits == 4) {
      quantized_wide_sums_of<4>(p, x, group_sums, first, last, sums.data());
    } else {
      quantized_wide_sums_of<8>(p, x, group_sums, first, last, sums.data());
    }
    with_float(p.out_dtype, [&](auto t) HWY_ATTR {
      using T = decltype(t);
      const int64_t count = last - first;
      for (int64_t m = 0; m < p.m; ++m) {
        T* out = static_cast<T*>(p.out) + m * p.out_row_stride + first;
        const float* from = sums.data() + m * count;
        for (int64_t n = 0; n < count; ++n) out[n] = T(from[n]);
      }
    });
    return;
  }
#endif
  portable_quantized_rows(p, x, group_sums, first, last);
}

void float_row_product(const QuantizedMatmul& p, int64_t m, int64_t first, int64_t last) {
  QuantizedLevels row(p.w);
  with_float(p.x_dtype, [&](auto x_type) HWY_ATTR {
    const auto* x = static_cast<const decltype(x_type)*>(p.x) + m * p.x_row_stride;
    with_float(p.out_dtype, [&](auto t) HWY_ATTR {
      using T = decltype(t);
      for (int64_t n = first; n < last; ++n) {
        row.read(p.w, n);
        float sum = 0;
        for (int64_t k = 0; k < p.w.columns; ++k) {
          const auto g = static_cast<size_t>(k / p.w.group);
          const float level = row.levels[static_cast<size_t>(k)];
          sum += (row.scales[g] * level + row.biases[g]) * static_cast<float>(x[k]);
        }
        static_cast<T*>(p.out)[m * p.out_row_stride + n] = T(sum);
      }
    });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu::packed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::cpu::packed {

HWY_EXPORT(few_rows);
HWY_EXPORT(float_row_product);

void quantized_rows(const QuantizedMatmul& product, const Activations& x, const float* group_sums,
                    int64_t first, int64_t last) {
  HWY_DYNAMIC_DISPATCH(few_rows)(product, x, group_sums, first, last);
}

void quantized_float_row(const QuantizedMatmul& product, int64_t row, int64_t first, int64_t last) {
  HWY_DYNAMIC_DISPATCH(float_row_product)(product, row, first, last);
}

}  // namespace lazuli::cpu::packed
#endif  // HWY_ONCE
