// Reading quantised rows: levels to bytes, scales and biases to floats.

#if defined(LAZULI_QUANTIZED_LEVELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LAZULI_QUANTIZED_LEVELS_INL_H_
#undef LAZULI_QUANTIZED_LEVELS_INL_H_
#else
#define LAZULI_QUANTIZED_LEVELS_INL_H_
#endif

#include <string.h>

#include <type_traits>

#include "backends/cpu/kernels/packed/packed_floats-inl.h"
#include "backends/cpu/kernels/quantized/quantized_matmul.h"
#include "hwy/highway.h"
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
#include <immintrin.h>
#endif

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::packed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Eight levels of Bits bits, lowest first, to eight bytes.
template <int Bits>
HWY_INLINE uint64_t spread_levels(uint64_t packed) {
  constexpr uint64_t mask = UINT64_C(0x0101010101010101) * ((1 << Bits) - 1);
#if HWY_ARCH_X86_64 && HWY_TARGET <= HWY_AVX2
  return _pdep_u64(packed, mask);
#else
  // Halves, quarters and eighths of the levels move to their places in turn.
  uint64_t v = (packed & ((UINT64_C(1) << (4 * Bits)) - 1)) | (packed >> (4 * Bits) << 32);
  constexpr uint64_t two = (UINT64_C(1) << (2 * Bits)) - 1;
  v = (v & (two | two << 32)) | ((v >> (2 * Bits) & (two | two << 32)) << 16);
  constexpr uint64_t one = UINT64_C(0x0001000100010001) * ((1 << Bits) - 1);
  return ((v & one) | ((v >> Bits & one) << 8)) & mask;
#endif
}

// The 8 * Bits bits from p on; nothing behind `end` is read.
template <int Bits>
HWY_INLINE uint64_t load_bits(const uint8_t* p, const uint8_t* end) {
  uint64_t packed = 0;
  if (end - p >= 8) {
    memcpy(&packed, p, 8);
  } else {
    for (int i = 0; i < Bits; ++i) packed |= static_cast<uint64_t>(p[i]) << (8 * i);
  }
  return packed & (~UINT64_C(0) >> (64 - 8 * Bits));
}

#if HWY_ARCH_X86_64 && HWY_TARGET <= HWY_AVX3_DL
// `count` <= 64 levels: each eight bytes take the window of bytes that hold their levels, then each
// byte its bits from the window.
template <int Bits>
HWY_INLINE void unpack_vector(const uint8_t* p, int64_t count, uint8_t* out) {
  alignas(64) static constexpr auto windows = [] {
    struct {
      uint8_t at[64];
    } t{};
    for (int i = 0; i < 64; ++i) t.at[i] = static_cast<uint8_t>(i / 8 * Bits + i % 8);
    return t;
  }();
  constexpr uint64_t step = UINT64_C(0x0706050403020100) * Bits;
  const __mmask64 bytes = ~UINT64_C(0) >> (64 - count * Bits / 8);
  const __m512i packed = _mm512_maskz_loadu_epi8(bytes, p);
  const __m512i window = _mm512_permutexvar_epi8(_mm512_load_si512(windows.at), packed);
  const __m512i shifted =
      _mm512_multishift_epi64_epi8(_mm512_set1_epi64(static_cast<int64_t>(step)), window);
  const __m512i levels = _mm512_and_si512(shifted, _mm512_set1_epi8((1 << Bits) - 1));
  _mm512_mask_storeu_epi8(out, ~UINT64_C(0) >> (64 - count), levels);
}
#endif

// `count` levels, a multiple of 32, from the byte at p on. Stored 16 or more at a time, for the
// loads that follow.
template <int Bits>
HWY_INLINE void unpack_levels(const uint8_t* p, int64_t count, uint8_t* out) {
  if constexpr (Bits == 8) {
    memcpy(out, p, static_cast<size_t>(count));
  } else {
#if HWY_ARCH_X86_64 && HWY_TARGET <= HWY_AVX3_DL
    for (int64_t i = 0; i < count; i += 64) {
      unpack_vector<Bits>(p + i * Bits / 8, HWY_MIN(count - i, int64_t{64}), out + i);
    }
#else
    const hn::FixedTag<uint8_t, 16> d;
    if constexpr (Bits == 4) {
      const auto low = hn::Set(d, 15);
      for (int64_t i = 0; i < count; i += 32) {
        const auto bytes = hn::LoadU(d, p + i / 2);
        const auto even = hn::And(bytes, low), odd = hn::ShiftRight<4>(bytes);
        hn::StoreU(hn::InterleaveLower(d, even, odd), d, out + i);
        hn::StoreU(hn::InterleaveUpper(d, even, odd), d, out + i + 16);
      }
    } else {
      const hn::FixedTag<uint64_t, 2> d64;
      const uint8_t* end = p + count * Bits / 8;
      for (int64_t i = 0; i < count; i += 16, p += 2 * Bits) {
        const uint64_t first = spread_levels<Bits>(load_bits<Bits>(p, end));
        const uint64_t last = spread_levels<Bits>(load_bits<Bits>(p + Bits, end));
        hn::StoreU(hn::BitCast(d, hn::Dup128VecFromValues(d64, first, last)), d, out + i);
      }
    }
#endif
  }
}

// Element `index` of scales or biases.
HWY_INLINE float float_at(const void* values, Dtype dtype, int64_t index) {
  switch (dtype.val()) {
    case Dtype::Val::float32: return static_cast<const float*>(values)[index];
    case Dtype::Val::bfloat16: return static_cast<const bfloat16_t*>(values)[index];
    default: return static_cast<const float16_t*>(values)[index];
  }
}

// Elements [first, first + count) of scales or biases as floats; `out` has room for floats_room
// more, which may be overwritten: full stores, because what a masked one stores is slow to load
// again.
constexpr int64_t floats_room = 16;
HWY_INLINE void floats_at(const void* values, Dtype dtype, int64_t first, int64_t count,
                          float* out) {
  const hn::CappedTag<float, 16> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  with_float(dtype, [&](auto t) HWY_ATTR {
    const auto* from = static_cast<const decltype(t)*>(values) + first;
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      hn::StoreU(load_floats(d, from + i), d, out + i);
    }
    const auto rest = static_cast<size_t>(count - i);
    if (rest != 0) hn::StoreU(load_floats(d, from + i, rest), d, out + i);
  });
}

// Calls call(std::integral_constant<int, bits>()) for a number of bits that `quantize` accepts.
template <class Call>
HWY_INLINE void with_bits(int bits, const Call& call) {
  switch (bits) {
    case 1: return call(std::integral_constant<int, 1>());
    case 2: return call(std::integral_constant<int, 2>());
    case 3: return call(std::integral_constant<int, 3>());
    case 4: return call(std::integral_constant<int, 4>());
    case 5: return call(std::integral_constant<int, 5>());
    case 6: return call(std::integral_constant<int, 6>());
    default: return call(std::integral_constant<int, 8>());
  }
}

HWY_INLINE const uint8_t* quantized_row(const QuantizedMatrix& w, int64_t row) {
  return reinterpret_cast<const uint8_t*>(w.w_q + row * w.row_words());
}

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu::packed
HWY_AFTER_NAMESPACE();

#endif  // LAZULI_QUANTIZED_LEVELS_INL_H_
