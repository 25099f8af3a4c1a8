// packed_rows on AVX-512 with VNNI: few rows of x, all weights read once, nothing unpacked to
// memory.
//
// Rows of w one after the other, so that each thread reads one stream. 64 levels of a row become
// one vector of unsigned bytes u = level + offset in registers; two byte dot products, with the
// high and the low plane of x, give 16 int32 sums of u * x's level, which one multiplication by
// (scale of w * scale of x) per lane turns into floats. `offset` and biases are settled with the
// ready sums of x, one vector operation per 16 scales. Nothing is gathered: two byte or word
// permutes of two loads bring the scattered parts of four blocks together.
//
// Floor: the bytes of w; 14 to 17 cycles of a core for each 128 weights (68 to 136 bytes).
// Reached on 2 cores of a Zen 4 server, cold: 0.98 of a plain read for 178 MB of Q8_0; 0.9 for 1
// MB of Q8_0 and Q6_K, 0.8 of Q5_0 and 0.7 of Q4_K, which the operations bound
// (bench/results/packed_rows.txt).

#if defined(LAZULI_PACKED_ROWS_WIDE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LAZULI_PACKED_ROWS_WIDE_INL_H_
#undef LAZULI_PACKED_ROWS_WIDE_INL_H_
#else
#define LAZULI_PACKED_ROWS_WIDE_INL_H_
#endif

#include <cstring>

#include "backends/cpu/kernels/packed/packed_activations.h"
#include "backends/cpu/kernels/packed/packed_wide_formats-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::packed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int wide_rows = 4;  // of w, together
constexpr int wide_x_rows = 4;  // of x, at the most
constexpr int64_t wide_prefetch = 8192;  // bytes to fetch ahead of the reads

// Where four rows of w lie from a base on: all alike but for the last ones, where fewer than four
// are left and the last stands in for the missing.
struct RowGroup {
  const uint8_t* base;
  int64_t offset[wide_rows];
  int64_t ahead;  // from a byte to one that is read soon: the same place in a later group

  RowGroup(const uint8_t* first, int64_t rows, int64_t row_bytes) : base(first) {
    for (int64_t r = 0; r < wide_rows; ++r) offset[r] = (r < rows ? r : rows - 1) * row_bytes;
    const int64_t group = wide_rows * row_bytes;
    ahead = (wide_prefetch + group - 1) / group * group;
    if (group > 4 * wide_prefetch) ahead = wide_prefetch / 2;
  }
};

// The sums of one group of rows, M rows of x.
template <int M>
struct WideSums {
  __m512 row[wide_rows][M];
};

// 128 * high + low, as floats. The planes are summed apart: neither waits for the other.
HWY_INLINE __m512 join_planes(__m512i high, __m512i low) {
  return _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(high, 7), low));
}

// 16 sums of four products u * level each, as floats.
HWY_INLINE __m512 dot_levels(__m512i u, const Activations& x, int64_t at) {
  const __m512i zero = _mm512_setzero_si512();
  return join_planes(_mm512_dpbusd_epi32(zero, u, _mm512_loadu_si512(x.high + at)),
                     _mm512_dpbusd_epi32(zero, u, _mm512_loadu_si512(x.low + at)));
}

// 16 sums of eight products: lanes 4 b.. belong to block b of four.
HWY_INLINE __m512 dot_halves(const Halves& u, const Activations& x, int64_t at) {
  const auto plane = [&](const int8_t* p) {
    const __m512i first =
        _mm512_dpbusd_epi32(_mm512_setzero_si512(), u.first, _mm512_loadu_si512(p + at));
    return _mm512_dpbusd_epi32(first, u.last, _mm512_loadu_si512(p + at + 64));
  };
  return join_planes(plane(x.high_split), plane(x.low_split));
}

// The scales or biases of 4 * Groups blocks of 32, one a lane.
template <class F, int Groups>
HWY_INLINE __m512 block_halves(const uint8_t* p, int at) {
  const auto words = [&](int g) { return block_words(FourBlocks<F>(p + g * 4 * F::bytes), at, g); };
  __m512i all = words(0);
  if constexpr (Groups == 4) {
    all = _mm512_or_si512(_mm512_or_si512(all, words(1)), _mm512_or_si512(words(2), words(3)));
  }
  return _mm512_cvtph_ps(_mm512_castsi512_si256(all));
}

// Lane -> block, each block having `width` lanes, from block `first` on.
template <int Width>
HWY_INLINE __m512i block_places(int first) {
  const __m512i blocks = Width == 4
                             ? _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0)
                             : _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  return _mm512_add_epi32(blocks, _mm512_set1_epi32(first));
}

// The sums of one row of w, M rows of x; two of each, so that additions need not wait.
template <int M>
struct RowSums {
  __m512 parts[M][2];

  HWY_INLINE RowSums() {
    for (int m = 0; m < M; ++m) parts[m][0] = parts[m][1] = _mm512_setzero_ps();
  }
};

// Addresses as integers: what is fetched may lie behind the object.
HWY_INLINE void prefetch_lines(const uint8_t* p, int bytes) {
  const auto ahead = reinterpret_cast<uintptr_t>(p) + wide_prefetch;
  for (int line = 0; line < bytes; line += 64) {
    _mm_prefetch(reinterpret_cast<const char*>(ahead + static_cast<uintptr_t>(line)), _MM_HINT_T1);
  }
}

// 4 * Groups blocks of 32 of a row, from its block `block` on.
template <class F, int M, int Groups>
HWY_INLINE void wide_blocks(const uint8_t* p, int64_t block, const Activations& x,
                            RowSums<M>& sums) {
  constexpr __mmask16 lanes = Groups == 4 ? 0xffff : 0xf;
  const __m512 scale = block_halves<F, Groups>(p, F::scale_at);
  const __m512 bias = F::biased ? block_halves<F, Groups>(p, F::bias_at)
                                : _mm512_mul_ps(scale, _mm512_set1_ps(-Wide<F>::offset));
  __m512 scales[M];
  for (int m = 0; m < M; ++m) {
    const int64_t at = m * x.runs() + block;
    scales[m] = _mm512_mul_ps(scale, _mm512_maskz_loadu_ps(lanes, x.scales + at));
    const __m512 run_sums = _mm512_maskz_loadu_ps(lanes, x.sums32 + at);
    sums.parts[m][0] = _mm512_fmadd_ps(bias, run_sums, sums.parts[m][0]);
  }
#pragma GCC unroll 4
  for (int g = 0; g < Groups; ++g) {
    const uint8_t* four = p + g * 4 * F::bytes;
    prefetch_lines(four, 4 * F::bytes);
    if constexpr (std::is_same_v<F, Q8_0>) {
#pragma GCC unroll 2
      for (int pair = 0; pair < 2; ++pair) {
        const __m512i u = Wide<F>::pair(four + 2 * pair * F::bytes);
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m) {
          const int64_t at = m * x.stride + (block + 4 * g + 2 * pair) * 32;
          const __m512 by = _mm512_permutexvar_ps(block_places<8>(4 * g + 2 * pair), scales[m]);
          sums.parts[m][pair] = _mm512_fmadd_ps(dot_levels(u, x, at), by, sums.parts[m][pair]);
        }
      }
    } else {
      const Halves u = Wide<F>::four(FourBlocks<F>(four));
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) {
        const __m512 dot = dot_halves(u, x, m * x.stride + (block + 4 * g) * 32);
        const __m512 by = _mm512_permutexvar_ps(block_places<4>(4 * g), scales[m]);
        sums.parts[m][g % 2] = _mm512_fmadd_ps(dot, by, sums.parts[m][g % 2]);
      }
    }
  }
}

template <class F, int M>
HWY_INLINE void wide_row_of_blocks(const uint8_t* p, int64_t k, const Activations& x,
                                   RowSums<M>& sums) {
  const int64_t blocks = k / 32;
  int64_t block = 0;
  for (; block + 16 <= blocks; block += 16) {
    wide_blocks<F, M, 4>(p + block * F::bytes, block, x, sums);
  }
  for (; block + 4 <= blocks; block += 4) {
    wide_blocks<F, M, 1>(p + block * F::bytes, block, x, sums);
  }
  if (block < blocks) {
    // Beside blocks of zeros, whose scales are zeros.
    alignas(64) uint8_t rest[4 * F::bytes] = {};
    std::memcpy(rest, p + block * F::bytes, static_cast<size_t>((blocks - block) * F::bytes));
    wide_blocks<F, M, 1>(rest, block, x, sums);
  }
}

// Four vectors to one whose 128-bit part r holds four partial sums of vector r.
HWY_INLINE __m512 fold_rows(const __m512& a, const __m512& b, const __m512& c, const __m512& d) {
  const __m512 ab =
      _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
  const __m512 cd =
      _mm512_add_ps(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xee));
  return _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
}

// The sums of the four 128-bit parts.
HWY_INLINE __m128 fold_parts(__m512 v) {
  v = _mm512_add_ps(v, _mm512_permute_ps(v, 0xb1));
  v = _mm512_add_ps(v, _mm512_permute_ps(v, 0x4e));
  const __m512i places = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 8, 4, 0);
  return _mm512_castps512_ps128(_mm512_permutexvar_ps(places, v));
}

// Scales of four blocks of 256, of which the first `count` exist: lanes 0..7 d * s, lanes 8..15
// e * m of each. The header is d, e and the 12 bytes of 6-bit s and m.
HWY_INLINE void six_bit_scales(const uint8_t* p, int64_t count, int64_t block_bytes,
                               __m512 (&out)[4]) {
  const auto part = [&](int64_t r) {
    return _mm_loadu_si128(
        reinterpret_cast<const __m128i*>(p + HWY_MIN(r, count - 1) * block_bytes));
  };
  __m512i header = _mm512_castsi128_si512(part(0));
  header = _mm512_inserti32x4(header, part(1), 1);
  header = _mm512_inserti32x4(header, part(2), 2);
  header = _mm512_inserti32x4(header, part(3), 3);
  const auto each = [](int a, int b, int c, int d) {
    return _mm512_broadcast_i32x4(_mm_setr_epi32(a, b, c, d));
  };
  // Words of a part: d and e, then a, b, c. Bytes s0..3, s4..7, m0..3, m4..7 come from a, c, b, c,
  // with the top bits of s4..7 and m4..7 from a and b.
  const __m512i lows = _mm512_and_si512(
      _mm512_srlv_epi32(_mm512_shuffle_epi32(header, static_cast<_MM_PERM_ENUM>(0xed)),
                        each(0, 0, 0, 4)),
      each(0x3f3f3f3f, 0x0f0f0f0f, 0x3f3f3f3f, 0x0f0f0f0f));
  const __m512i tops =
      _mm512_srli_epi32(_mm512_shuffle_epi32(header, static_cast<_MM_PERM_ENUM>(0xa5)), 2);
  const __m512i bytes =
      _mm512_or_si512(lows, _mm512_and_si512(tops, each(0, 0x30303030, 0, 0x30303030)));
  const __m512i half_places =
      _mm512_set_epi16(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  //
                       25, 24, 17, 16, 9, 8, 1, 0);
  const __m512 halves =
      _mm512_cvtph_ps(_mm512_castsi512_si256(_mm512_permutexvar_epi16(half_places, header)));
  const __m512i spread = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i which = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    const __m512i places = _mm512_add_epi32(spread, _mm512_set1_epi32(16 * r));
    const __m512i small = _mm512_maskz_permutexvar_epi8(0x1111111111111111u, places, bytes);
    const __m512 both =
        _mm512_permutexvar_ps(_mm512_add_epi32(which, _mm512_set1_epi32(2 * r)), halves);
    out[r] = _mm512_mul_ps(_mm512_cvtepi32_ps(small), both);
  }
}

// One step of 64 weights of a block of 256; `scales` has the scales of its groups in order.
template <class F, int M, int Step>
HWY_INLINE void wide_quarter(const uint8_t* p, int64_t at, const Activations& x,
                             const __m512 (&scales)[M], RowSums<M>& sums) {
  constexpr int a = F::group == 32 ? 2 * Step : 4 * Step;
  constexpr int b = F::group == 32 ? a : a + 1, c = F::group == 32 ? a + 1 : a + 2;
  constexpr int d = F::group == 32 ? a + 1 : a + 3;
  const __m512i places = _mm512_set_epi32(d, d, d, d, c, c, c, c, b, b, b, b, a, a, a, a);
  const __m512i u = Wide<F>::template quarter<Step>(p);
#pragma GCC unroll 4
  for (int m = 0; m < M; ++m) {
    __m512& sum = sums.parts[m][Step % 2];
    const __m512 dot = dot_levels(u, x, m * x.stride + at + 64 * Step);
    sum = _mm512_fmadd_ps(dot, _mm512_permutexvar_ps(places, scales[m]), sum);
  }
}

// A block of 256 at element `at` of its row. `scales`: of its groups, then the biases' if biased.
template <class F, int M>
HWY_INLINE void wide_block(const uint8_t* p, int64_t at, __m512 scales, const Activations& x,
                           RowSums<M>& sums) {
  __m512 products[M];
#pragma GCC unroll 4
  for (int m = 0; m < M; ++m) {
    const __m256 eight = _mm256_loadu_ps(x.scales + m * x.runs() + at / 32);
    __m512 levels_scale, bias_sums;
    if constexpr (F::biased) {
      levels_scale = _mm512_broadcast_f32x8(eight);
      bias_sums =
          _mm512_maskz_broadcast_f32x8(0xff00, _mm256_loadu_ps(x.sums32 + m * x.runs() + at / 32));
    } else {
      const __m512i twice = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
      levels_scale = _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(eight));
      bias_sums =
          _mm512_mul_ps(_mm512_loadu_ps(x.sums16 + 2 * m * x.runs() + at / 16), _mm512_set1_ps(32));
    }
    products[m] = _mm512_mul_ps(scales, levels_scale);
    sums.parts[m][1] = _mm512_fnmadd_ps(scales, bias_sums, sums.parts[m][1]);
  }
  prefetch_lines(p, F::bytes);
  wide_quarter<F, M, 0>(p, at, x, products, sums);
  wide_quarter<F, M, 1>(p, at, x, products, sums);
  wide_quarter<F, M, 2>(p, at, x, products, sums);
  wide_quarter<F, M, 3>(p, at, x, products, sums);
}

template <class F, int M>
HWY_INLINE void wide_row_of_superblocks(const uint8_t* p, int64_t k, const Activations& x,
                                        RowSums<M>& sums) {
  for (int64_t at = 0; at < k; at += 4 * 256, p += 4 * F::bytes) {
    const int64_t count = HWY_MIN((k - at) / 256, int64_t{4});
    __m512 scales[4];
    if constexpr (F::biased) {
      six_bit_scales(p, count, F::bytes, scales);
    } else {
      for (int64_t b = 0; b < count; ++b) {
        const uint8_t* block = p + b * F::bytes;
        const __m128i small = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 192));
        scales[b] = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(small)),
                                  _mm512_set1_ps(half_at(block + F::scale_at)));
      }
    }
    for (int64_t b = 0; b < count; ++b) {
      wide_block<F, M>(p + b * F::bytes, at + 256 * b, scales[b], x, sums);
    }
  }
}

// Whether this file has the format: the others are rare and go the portable way.
template <class F>
constexpr bool has_wide_rows = !std::is_same_v<F, Q2_K> && !std::is_same_v<F, Q3_K>;

// out[m][r] = the product of row r of four, or of the `count` that exist, with row m of x.
template <class F, int M>
HWY_INLINE void wide_group(const uint8_t* p, int64_t count, int64_t row_bytes, int64_t k,
                           const Activations& x, float (&out)[M][wide_rows]) {
  __m512 totals[wide_rows][M];
  for (int64_t r = 0; r < wide_rows; ++r) {
    RowSums<M> sums;
    if (r < count) {
      if constexpr (F::elements == 32) {
        wide_row_of_blocks<F, M>(p + r * row_bytes, k, x, sums);
      } else {
        wide_row_of_superblocks<F, M>(p + r * row_bytes, k, x, sums);
      }
    }
    for (int m = 0; m < M; ++m) totals[r][m] = _mm512_add_ps(sums.parts[m][0], sums.parts[m][1]);
  }
  for (int m = 0; m < M; ++m) {
    _mm_storeu_ps(out[m],
                  fold_parts(fold_rows(totals[0][m], totals[1][m], totals[2][m], totals[3][m])));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu::packed
HWY_AFTER_NAMESPACE();

#endif  // LAZULI_PACKED_ROWS_WIDE_INL_H_
