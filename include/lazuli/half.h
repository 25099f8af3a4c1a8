// 16-bit floating point and complex element types, as storage with exact conversions.
//
// float16_t is IEEE 754-2008 binary16, bfloat16_t the upper half of binary32. Conversions from
// float round to nearest, ties to even; NaN stays NaN. Arithmetic happens in float.
#pragma once

#include <bit>
#include <complex>
#include <cstdint>

namespace lazuli {

struct bfloat16_t {
  uint16_t bits = 0;

  bfloat16_t() = default;
  bfloat16_t(float value) : bits(from_float(value)) {}
  operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

 private:
  static uint16_t from_float(float value) {
    uint32_t u = std::bit_cast<uint32_t>(value);
    if ((u & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((u >> 16) | 0x40u);
    return static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
  }
};

struct float16_t {
  uint16_t bits = 0;

  float16_t() = default;
  float16_t(float value) : bits(from_float(value)) {}
  operator float() const { return to_float(bits); }

 private:
  static uint16_t from_float(float value) {
    uint32_t u = std::bit_cast<uint32_t>(value);
    uint32_t sign = (u >> 16) & 0x8000u;
    u &= 0x7fffffffu;
    if (u > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u | ((u >> 13) & 0x1ffu));
    if (u >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // rounds to infinity
    if (u < 0x38800000u) {  // subnormal or zero: the addition rounds at the right bit
      float shifted = std::bit_cast<float>(u) + 0.5f;
      return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
    }
    u += 0xc8000fffu + ((u >> 13) & 1u);
    return static_cast<uint16_t>(sign | (u >> 13));
  }

  static float to_float(uint16_t h) {
    uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
    uint32_t magnitude = h & 0x7fffu;
    if (magnitude >= 0x7c00u) {
      return std::bit_cast<float>(sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13));
    }
    float scaled = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(scaled));
  }
};

using complex64_t = std::complex<float>;

}  // namespace lazuli
