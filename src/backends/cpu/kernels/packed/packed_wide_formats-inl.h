// How the packed formats' integers come into AVX-512 registers, for packed_rows_wide-inl.h.

#if defined(LAZULI_PACKED_WIDE_FORMATS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LAZULI_PACKED_WIDE_FORMATS_INL_H_
#undef LAZULI_PACKED_WIDE_FORMATS_INL_H_
#else
#define LAZULI_PACKED_WIDE_FORMATS_INL_H_
#endif

#include "backends/cpu/kernels/packed/packed_formats-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::packed {
namespace HWY_NAMESPACE {

HWY_INLINE __m512i two_halves(const uint8_t* first, const uint8_t* second) {
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first));
  const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(second));
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

HWY_INLINE __m512i both_halves(const uint8_t* p) {
  return _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

// How a format's integers come into registers, as levels plus `offset`. Legacy blocks (of 32) come
// four at a time: Wide<F>::four gives the first and the last halves of four blocks as two vectors
// (Q8_0: `pair` two blocks in one); blocks of 256 as quarters in element order.
template <class F>
struct Wide;

struct Halves {
  __m512i first, last;
};

// Four blocks of 32, one behind the other, as two overlapping loads.
template <class F>
struct FourBlocks {
  static constexpr int second = HWY_MIN(2 * F::bytes, 4 * F::bytes - 64);
  const uint8_t* p;
  __m512i front, back;

  explicit HWY_INLINE FourBlocks(const uint8_t* at)
      : p(at), front(_mm512_loadu_si512(at)), back(_mm512_loadu_si512(at + second)) {}

  // The place of a byte of the four blocks among the 128 bytes loaded.
  static constexpr int place(int byte) { return byte < 64 ? byte : 64 + byte - second; }
};

// The word `at` of four blocks, in words 4 g ... 4 g + 3 of the result; zeros elsewhere.
template <class F>
HWY_INLINE __m512i block_words(const FourBlocks<F>& blocks, int at, int g) {
  const auto word = [&](int b) {
    return static_cast<int64_t>(FourBlocks<F>::place(b * F::bytes + at) / 2) << (16 * b);
  };
  const __m512i places = _mm512_set1_epi64(word(0) | word(1) | word(2) | word(3));
  return _mm512_maskz_permutex2var_epi16(0xfu << (4 * g), blocks.front, places, blocks.back);
}

// Byte places for a permute of FourBlocks: lane i wants byte `of(i)` of the four blocks.
struct BytePlaces {
  alignas(64) uint8_t lanes[64];
  __m512i vector() const { return _mm512_load_si512(lanes); }
};
template <class F, class Of>
constexpr BytePlaces byte_places(Of of) {
  BytePlaces places{};
  for (int i = 0; i < 64; ++i) {
    places.lanes[i] = static_cast<uint8_t>(FourBlocks<F>::place(of(i)));
  }
  return places;
}

// 16 bytes of each block from byte At of it on.
template <int At, class F>
HWY_INLINE __m512i four_parts(const FourBlocks<F>& b) {
  static constexpr BytePlaces places =
      byte_places<F>([](int i) { return i / 16 * F::bytes + At + i % 16; });
  return _mm512_permutex2var_epi8(b.front, places.vector(), b.back);
}

template <int At, class F>
HWY_INLINE Halves four_nibble_blocks(const FourBlocks<F>& b) {
  const __m512i bytes = four_parts<At>(b), low = _mm512_set1_epi8(15);
  return {_mm512_and_si512(bytes, low), _mm512_and_si512(_mm512_srli_epi64(bytes, 4), low)};
}

// The fifth bits of one half of the four blocks as bytes of 0 or 16; they lie at byte BitsAt.
template <int BitsAt, class F>
HWY_INLINE __m512i fifth_bits(const FourBlocks<F>& b) {
  // Bit j of a byte B to bit 4 of byte j of eight: the bit matrix with row B for output bit 4 times
  // the one-hot bytes. The matrix is B in byte 3 of the eight.
  static constexpr BytePlaces places =
      byte_places<F>([](int i) { return i / 16 * F::bytes + BitsAt + i / 8 % 2; });
  const __m512i one_hot = _mm512_set1_epi64(INT64_C(0x8040201008040201));
  const __m512i rows =
      _mm512_maskz_permutex2var_epi8(0x0808080808080808u, b.front, places.vector(), b.back);
  return _mm512_gf2p8affine_epi64_epi8(one_hot, rows, 0);
}

template <int At, int BitsAt, class F>
HWY_INLINE Halves four_five_bit_blocks(const FourBlocks<F>& b) {
  const __m512i bytes = four_parts<At>(b), low = _mm512_set1_epi8(15);
  // (bytes & 15) | fifth bits
  return {
      _mm512_ternarylogic_epi64(bytes, fifth_bits<BitsAt>(b), low, 0xec),
      _mm512_ternarylogic_epi64(_mm512_srli_epi64(bytes, 4), fifth_bits<BitsAt + 2>(b), low, 0xec)};
}

template <>
struct Wide<Q4_0> {
  static constexpr int offset = 8;
  static HWY_INLINE Halves four(const FourBlocks<Q4_0>& b) { return four_nibble_blocks<2>(b); }
};

template <>
struct Wide<Q4_1> {
  static constexpr int offset = 0;
  static HWY_INLINE Halves four(const FourBlocks<Q4_1>& b) { return four_nibble_blocks<4>(b); }
};

template <>
struct Wide<Q5_0> {
  static constexpr int offset = 16;
  static HWY_INLINE Halves four(const FourBlocks<Q5_0>& b) { return four_five_bit_blocks<6, 2>(b); }
};

template <>
struct Wide<Q5_1> {
  static constexpr int offset = 0;
  static HWY_INLINE Halves four(const FourBlocks<Q5_1>& b) { return four_five_bit_blocks<8, 4>(b); }
};

template <>
struct Wide<Q8_0> {
  static constexpr int offset = 128, bytes = Q8_0::bytes;
  static HWY_INLINE __m512i pair(const uint8_t* p) {
    return _mm512_xor_si512(two_halves(p + 2, p + bytes + 2), _mm512_set1_epi8(-128));
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

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu::packed
HWY_AFTER_NAMESPACE();

#endif  // LAZULI_PACKED_WIDE_FORMATS_INL_H_
