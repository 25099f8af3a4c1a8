// Levels of four bits as slabs of shared memory hold them (nibble_rows.cuh): which bits a lane takes
// of them, and what they stand for.
#pragma once

#include "level_rows.cuh"
#include "packed_formats.cuh"

constexpr int spans = 4;  // of 64 elements, in a chunk
constexpr int slab_warps = 8, slab_threads = slab_warps * 32;
constexpr int stages_max = 8, sum_slots = 2;

// A slab in shared memory, and the scales of its tile that lie apart: all of K. Rows of levels lie
// so that lanes of eight rows read different banks.
struct Slab {
  uint8_t *levels, *scales, *biases;
  int row_bytes, scales_bytes;  // of a row
};

// What a level and a one stand for.
struct Line {
  float level, one;
};

// Affine levels in groups of 64 or 128. A lane's eight bytes of a span: elements 16t..16t+15.
template <int Group, class S>
struct AffineNibbles {
  static constexpr int chunk_bytes = 128, first_byte = 0, groups = 256 / Group, runs = 1;
  static constexpr int scale_bytes = groups * sizeof(S);  // of a chunk, where scales lie apart

  // Of a row and a chunk, which is chunk `of_slab` of the slab.
  __device__ __forceinline__ static void lines(const Slab& slab, int row, int chunk, int, int s,
                                               Line (&to)[runs]) {
    int at = row * slab.scales_bytes + chunk * scale_bytes + s * 64 / Group * int(sizeof(S));
    to[0].level = *reinterpret_cast<const S*>(slab.scales + at);
    to[0].one = *reinterpret_cast<const S*>(slab.biases + at);
  }

  // A lane's elements of a span: eight from here on for each t, and as many so much later.
  static constexpr int x_each = 16, x_later = 8;
  // Product i of a run: a word of levels, which of its four shifts, and two words of x.
  static constexpr int products = 4;
  __device__ __forceinline__ static constexpr int word(int, int i) { return i / 2; }
  __device__ __forceinline__ static constexpr int first(int, int i) { return i % 2 * 2; }
  __device__ __forceinline__ static constexpr int second(int, int i) { return i % 2 * 2 + 1; }
  __device__ __forceinline__ static constexpr int x_low(int, int i) { return i / 2 * 4 + i % 2; }
  __device__ __forceinline__ static constexpr int x_high(int, int i) { return x_low(0, i) + 2; }

  // The two products of bytes of a span: which run they belong to, levels as bytes, and elements of
  // a lane's 16 that byte `i` of two words of x stands for.
  __device__ __forceinline__ static constexpr int run_of(int) { return 0; }
  __device__ __forceinline__ static constexpr float unit_of(int) { return 1; }
  __device__ __forceinline__ static uint2 bytes(uint2 levels, int product) {
    uint32_t word = product ? levels.y : levels.x;
    return {word & 0x0f0f0f0fu, word >> 4 & 0x0f0f0f0fu};
  }
  __device__ __forceinline__ static constexpr int element(int product, int word, int i) {
    return product * 8 + i * 2 + word;
  }
};

// Q4_K: a lane's eight bytes of a span are elements 8t..8t+7 of a run of 32 in their low halves, of
// the next one in their high halves.
struct KNibbles {
  static constexpr int chunk_bytes = 144, first_byte = 16, runs = 2, scale_bytes = 0;

  __device__ __forceinline__ static void lines(const Slab& slab, int row, int, int of_slab, int s,
                                               Line (&to)[runs]) {
    uint4 head =
        *reinterpret_cast<const uint4*>(slab.levels + row * slab.row_bytes + of_slab * chunk_bytes);
    // Two six-bit numbers each; the upper spans' have their upper bits elsewhere.
    int shift = s % 2 * 16;
    uint32_t a = head.y >> shift, b = head.z >> shift, c = head.w >> shift;
    uint32_t scales = s < 2 ? a & 0x3f3fu : (c & 0x0f0fu) | (a >> 2 & 0x3030u);
    uint32_t minima = s < 2 ? b & 0x3f3fu : (c >> 4 & 0x0f0fu) | (b >> 2 & 0x3030u);
    float scale = first_of_pair<half_t>(head.x), minimum = -second_of_pair<half_t>(head.x);
#pragma unroll
    for (int run = 0; run < 2; ++run) {
      to[run].level = scale * static_cast<float>(scales >> 8 * run & 63);
      to[run].one = minimum * static_cast<float>(minima >> 8 * run & 63);
    }
  }

  static constexpr int x_each = 8, x_later = 32;
  static constexpr int products = 2;
  __device__ __forceinline__ static constexpr int word(int, int i) { return i; }
  __device__ __forceinline__ static constexpr int first(int run, int) { return run; }
  __device__ __forceinline__ static constexpr int second(int run, int) { return 2 + run; }
  __device__ __forceinline__ static constexpr int x_low(int run, int i) { return 4 * run + 2 * i; }
  __device__ __forceinline__ static constexpr int x_high(int run, int i) {
    return x_low(run, i) + 1;
  }

  __device__ __forceinline__ static constexpr int run_of(int product) { return product; }
  __device__ __forceinline__ static constexpr float unit_of(int run) { return run ? 0.0625f : 1; }
  __device__ __forceinline__ static uint2 bytes(uint2 levels, int product) {
    uint32_t mask = product ? 0xf0f0f0f0u : 0x0f0f0f0fu;
    return {levels.x & mask, levels.y & mask};
  }
  __device__ __forceinline__ static constexpr int element(int product, int word, int i) {
    return product * 8 + word * 4 + i;
  }
};
