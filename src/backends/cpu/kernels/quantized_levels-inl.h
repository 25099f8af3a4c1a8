// Reading quantised rows: levels to bytes, scales and biases to floats.

#if defined(LAZULI_QUANTIZED_LEVELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LAZULI_QUANTIZED_LEVELS_INL_H_
#undef LAZULI_QUANTIZED_LEVELS_INL_H_
#else
#define LAZULI_QUANTIZED_LEVELS_INL_H_
#endif

#include <string.h>

#include <type_traits>

#include "backends/cpu/kernels/packed_floats-inl.h"
#include "backends/cpu/kernels/quantized_matmul.h"
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

// `count` levels, a multiple of 8, from the byte at p on.
template <int Bits>
HWY_INLINE void unpack_levels(const uint8_t* p, int64_t count, uint8_t* out) {
  if constexpr (Bits == 8) {
    memcpy(out, p, static_cast<size_t>(count));
  } else {
    for (int64_t i = 0; i < count; i += 8, p += Bits) {
      uint64_t packed = 0;
      memcpy(&packed, p, Bits);
      const uint64_t levels = spread_levels<Bits>(packed);
      memcpy(out + i, &levels, 8);
    }
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

// Elements [first, first + count) of scales or biases as floats.
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
    for (; i < count; ++i) out[i] = static_cast<float>(from[i]);
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
