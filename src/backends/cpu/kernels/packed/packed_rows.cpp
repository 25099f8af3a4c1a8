// Shapes: see packed_rows.h. Works for every format and target.
//
// A row of w becomes int8 levels and float scales in L1, once; for each row of x each group's levels
// are multiplied with x's 16-bit levels into int32 lanes, which scale * x's scale turns into float
// sums; biases meet the ready sums of x.
// Floor: the bytes of w.
#include "backends/cpu/kernels/packed/packed_rows.h"

#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/packed/packed_rows.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "backends/cpu/kernels/packed/packed_floats-inl.h"
#include "backends/cpu/kernels/packed/packed_formats-inl.h"
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
#include "backends/cpu/kernels/packed/packed_rows_wide-inl.h"
#endif

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::packed {
namespace HWY_NAMESPACE {

// A row of w, unpacked.
struct LevelRow {
  int8_t* levels;  // [k]
  float* scales;  // [k / group]
  float* biases;  // [k / group]
};

template <class F>
HWY_INLINE void unpack_row(const uint8_t* p, int64_t k, const LevelRow& row) {
  for (int64_t block = 0; block < k / F::elements; ++block) {
    F::levels(p + block * F::bytes, row.levels + block * F::elements);
    block_scales<F>(p + block * F::bytes, row.scales + block * (F::elements / F::group),
                    row.biases + block * (F::elements / F::group));
  }
}

template <class F>
HWY_INLINE float row_product(const LevelRow& w, const Activations& x, int64_t x_row, int64_t k) {
  const hn::CappedTag<int16_t, F::group> d16;
  const hn::Rebind<int8_t, decltype(d16)> d8;
  const hn::RepartitionToWide<decltype(d16)> d32;
  const hn::RebindToFloat<decltype(d32)> d;
  const int16_t* levels = x.levels + x_row * x.stride;
  const float* scales = x.scales + x_row * x.runs();
  const int64_t groups = k / F::group;
  const auto add_group = [&](int64_t g, auto total) HWY_ATTR {
    auto dot = hn::Zero(d32);
    for (size_t i = 0; i < F::group; i += hn::Lanes(d16)) {
      const int64_t at = g * F::group + static_cast<int64_t>(i);
      const auto level = hn::PromoteTo(d16, hn::LoadU(d8, w.levels + at));
      dot = hn::Add(dot, hn::WidenMulPairwiseAdd(d32, level, hn::LoadU(d16, levels + at)));
    }
    const float scale = w.scales[g] * scales[g * F::group / activation_run];
    return hn::MulAdd(hn::ConvertTo(d, dot), hn::Set(d, scale), total);
  };
  // Three chains of additions, so that none waits for the one before it.
  auto even = hn::Zero(d), odd = hn::Zero(d), biases = hn::Zero(d);
  int64_t g = 0;
  for (; g + 2 <= groups; g += 2) {
    even = add_group(g, even);
    odd = add_group(g + 1, odd);
  }
  if (g < groups) even = add_group(g, even);
  if constexpr (F::biased) {
    const float* sums =
        F::group == 16 ? x.sums16 + 2 * x_row * x.runs() : x.sums32 + x_row * x.runs();
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    for (g = 0; g + lanes <= groups; g += lanes) {
      biases = hn::MulAdd(hn::LoadU(d, w.biases + g), hn::LoadU(d, sums + g), biases);
    }
    const auto left = static_cast<size_t>(groups - g);
    biases = hn::MulAdd(hn::LoadN(d, w.biases + g, left), hn::LoadN(d, sums + g, left), biases);
  }
  return hn::ReduceSum(d, hn::Add(hn::Add(even, odd), biases));
}

// Columns [first, last) of `out` from [m, last - first] of sums.
void store_rows(const PackedMatmul& p, int64_t first, int64_t last, const float* sums) {
  const hn::CappedTag<float, 16> d;
  const auto count = static_cast<size_t>(last - first);
  with_float(p.out_dtype, [&](auto t) HWY_ATTR {
    using T = decltype(t);
    for (int64_t m = 0; m < p.m; ++m, sums += count) {
      T* out = static_cast<T*>(p.out) + m * p.out_row_stride + first;
      size_t i = 0;
      for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) {
        store_floats(d, hn::LoadU(d, sums + i), out + i);
      }
      if (i < count) store_floats(d, hn::LoadN(d, sums + i, count - i), out + i, count - i);
    }
  });
}

template <class F>
void portable_rows(const PackedMatmul& p, const Activations& x, int64_t first, int64_t last) {
  thread_local std::vector<int8_t> levels;
  thread_local std::vector<float> scales;
  const auto size = static_cast<size_t>(p.k), groups = size / F::group;
  if (levels.size() < size) levels.resize(size);
  if (scales.size() < 2 * groups) scales.resize(2 * groups);
  const LevelRow row{levels.data(), scales.data(), scales.data() + groups};
  const auto* w = reinterpret_cast<const uint8_t*>(p.w);
  const int64_t row_bytes = p.k / F::elements * F::bytes;
  with_float(p.out_dtype, [&](auto t) {
    using T = decltype(t);
    for (int64_t n = first; n < last; ++n) {
      unpack_row<F>(w + n * row_bytes, p.k, row);
      for (int64_t m = 0; m < p.m; ++m) {
        static_cast<T*>(p.out)[m * p.out_row_stride + n] = T(row_product<F>(row, x, m, p.k));
      }
    }
  });
}

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
// sums[m][n - first] = the products.
template <class F, int M>
void wide_sums(const PackedMatmul& p, const Activations& x, int64_t first, int64_t last,
               float* sums) {
  const int64_t row_bytes = p.k / F::elements * F::bytes, count = last - first;
  const auto* w = reinterpret_cast<const uint8_t*>(p.w) + first * row_bytes;
  for (int64_t n = 0; n < count; n += wide_rows) {
    const int64_t left = HWY_MIN(count - n, int64_t{wide_rows});
    float four[M][wide_rows];
    wide_group<F, M>(w + n * row_bytes, left, row_bytes, p.k, x, four);
    for (int m = 0; m < M; ++m) {
      for (int64_t r = 0; r < left; ++r) sums[m * count + n + r] = four[m][r];
    }
  }
}

template <class F>
void wide_sums_of(const PackedMatmul& p, const Activations& x, int64_t first, int64_t last,
                  float* sums) {
  switch (p.m) {
    case 1: return wide_sums<F, 1>(p, x, first, last, sums);
    case 2: return wide_sums<F, 2>(p, x, first, last, sums);
    case 3: return wide_sums<F, 3>(p, x, first, last, sums);
    default: return wide_sums<F, 4>(p, x, first, last, sums);
  }
}

template <class F>
void rows_of(const PackedMatmul& p, const Activations& x, int64_t first, int64_t last) {
  if constexpr (has_wide_rows<F>) {
    if (p.m <= wide_x_rows) {
      thread_local std::vector<float> sums;
      const auto size = static_cast<size_t>(p.m * (last - first));
      if (sums.size() < size) sums.resize(size);
      wide_sums_of<F>(p, x, first, last, sums.data());
      return store_rows(p, first, last, sums.data());
    }
  }
  portable_rows<F>(p, x, first, last);
}
#else
template <class F>
void rows_of(const PackedMatmul& p, const Activations& x, int64_t first, int64_t last) {
  portable_rows<F>(p, x, first, last);
}
#endif

void rows(const PackedMatmul& p, const Activations& x, int64_t first, int64_t last) {
  with_format(p.format, [&](auto f) { rows_of<decltype(f)>(p, x, first, last); });
}

template <class F, class X, class T>
void float_row_of(const PackedMatmul& p, int64_t m, int64_t first, int64_t last) {
  const X* x = static_cast<const X*>(p.x) + m * p.x_row_stride;
  const auto* w = reinterpret_cast<const uint8_t*>(p.w);
  const int64_t row_bytes = p.k / F::elements * F::bytes;
  for (int64_t n = first; n < last; ++n) {
    float sum = 0;
    for (int64_t block = 0; block < p.k / F::elements; ++block) {
      const uint8_t* bytes = w + n * row_bytes + block * F::bytes;
      int8_t levels[F::elements];
      float scales[F::elements / F::group], biases[F::elements / F::group];
      F::levels(bytes, levels);
      block_scales<F>(bytes, scales, biases);
      for (int i = 0; i < F::elements; ++i) {
        float weight = scales[i / F::group] * levels[i];
        if constexpr (F::biased) weight += biases[i / F::group];
        sum += weight * static_cast<float>(x[block * F::elements + i]);
      }
    }
    static_cast<T*>(p.out)[m * p.out_row_stride + n] = T(sum);
  }
}

void float_row(const PackedMatmul& p, int64_t m, int64_t first, int64_t last) {
  with_format(p.format, [&](auto f) {
    with_float(p.x_dtype, [&](auto x) {
      with_float(p.out_dtype, [&](auto t) {
        float_row_of<decltype(f), decltype(x), decltype(t)>(p, m, first, last);
      });
    });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu::packed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::cpu::packed {

HWY_EXPORT(rows);
HWY_EXPORT(float_row);

void packed_rows(const PackedMatmul& product, const Activations& x, int64_t first, int64_t last) {
  HWY_DYNAMIC_DISPATCH(rows)(product, x, first, last);
}

void packed_float_row(const PackedMatmul& product, int64_t row, int64_t first, int64_t last) {
  HWY_DYNAMIC_DISPATCH(float_row)(product, row, first, last);
}

}  // namespace lazuli::cpu::packed
#endif  // HWY_ONCE
