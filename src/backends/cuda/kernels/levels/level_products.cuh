// Products of levels (small whole numbers, four in a word) with rows of x on tensor cores. Levels
// are exact in the half types, so that only sums in float round; scales come afterwards, in float.
#pragma once

#include "math.cuh"
#include "tiles.cuh"

// The number whose bits, with a level below 128 added, stand for their sum.
template <class T>
constexpr uint32_t magic_bits = is_same<T, half_t>::value ? 0x64646464u : 0x43434343u;
template <class T>
constexpr float magic_number = is_same<T, half_t>::value ? 1024.0f : 128.0f;

template <class T>
__device__ __forceinline__ uint32_t pair_of(float value) {
  return pack_pair<T>(value, value);
}

// Unsigned levels below 128 as two pairs of halves, less `offset`; or with magic_number added where
// that is `Folded` into the minimum.
template <class T, bool Folded>
__device__ __forceinline__ void pairs_of(uint32_t levels, float offset, uint32_t (&to)[2]) {
  to[0] = __byte_perm(levels, magic_bits<T>, 0x4140);
  to[1] = __byte_perm(levels, magic_bits<T>, 0x4342);
  if constexpr (!Folded) {
    uint32_t one = pair_of<T>(1), less = pair_of<T>(-(magic_number<T> + offset));
    to[0] = fma_pair<T>(to[0], one, less);
    to[1] = fma_pair<T>(to[1], one, less);
  }
}

// (word & Mask) | Bits, as one instruction.
template <uint32_t Mask, uint32_t Bits>
__device__ __forceinline__ uint32_t masked_with(uint32_t word) {
#ifdef LAZULI_EMULATED_GPU
  return (word & Mask) | Bits;
#else
  uint32_t to;
  asm("lop3.b32 %0, %1, %2, %3, 0xea;" : "=r"(to) : "r"(word), "n"(Mask), "n"(Bits));
  return to;
#endif
}

// Signed bytes as two pairs. A bfloat has room for seven bits beside the magic number: the eighth
// is subtracted as 128 or 256, which differ in that bit alone.
template <class T>
__device__ __forceinline__ void signed_pairs_of(uint32_t levels, uint32_t (&to)[2]) {
  if constexpr (is_same<T, half_t>::value) {
    uint32_t one = pair_of<T>(1), less = pair_of<T>(-(1024.0f + 128.0f));
    levels ^= 0x80808080u;
    to[0] = fma_pair<T>(__byte_perm(levels, 0x64646464u, 0x4140), one, less);
    to[1] = fma_pair<T>(__byte_perm(levels, 0x64646464u, 0x4342), one, less);
  } else {
    uint32_t minus_one = pair_of<T>(-1);
    for (int i = 0; i < 2; ++i) {
      uint32_t spread = __byte_perm(levels, 0, i == 0 ? 0x4140 : 0x4342);
      uint32_t low = masked_with<0x007f007fu, 0x43004300u>(spread);
      uint32_t sign = masked_with<0x00800080u, 0x43004300u>(spread);
      to[i] = fma_pair<T>(sign, minus_one, low);
    }
  }
}

// A float as the sum of three bfloats, exactly (but for the smallest numbers).
__device__ __forceinline__ void planes_of(float value, float (&planes)[3]) {
  planes[0] = bfloat_t(value);
  // An infinity has no remainder.
  float rest = fabsf(value) <= 3.0e38f ? value - planes[0] : 0.0f;
  planes[1] = bfloat_t(rest);
  planes[2] = rest - planes[1];
}
