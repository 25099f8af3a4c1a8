// packed_rows on AVX-512 with VNNI: few rows of x, all weights read once, nothing unpacked to memory.
//
// Four rows of w at a time. 64 levels of a row become one vector of unsigned bytes u = level + offset
// in registers; two byte dot products, with the high and the low plane of x, give 16 int32 sums of
// u * x's level, which one multiplication by (scale of w * scale of x) per lane turns into floats.
// `offset` and biases are settled with the ready sums of x, one vector operation per 16 scales.
//
// Floor: the bytes of w; 10 to 12 vector operations on two ports for each 64 weights of 34 to 68
// bytes, so 7 to 15 bytes a cycle and core.

#if defined(LAZULI_PACKED_ROWS_WIDE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LAZULI_PACKED_ROWS_WIDE_INL_H_
#undef LAZULI_PACKED_ROWS_WIDE_INL_H_
#else
#define LAZULI_PACKED_ROWS_WIDE_INL_H_
#endif

#include "backends/cpu/kernels/packed/packed_activations.h"
#include "backends/cpu/kernels/packed/packed_formats-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::packed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int wide_rows = 4;  // of w, together
constexpr int wide_x_rows = 4;  // of x, at the most
constexpr int64_t wide_prefetch = 4096;  // bytes to fetch ahead of the reads, at the least

// Where four rows of w lie from a base on: all alike but for the last ones, where fewer than four
// are left and the last stands in for the missing.
struct RowGroup {
  const uint8_t* base;
  int64_t offset[wide_rows];
  int64_t ahead;  // from a byte to one that is read soon: the same place in a later group
  __m512i places;  // lane 4 r + b: where block b of row r begins, for blocks of 32

  RowGroup(const uint8_t* first, int64_t rows, int64_t row_bytes, int block_bytes) : base(first) {
    int32_t lanes[16];
    for (int64_t r = 0; r < wide_rows; ++r) {
      offset[r] = (r < rows ? r : rows - 1) * row_bytes;
      for (int b = 0; b < 4; ++b) {
        lanes[4 * r + b] = static_cast<int32_t>(offset[r]) + b * block_bytes;
      }
    }
    places = _mm512_loadu_si512(lanes);
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

HWY_INLINE __m512i two_halves(const uint8_t* first, const uint8_t* second) {
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first));
  const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(second));
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

HWY_INLINE __m512i both_halves(const uint8_t* p) {
  return _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

// How a format's integers come into registers. Legacy blocks (of 32) come four at a time:
// Wide<F>::four gives the first and the last halves of four blocks as two vectors; blocks of 256 as
// quarters in element order. Both are levels plus `offset`.
template <class F>
struct Wide;

// Four blocks of 32 of one row: `first` and three more, each `step` bytes on (0 behind the end).
struct FourBlocks {
  const uint8_t* first;
  int64_t step[3];
};

struct Halves {
  __m512i first, last;
};

// 16 bytes of each block at `at`.
HWY_INLINE __m512i four_parts(const FourBlocks& b, int at) {
  const auto part = [&](const uint8_t* p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + at));
  };
  __m512i bytes = _mm512_broadcast_i32x4(part(b.first));
  bytes = _mm512_mask_broadcast_i32x4(bytes, 0x00f0, part(b.first + b.step[0]));
  bytes = _mm512_mask_broadcast_i32x4(bytes, 0x0f00, part(b.first + b.step[1]));
  return _mm512_mask_broadcast_i32x4(bytes, 0xf000, part(b.first + b.step[2]));
}

HWY_INLINE Halves four_nibble_blocks(const FourBlocks& b, int at) {
  const __m512i bytes = four_parts(b, at), low = _mm512_set1_epi8(15);
  return {_mm512_and_si512(bytes, low), _mm512_and_si512(_mm512_srli_epi64(bytes, 4), low)};
}

// The same with fifth bits. `heads` holds the first eight bytes of the blocks of this row and of
// another one, four and four; the bits of a block lie at byte BitsAt of its eight.
template <int BitsAt>
HWY_INLINE Halves four_five_bit_blocks(const FourBlocks& b, int at, __m512i heads, int row) {
  const __m512i bytes = four_parts(b, at), low = _mm512_set1_epi8(15);
  // Bit j of a byte B to bit 4 of byte j of eight: the bit matrix with row B for output bit 4 times
  // the one-hot bytes. The matrix is B in byte 3 of the eight.
  const __m512i one_hot = _mm512_set1_epi64(INT64_C(0x8040201008040201));
  const __m512i blocks = _mm512_set_epi64(25, 24, 17, 16, 9, 8, 1, 0);
  const __m512i places =
      _mm512_slli_epi64(_mm512_add_epi64(blocks, _mm512_set1_epi64(32 * row + BitsAt)), 24);
  const __m512i places2 = _mm512_add_epi64(places, _mm512_set1_epi64(INT64_C(2) << 24));
  constexpr __mmask64 third_bytes = 0x0808080808080808u;
  const __m512i first = _mm512_gf2p8affine_epi64_epi8(
      one_hot, _mm512_maskz_permutexvar_epi8(third_bytes, places, heads), 0);
  const __m512i last = _mm512_gf2p8affine_epi64_epi8(
      one_hot, _mm512_maskz_permutexvar_epi8(third_bytes, places2, heads), 0);
  // (bytes & 15) | fifth bits
  return {_mm512_ternarylogic_epi64(bytes, first, low, 0xec),
          _mm512_ternarylogic_epi64(_mm512_srli_epi64(bytes, 4), last, low, 0xec)};
}

template <>
struct Wide<Q4_0> {
  static constexpr int offset = 8;
  static HWY_INLINE Halves four(const FourBlocks& b, __m512i, int) {
    return four_nibble_blocks(b, 2);
  }
};

template <>
struct Wide<Q4_1> {
  static constexpr int offset = 0;
  static HWY_INLINE Halves four(const FourBlocks& b, __m512i, int) {
    return four_nibble_blocks(b, 4);
  }
};

template <>
struct Wide<Q5_0> {
  static constexpr int offset = 16;
  static HWY_INLINE Halves four(const FourBlocks& b, __m512i heads, int row) {
    return four_five_bit_blocks<2>(b, 6, heads, row);
  }
};

template <>
struct Wide<Q5_1> {
  static constexpr int offset = 0;
  static HWY_INLINE Halves four(const FourBlocks& b, __m512i heads, int row) {
    return four_five_bit_blocks<4>(b, 8, heads, row);
  }
};

template <>
struct Wide<Q8_0> {
  static constexpr int offset = 128;
  static HWY_INLINE __m512i pair(const uint8_t* a, const uint8_t* b) {
    return _mm512_xor_si512(two_halves(a + 2, b + 2), _mm512_set1_epi8(-128));
  }
};

HWY_INLINE __m512i run_nibbles(const uint8_t* p) {
  const __m512i shifts = _mm512_set_epi64(4, 4, 4, 4, 0, 0, 0, 0);
  return _mm512_and_si512(_mm512_srlv_epi64(both_halves(p), shifts), _mm512_set1_epi8(15));
}

template <>
struct Wide<Q4_K> {
  template <int Step>
  static HWY_INLINE __m512i quarter(const uint8_t* p) {
    return run_nibbles(p + 16 + 32 * Step);
  }
};

template <>
struct Wide<Q5_K> {
  template <int Step>
  static HWY_INLINE __m512i quarter(const uint8_t* p) {
    // Rotated so that the sub-block's bit comes to bit 4 of each byte.
    constexpr int64_t first = (2 * Step - 4) & 63, second = (2 * Step - 3) & 63;
    const __m512i turns =
        _mm512_set_epi64(second, second, second, second, first, first, first, first);
    const __m512i tops = _mm512_rorv_epi64(both_halves(p + 16), turns);
    return _mm512_or_si512(run_nibbles(p + 48 + 32 * Step),
                           _mm512_and_si512(tops, _mm512_set1_epi8(16)));
  }
};

template <>
struct Wide<Q6_K> {
  template <int Step>
  static HWY_INLINE __m512i quarter(const uint8_t* p) {
    constexpr int half = Step / 2;
    __m512i nibbles = _mm512_loadu_si512(p + 64 * half);
    __m512i tops = both_halves(p + 128 + 32 * half);
    if constexpr (Step % 2 == 0) {
      tops = _mm512_sllv_epi64(tops, _mm512_set_epi64(2, 2, 2, 2, 4, 4, 4, 4));
    } else {
      nibbles = _mm512_srli_epi64(nibbles, 4);
      tops = _mm512_srlv_epi64(tops, _mm512_set_epi64(2, 2, 2, 2, 0, 0, 0, 0));
    }
    // (nibbles & 15) | (tops & ~15), then the six bits that count.
    const __m512i merged = _mm512_ternarylogic_epi64(nibbles, tops, _mm512_set1_epi8(15), 0xe4);
    return _mm512_and_si512(merged, _mm512_set1_epi8(0x3f));
  }
};

// 16 sums of four products u * level each, as floats.
HWY_INLINE __m512 dot_levels(__m512i u, const Activations& x, int64_t at) {
  const __m512i high = _mm512_loadu_si512(x.high + at);
  const __m512i low = _mm512_loadu_si512(x.low + at);
  const __m512i tops = _mm512_dpbusd_epi32(_mm512_setzero_si512(), u, high);
  return _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(_mm512_slli_epi32(tops, 7), u, low));
}

// 16 sums of eight products: lanes 4 b.. belong to block b of four.
HWY_INLINE __m512 dot_halves(const Halves& u, const Activations& x, int64_t at) {
  const auto plane = [&](const int8_t* p) { return _mm512_loadu_si512(p + at); };
  __m512i sum = _mm512_dpbusd_epi32(_mm512_setzero_si512(), u.first, plane(x.high_split));
  sum = _mm512_dpbusd_epi32(sum, u.last, plane(x.high_split + 64));
  sum = _mm512_slli_epi32(sum, 7);
  sum = _mm512_dpbusd_epi32(sum, u.first, plane(x.low_split));
  sum = _mm512_dpbusd_epi32(sum, u.last, plane(x.low_split + 64));
  return _mm512_cvtepi32_ps(sum);
}

// The first eight bytes of four blocks in each of four rows; lane 4 r + b of `places` says where
// block b of row r lies. Blocks from `left` on are zeros if Tail.
template <bool Tail>
HWY_INLINE void load_heads(const uint8_t* base, __m512i places, int64_t left, __m512i (&heads)[2]) {
  const __m256i rows01 = _mm512_castsi512_si256(places);
  const __m256i rows23 = _mm512_extracti64x4_epi64(places, 1);
  if constexpr (Tail) {
    const auto mask = static_cast<__mmask8>(((1 << left) - 1) * 0x11);
    const __m512i zero = _mm512_setzero_si512();
    heads[0] = _mm512_mask_i32gather_epi64(zero, mask, rows01, base, 1);
    heads[1] = _mm512_mask_i32gather_epi64(zero, mask, rows23, base, 1);
  } else {
    heads[0] = _mm512_i32gather_epi64(rows01, base, 1);
    heads[1] = _mm512_i32gather_epi64(rows23, base, 1);
  }
}

// Word `word` of each head as a float16: lane 4 r + b.
HWY_INLINE __m512 head_halves(const __m512i (&heads)[2], int word) {
  const __m512i fourths =
      _mm512_set_epi16(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  //
                       60, 56, 52, 48, 44, 40, 36, 32, 28, 24, 20, 16, 12, 8, 4, 0);
  const __m512i places = _mm512_add_epi16(fourths, _mm512_set1_epi16(static_cast<int16_t>(word)));
  return _mm512_cvtph_ps(
      _mm512_castsi512_si256(_mm512_permutex2var_epi16(heads[0], places, heads[1])));
}

// Places of the scales of row `row` for lanes that belong to blocks 0 0 0 0 1 1 1 1 2 ..., and for
// lanes that belong to blocks 2 * pair (eight) and 2 * pair + 1.
HWY_INLINE __m512i four_block_places(int row) {
  const __m512i blocks = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
  return _mm512_add_epi32(blocks, _mm512_set1_epi32(4 * row));
}

HWY_INLINE __m512i two_block_places(int row, int pair) {
  const __m512i blocks = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  return _mm512_add_epi32(blocks, _mm512_set1_epi32(4 * row + 2 * pair));
}

// Four blocks of 32 of each of four rows, of which `left` exist if Tail.
template <class F, int M, bool Tail>
HWY_INLINE void wide_blocks(const RowGroup& w, int64_t block, int64_t left, const Activations& x,
                            WideSums<M>& sums, __m512 (&biases)[M]) {
  const uint8_t* base = w.base + block * F::bytes;
  __m512i heads[2];
  load_heads<Tail>(base, w.places, left, heads);
  const __m512 scale = head_halves(heads, F::scale_at / 2);
  const __m512 bias = F::biased ? head_halves(heads, F::bias_at / 2)
                                : _mm512_mul_ps(scale, _mm512_set1_ps(-Wide<F>::offset));
  __m512 scales[M];
  for (int m = 0; m < M; ++m) {
    const int64_t at = m * x.runs() + block;
    scales[m] = _mm512_mul_ps(scale, _mm512_broadcast_f32x4(_mm_loadu_ps(x.scales + at)));
    biases[m] =
        _mm512_fmadd_ps(bias, _mm512_broadcast_f32x4(_mm_loadu_ps(x.sums32 + at)), biases[m]);
  }
  FourBlocks blocks = {base, {F::bytes, 2 * F::bytes, 3 * F::bytes}};
  for (int64_t b = left; Tail && b < 4; ++b) blocks.step[b - 1] = 0;
#pragma GCC unroll 4
  for (int r = 0; r < wide_rows; ++r) {
    blocks.first = base + w.offset[r];
    for (int line = 0; line < 4 * F::bytes; line += 64) {
      _mm_prefetch(reinterpret_cast<const char*>(blocks.first + w.ahead + line), _MM_HINT_T0);
    }
    if constexpr (std::is_same_v<F, Q8_0>) {
#pragma GCC unroll 2
      for (int pair = 0; pair < 2; ++pair) {
        const uint8_t* first = blocks.first + (pair == 0 ? 0 : blocks.step[1]);
        const uint8_t* second = blocks.first + blocks.step[2 * pair];
        const __m512i u = Wide<F>::pair(first, second);
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m) {
          const __m512 dot = dot_levels(u, x, m * x.stride + (block + 2 * pair) * 32);
          const __m512 by = _mm512_permutexvar_ps(two_block_places(r, pair), scales[m]);
          sums.row[r][m] = _mm512_fmadd_ps(dot, by, sums.row[r][m]);
        }
      }
    } else {
      const Halves u = Wide<F>::four(blocks, heads[r / 2], r % 2);
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) {
        const __m512 dot = dot_halves(u, x, m * x.stride + block * 32);
        const __m512 by = _mm512_permutexvar_ps(four_block_places(r), scales[m]);
        sums.row[r][m] = _mm512_fmadd_ps(dot, by, sums.row[r][m]);
      }
    }
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

template <class F, int M>
HWY_INLINE void wide_pairs_group(const RowGroup& w, int64_t k, const Activations& x,
                                 float (&out)[M][wide_rows]) {
  WideSums<M> sums;
  __m512 biases[M];
  for (int m = 0; m < M; ++m) {
    biases[m] = _mm512_setzero_ps();
    for (int r = 0; r < wide_rows; ++r) sums.row[r][m] = _mm512_setzero_ps();
  }
  const int64_t blocks = k / 32;
  int64_t block = 0;
  for (; block + 4 <= blocks; block += 4) {
    wide_blocks<F, M, false>(w, block, 4, x, sums, biases);
  }
  if (block < blocks) {
    wide_blocks<F, M, true>(w, block, blocks - block, x, sums, biases);
  }
  for (int m = 0; m < M; ++m) {
    const __m512 folded = fold_rows(sums.row[0][m], sums.row[1][m], sums.row[2][m], sums.row[3][m]);
    _mm_storeu_ps(out[m], fold_parts(_mm512_add_ps(folded, biases[m])));
  }
}

// Scales of one block of 256 in each of four rows: lanes 0..7 d * s, lanes 8..15 e * m of row r.
// The header is d, e and the 12 bytes of 6-bit s and m.
HWY_INLINE void six_bit_scales(const uint8_t* p, const RowGroup& w, __m512 (&out)[wide_rows]) {
  __m512i header =
      _mm512_castsi128_si512(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + w.offset[0])));
  const auto part = [&](int r) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + w.offset[r]));
  };
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
  for (int r = 0; r < wide_rows; ++r) {
    const __m512i places = _mm512_add_epi32(spread, _mm512_set1_epi32(16 * r));
    const __m512i small = _mm512_maskz_permutexvar_epi8(0x1111111111111111u, places, bytes);
    const __m512 both =
        _mm512_permutexvar_ps(_mm512_add_epi32(which, _mm512_set1_epi32(2 * r)), halves);
    out[r] = _mm512_mul_ps(_mm512_cvtepi32_ps(small), both);
  }
}

// One step of 64 weights of a block of 256; `scales` has the scales of its groups in order.
template <class F, int M, int Step>
HWY_INLINE void wide_quarter(const uint8_t* p, int64_t ahead, int64_t at, const Activations& x,
                             const __m512 (&scales)[M], __m512 (&sums)[M]) {
  constexpr int a = F::group == 32 ? 2 * Step : 4 * Step;
  constexpr int b = F::group == 32 ? a : a + 1, c = F::group == 32 ? a + 1 : a + 2;
  constexpr int d = F::group == 32 ? a + 1 : a + 3;
  const __m512i places = _mm512_set_epi32(d, d, d, d, c, c, c, c, b, b, b, b, a, a, a, a);
  _mm_prefetch(reinterpret_cast<const char*>(p + Step * (F::bytes / 4) + ahead), _MM_HINT_T0);
  const __m512i u = Wide<F>::template quarter<Step>(p);
#pragma GCC unroll 4
  for (int m = 0; m < M; ++m) {
    const __m512 dot = dot_levels(u, x, m * x.stride + at + 64 * Step);
    sums[m] = _mm512_fmadd_ps(dot, _mm512_permutexvar_ps(places, scales[m]), sums[m]);
  }
}

template <class F, int M>
HWY_INLINE void wide_block(const RowGroup& w, int64_t block, const Activations& x,
                           WideSums<M>& sums) {
  const uint8_t* base = w.base + block * F::bytes;
  const int64_t at = block * 256;
  __m512 scales[wide_rows], levels_scale[M], bias_sums[M];
  for (int m = 0; m < M; ++m) {
    const __m256 eight = _mm256_loadu_ps(x.scales + m * x.runs() + at / 32);
    if constexpr (F::biased) {
      const __m256 run_sums = _mm256_loadu_ps(x.sums32 + m * x.runs() + at / 32);
      levels_scale[m] = _mm512_broadcast_f32x8(eight);
      bias_sums[m] = _mm512_maskz_broadcast_f32x8(0xff00, run_sums);
    } else {
      const __m512i twice = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
      levels_scale[m] = _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(eight));
      bias_sums[m] =
          _mm512_mul_ps(_mm512_loadu_ps(x.sums16 + 2 * m * x.runs() + at / 16), _mm512_set1_ps(32));
    }
  }
  if constexpr (F::biased) six_bit_scales(base, w, scales);
#pragma GCC unroll 4
  for (int r = 0; r < wide_rows; ++r) {
    const uint8_t* p = base + w.offset[r];
    if constexpr (!F::biased) {
      const __m128i small = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 192));
      scales[r] = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(small)),
                                _mm512_set1_ps(half_at(p + F::scale_at)));
    }
    __m512 products[M];
    for (int m = 0; m < M; ++m) {
      products[m] = _mm512_mul_ps(scales[r], levels_scale[m]);
      sums.row[r][m] = _mm512_fnmadd_ps(scales[r], bias_sums[m], sums.row[r][m]);
    }
    wide_quarter<F, M, 0>(p, w.ahead, at, x, products, sums.row[r]);
    wide_quarter<F, M, 1>(p, w.ahead, at, x, products, sums.row[r]);
    wide_quarter<F, M, 2>(p, w.ahead, at, x, products, sums.row[r]);
    wide_quarter<F, M, 3>(p, w.ahead, at, x, products, sums.row[r]);
  }
}

template <class F, int M>
HWY_INLINE void wide_blocks_group(const RowGroup& w, int64_t k, const Activations& x,
                                  float (&out)[M][wide_rows]) {
  WideSums<M> sums;
  for (int m = 0; m < M; ++m) {
    for (int r = 0; r < wide_rows; ++r) sums.row[r][m] = _mm512_setzero_ps();
  }
  for (int64_t block = 0; block < k / 256; ++block) wide_block<F, M>(w, block, x, sums);
  for (int m = 0; m < M; ++m) {
    const __m512 folded = fold_rows(sums.row[0][m], sums.row[1][m], sums.row[2][m], sums.row[3][m]);
    _mm_storeu_ps(out[m], fold_parts(folded));
  }
}

// Whether this file has the format: the others are rare and go the portable way.
template <class F>
constexpr bool has_wide_rows = !std::is_same_v<F, Q2_K> && !std::is_same_v<F, Q3_K>;

// out[m][r] = the product of row r of the group with row m of x.
template <class F, int M>
HWY_INLINE void wide_group(const RowGroup& w, int64_t k, const Activations& x,
                           float (&out)[M][wide_rows]) {
  if constexpr (F::elements == 32) {
    wide_pairs_group<F, M>(w, k, x, out);
  } else {
    wide_blocks_group<F, M>(w, k, x, out);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu::packed
HWY_AFTER_NAMESPACE();

#endif  // LAZULI_PACKED_ROWS_WIDE_INL_H_
