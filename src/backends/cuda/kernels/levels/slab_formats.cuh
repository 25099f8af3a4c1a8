// Levels of 4, 5, 6 and 8 bits as slabs of shared memory hold them (slab_rows.cuh), for planes of x:
// as signed bytes, those of a few bits in the upper bits of theirs, where the highest one is
// inverted. A chunk's lines are as in nibble_formats.cuh. backends/reference/packed.h has the
// layouts.
#pragma once

#include "nibble_formats.cuh"

// word ^ Bits, once: the compiler would invert each part that is taken of it.
template <uint32_t Bits>
__device__ __forceinline__ uint32_t inverted(uint32_t word) {
#ifdef LAZULI_EMULATED_GPU
  return word ^ Bits;
#else
  uint32_t to;
  asm("xor.b32 %0, %1, %2;" : "=r"(to) : "r"(word), "n"(Bits));
  return to;
#endif
}

// A lane's words are elements 4t..4t+3 of each 16.
struct SignedLevels {
  static constexpr int scale_bytes = 0;
  static constexpr bool is_signed = true;
  __device__ __forceinline__ static constexpr int quad(int t, int i) { return 16 * i + 4 * t; }
  __device__ __forceinline__ static constexpr int element(int w, int i) { return w * 4 + i; }
};

// Blocks of 32, two a span, which begins at a multiple of 4 bytes.
template <int BlockBytes>
struct SlabBlocks : SignedLevels {
  static constexpr int block_elements = 32, chunk_bytes = 8 * BlockBytes, runs = 2;
  static constexpr int bits = BlockBytes == 34 ? 8 : BlockBytes == 22 ? 5 : 4;
  static constexpr int first_level = bits == 5 ? 6 : 2;

  __device__ __forceinline__ static constexpr float unit_of(int) {
    return bits == 8 ? 1 : bits == 5 ? 0.125f : 0.0625f;
  }
  // Byte `at` of a span and 4t further.
  template <int At>
  __device__ __forceinline__ static uint32_t word(const uint8_t* span, int t) {
    auto* words = reinterpret_cast<const uint32_t*>(span) + At / 4 + t;
    return At % 4 == 0 ? words[0] : __byte_perm(words[0], words[1], 0x5432);
  }
  template <int At>
  __device__ __forceinline__ static uint2 block(const uint8_t* span, int t) {
    uint32_t first = word<At + first_level>(span, t);
    if constexpr (bits == 8) {
      return {first, word<At + 18>(span, t)};
    } else if constexpr (bits == 5) {
      uint32_t fifths = ~word<At + 2>(span, 0) >> 4 * t;
      return {(first << 3 & 0x78787878u) | top_bits(fifths),
              (first >> 1 & 0x78787878u) | top_bits(fifths >> 16)};
    } else {
      first = inverted<0x88888888u>(first);
      return {first << 4 & ~nibbles, first & ~nibbles};
    }
  }
  // Four bits to the top of four bytes.
  __device__ __forceinline__ static uint32_t top_bits(uint32_t bits) {
    return (bits & 15) * 0x10204080u & 0x80808080u;
  }
  __device__ __forceinline__ static void take(const uint8_t* chunk, int s, int t,
                                              uint32_t (&to)[4]) {
    const uint8_t* span = chunk + s * 2 * BlockBytes;
    uint2 first = block<0>(span, t), second = block<BlockBytes>(span, t);
    to[0] = first.x, to[1] = first.y, to[2] = second.x, to[3] = second.y;
  }
  __device__ __forceinline__ static void lines(const Slab& slab, int row, int, int of_slab, int s,
                                               Line (&to)[runs]) {
    GlobalBytes at{slab.levels + row * slab.row_bytes + of_slab * chunk_bytes + s * 2 * BlockBytes};
#pragma unroll
    for (int run = 0; run < runs; ++run) to[run].level = half_at(at, run * BlockBytes);
  }
};

// Q6_K: runs of 16.
struct SlabSixBits : SignedLevels {
  static constexpr int block_elements = 256, chunk_bytes = 210, runs = 4;

  __device__ __forceinline__ static constexpr float unit_of(int) { return 0.25f; }
  __device__ __forceinline__ static void take(const uint8_t* chunk, int s, int t,
                                              uint32_t (&to)[4]) {
    GlobalBytes at{chunk + 4 * t};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      uint32_t low = at.word(s / 2 * 64 + i * 16);
      uint32_t top = inverted<0xaaaaaaaau>(at.word(128 + s / 2 * 32 + i % 2 * 16));
      low = s % 2 ? low >> 2 : low << 2;
      to[i] = (low & 0x3c3c3c3cu) | (top << (6 - (s % 2 * 2 + i / 2) * 2) & 0xc0c0c0c0u);
    }
  }
  __device__ __forceinline__ static void lines(const Slab& slab, int row, int, int of_slab, int s,
                                               Line (&to)[runs]) {
    GlobalBytes at{slab.levels + row * slab.row_bytes + of_slab * chunk_bytes};
    uint32_t scales = at.word(192 + 4 * s);
    float scale = half_at(at, 208);
#pragma unroll
    for (int run = 0; run < runs; ++run) {
      to[run].level = scale * static_cast<float>(static_cast<int8_t>(byte_of(scales, run)));
    }
  }
};
