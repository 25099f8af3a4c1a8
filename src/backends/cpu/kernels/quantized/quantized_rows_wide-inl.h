// Few rows of x times quantised rows of 4 or 8 bits on AVX-512 with VNNI, as packed_rows_wide-inl.h
// does it for packed blocks: four rows of w at a time, levels as unsigned bytes in registers
// against the two byte planes of x.
//
// Floor: the bytes of w; 12 (4 bits) or 14 (8 bits) vector operations on two ports for 128 weights
// of 64 or 128 bytes.

#if defined(LAZULI_QUANTIZED_ROWS_WIDE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LAZULI_QUANTIZED_ROWS_WIDE_INL_H_
#undef LAZULI_QUANTIZED_ROWS_WIDE_INL_H_
#else
#define LAZULI_QUANTIZED_ROWS_WIDE_INL_H_
#endif

#include "backends/cpu/kernels/packed/packed_rows_wide-inl.h"
#include "backends/cpu/kernels/quantized/quantized_levels-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::packed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Scales of four rows over a stretch of k, as floats; zeros behind the last group.
constexpr int64_t stretch_elements = 2048;
constexpr int64_t stretch_groups = stretch_elements / 32;
struct StretchScales {
  alignas(64) float scales[wide_rows][stretch_groups + 16];
};

// The elements of scales or biases from `index` on that `mask` names.
HWY_INLINE __m512 masked_floats(const void* values, Dtype dtype, int64_t index, __mmask16 mask) {
  if (dtype == float32) {
    return _mm512_maskz_loadu_ps(mask, static_cast<const float*>(values) + index);
  }
  const __m256i halves =
      _mm256_maskz_loadu_epi16(mask, static_cast<const uint16_t*>(values) + index);
  if (dtype == float16) return _mm512_cvtph_ps(halves);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

// Takes the scales of a stretch and adds its biases times the groups' sums of x to `biases`.
template <int M>
HWY_INLINE void take_stretch(const QuantizedMatrix& w, const int64_t (&rows)[wide_rows],
                             int64_t first, int64_t count, const float* group_sums,
                             StretchScales& out, __m512 (&biases)[wide_rows][M]) {
  for (int64_t g = 0; g < count; g += 16) {
    const auto mask = static_cast<__mmask16>(count - g >= 16 ? 0xffff : (1 << (count - g)) - 1);
    __m512 sums[M];
    for (int m = 0; m < M; ++m) {
      sums[m] = _mm512_maskz_loadu_ps(mask, group_sums + m * w.row_groups() + first + g);
    }
#pragma GCC unroll 4
    for (int r = 0; r < wide_rows; ++r) {
      const int64_t at = rows[r] * w.row_groups() + first + g;
      _mm512_store_ps(out.scales[r] + g, masked_floats(w.scales, w.dtype, at, mask));
      const __m512 bias = masked_floats(w.biases, w.dtype, at, mask);
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) biases[r][m] = _mm512_fmadd_ps(bias, sums[m], biases[r][m]);
    }
  }
}

// Lane -> run of four (each `width` lanes from run `first` on), as places of the runs' groups among
// the groups of 128 columns.
HWY_INLINE __m512i run_places(int first, int width, int group) {
  alignas(64) int32_t lanes[16];
  for (int i = 0; i < 16; ++i) lanes[i] = (first + i / width) * 32 / group;
  return _mm512_load_si512(lanes);
}

HWY_INLINE __m512 spread_scales(const float* four, __m512i places) {
  return _mm512_permutexvar_ps(places, _mm512_castps128_ps512(_mm_loadu_ps(four)));
}

// 128 columns from `at` on of four rows; `left` <= 128 of them exist.
template <int Bits, int M>
HWY_INLINE void quantized_chunk(const RowGroup& w, int64_t at, int64_t left, int group,
                                const float (&scales)[wide_rows][stretch_groups + 16],
                                int64_t scale_at, const Activations& x, WideSums<M>& sums) {
  constexpr int vectors = Bits == 4 ? 1 : 2;  // of 64 bytes
#pragma GCC unroll 2
  for (int v = 0; v < vectors; ++v) {
    const int64_t bytes = left * Bits / 8 - 64 * v;
    if (bytes <= 0) break;
    const __mmask64 mask = bytes >= 64 ? ~__mmask64{0} : (__mmask64{1} << bytes) - 1;
    const int first = 2 * v, width = Bits == 4 ? 4 : 8;
    const __m512i w_places = run_places(first, width, group);
    const __m512i x_places = run_places(first, width, 32);
    __m512 x_scales[M];
    for (int m = 0; m < M; ++m) {
      x_scales[m] = spread_scales(x.scales + m * x.runs() + at / 32, x_places);
    }
#pragma GCC unroll 4
    for (int r = 0; r < wide_rows; ++r) {
      const uint8_t* p = w.base + w.offset[r] + at * Bits / 8 + 64 * v;
      _mm_prefetch(reinterpret_cast<const char*>(p + w.ahead), _MM_HINT_T0);
      const __m512i levels = _mm512_maskz_loadu_epi8(mask, p);
      const __m512 scale = spread_scales(scales[r] + scale_at, w_places);
      const __m512i low = _mm512_set1_epi8(15);
      const Halves nibbles = {_mm512_and_si512(levels, low),
                              _mm512_and_si512(_mm512_srli_epi64(levels, 4), low)};
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) {
        const int64_t x_at = m * x.stride + at;
        const __m512 dot =
            Bits == 4 ? dot_halves(nibbles, x, x_at) : dot_levels(levels, x, x_at + 64 * v);
        const __m512 by = _mm512_mul_ps(scale, x_scales[m]);
        sums.row[r][m] = _mm512_fmadd_ps(dot, by, sums.row[r][m]);
      }
    }
  }
}

// out[m][r] = the product of row `row` + r of w with row m of x.
template <int Bits, int M>
HWY_INLINE void quantized_group(const QuantizedMatrix& w, int64_t row, const RowGroup& group,
                                const Activations& x, const float* group_sums,
                                float (&out)[M][wide_rows]) {
  WideSums<M> sums;
  __m512 biases[wide_rows][M];
  for (int r = 0; r < wide_rows; ++r) {
    for (int m = 0; m < M; ++m) sums.row[r][m] = biases[r][m] = _mm512_setzero_ps();
  }
  StretchScales scales;
  int64_t rows[wide_rows];
  for (int r = 0; r < wide_rows; ++r) rows[r] = row + group.offset[r] / (w.row_words() * 4);
  for (int64_t first = 0; first < w.columns; first += stretch_elements) {
    const int64_t count = HWY_MIN(w.columns - first, stretch_elements);
    take_stretch<M>(w, rows, first / w.group, count / w.group, group_sums, scales, biases);
    for (int64_t at = 0; at < count; at += 128) {
      quantized_chunk<Bits, M>(group, first + at, HWY_MIN(count - at, int64_t{128}), w.group,
                               scales.scales, at / w.group, x, sums);
    }
  }
  for (int m = 0; m < M; ++m) {
    const auto total = [&](int r) HWY_ATTR { return _mm512_add_ps(sums.row[r][m], biases[r][m]); };
    _mm_storeu_ps(out[m], fold_parts(fold_rows(total(0), total(1), total(2), total(3))));
  }
}

// sums[m][n - first] = the products.
template <int Bits, int M>
void quantized_wide_sums(const QuantizedMatmul& p, const Activations& x, const float* group_sums,
                         int64_t first, int64_t last, float* sums) {
  const int64_t row_bytes = p.w.row_words() * 4, count = last - first;
  RowGroup group(quantized_row(p.w, first), wide_rows, row_bytes);
  for (int64_t n = 0; n < count; n += wide_rows, group.base += wide_rows * row_bytes) {
    const int64_t left = HWY_MIN(count - n, int64_t{wide_rows});
    if (left < wide_rows) group = RowGroup(group.base, left, row_bytes);
    float four[M][wide_rows];
    quantized_group<Bits, M>(p.w, first + n, group, x, group_sums, four);
    for (int m = 0; m < M; ++m) {
      for (int64_t r = 0; r < left; ++r) sums[m * count + n + r] = four[m][r];
    }
  }
}

template <int Bits>
void quantized_wide_sums_of(const QuantizedMatmul& p, const Activations& x, const float* group_sums,
                            int64_t first, int64_t last, float* sums) {
  switch (p.m) {
    case 1: return quantized_wide_sums<Bits, 1>(p, x, group_sums, first, last, sums);
    case 2: return quantized_wide_sums<Bits, 2>(p, x, group_sums, first, last, sums);
    case 3: return quantized_wide_sums<Bits, 3>(p, x, group_sums, first, last, sums);
    default: return quantized_wide_sums<Bits, 4>(p, x, group_sums, first, last, sums);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu::packed
HWY_AFTER_NAMESPACE();

#endif  // LAZULI_QUANTIZED_ROWS_WIDE_INL_H_
