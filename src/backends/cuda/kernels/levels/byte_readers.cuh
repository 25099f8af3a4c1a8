// What formats of levels have in common: what they hand out, and bytes where they lie.
#pragma once

#include "types.cuh"

// Two words of four levels, one a byte, which stand for
//   scale[i] * (level - offset) - minimum[i]
// Levels are unsigned and below 128, or the eight bits of a signed number.
struct Run {
  uint32_t levels[2];
  float scale[2], minimum[2];
};

// Which elements of a run of 32 lane t's two words stand for.
enum class Order {
  wide,      // 8t..8t+3, 8t+4..8t+7
  split,     // 4t..4t+3, 16+4t..16+4t+3
  even_odd,  // 8t, 8t+2, 8t+4, 8t+6, and those between
};

// What a format is like; formats say what differs. Four lanes read 256 elements of a row, a chunk.
struct FormatFacts {
  static constexpr int offset = 0, block_elements = 256;  // a row ends with a whole block
  static constexpr Order order = Order::split;
  static constexpr bool signed_bytes = false, has_minimum = false;
  static constexpr bool halves_differ = false;  // a scale for each word and not for each run
  static constexpr bool aligned = false;        // chunks lie at multiples of 16 bytes
  static constexpr bool long_words = false;     // lanes read 8 bytes at a time
  static constexpr bool has_extra = false;      // scales lie apart: Extra, fetch
};

// Bytes at an even address, in global memory or in shared memory.
struct GlobalBytes {
  const uint8_t* at;
  __device__ __forceinline__ uint16_t half_word(int i) const {
    return *reinterpret_cast<const uint16_t*>(at + i);
  }
  __device__ __forceinline__ uint32_t word(int i) const {
    return half_word(i) | static_cast<uint32_t>(half_word(i + 2)) << 16;
  }
};
// Words are read with the aligned ones around them, so 4 bytes beyond may be touched. Pointers move
// by differences alone: then the compiler knows that they stay in shared memory.
struct SharedBytes {
  const uint8_t *at, *even, *odd;  // where words at even and odd pairs of bytes begin
  uint32_t select;
  __device__ __forceinline__ explicit SharedBytes(const uint8_t* from) : at(from) {
    int rest = static_cast<int>(reinterpret_cast<uint64_t>(from) & 2);
    even = from - rest;
    odd = from + rest;
    select = rest ? 0x5432 : 0x3210;
  }
  __device__ __forceinline__ uint16_t half_word(int i) const {
    return *reinterpret_cast<const uint16_t*>(at + i);
  }
  // `i` is a multiple of 4, or of 4 and 2 more: what is known while compiling picks the way.
  __device__ __forceinline__ uint32_t word(int i) const {
    auto* words = reinterpret_cast<const uint32_t*>((i & 2) ? odd + (i - 2) : even + i);
    return __byte_perm(words[0], words[1], (i & 2) ? select ^ 0x3210 ^ 0x5432 : select);
  }
};
// Where blocks are 4-byte aligned.
struct AlignedBytes {
  const uint8_t* at;
  __device__ __forceinline__ explicit AlignedBytes(const uint8_t* from) : at(from) {}
  __device__ __forceinline__ uint16_t half_word(int i) const {
    return *reinterpret_cast<const uint16_t*>(at + i);
  }
  __device__ __forceinline__ uint32_t word(int i) const {
    return *reinterpret_cast<const uint32_t*>(at + i);
  }
};

template <class Bytes>
__device__ __forceinline__ float half_at(const Bytes& from, int i) {
  half_t half;
  half.bits = from.half_word(i);
  return half;
}
__device__ __forceinline__ int byte_of(uint32_t word, int i) { return word >> (8 * i) & 255; }
// Four bits to bit 4 of four bytes.
__device__ __forceinline__ uint32_t fifth_bits(uint32_t bits) {
  return ((bits & 15) * 0x00204081u & 0x01010101u) << 4;
}
