// Conversions of half types, to nearest even; NaN stays NaN.
#pragma once

namespace emulated {

inline unsigned bits_of(float value) { return __builtin_bit_cast(unsigned, value); }
inline float float_of(unsigned bits) { return __builtin_bit_cast(float, bits); }

inline unsigned short half_bits(float value) {
  unsigned bits = bits_of(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return 0x7fff;  // as the GPU's instruction does
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal: the addition rounds at the bit that half precision ends with.
    float rounded = float_of(magnitude) + 0.5f;
    return sign | (bits_of(rounded) - bits_of(0.5f));
  }
  unsigned odd = magnitude >> 13 & 1;
  return sign | ((magnitude - 0x38000000 + 0xfff + odd) >> 13);
}

inline float float_of_half(unsigned short half) {
  unsigned sign = (half & 0x8000u) << 16, magnitude = half & 0x7fff;
  if (magnitude >= 0x7c00) return float_of(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
  if (magnitude >= 0x400) return float_of(sign | ((magnitude << 13) + 0x38000000));
  float value = static_cast<float>(magnitude) * 0x1p-24f;
  return sign ? -value : value;
}

inline unsigned short bfloat_bits(float value) {
  unsigned bits = bits_of(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fff;
  return static_cast<unsigned short>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace emulated
