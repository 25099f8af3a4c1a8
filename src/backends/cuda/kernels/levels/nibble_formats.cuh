// Levels of four bits as slabs of shared memory hold them (slab_rows.cuh): which bits a lane takes
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

// Numbers of a half type whose bits, with a level added, stand for their sum.
template <class T>
constexpr uint32_t magic_pair = is_same<T, half_t>::value ? 0x64006400u : 0x43004300u;

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

  // The same for weights of S, as pairs; scales and biases are those of a chunk.
  struct Scaling {
    uint32_t level, one;
  };
  __device__ __forceinline__ static void scalings(const uint8_t*, const uint8_t* scales,
                                                  const uint8_t* biases, int s,
                                                  Scaling (&to)[runs]) {
    int at = s * 64 / Group * int(sizeof(S));
    to[0].level = *reinterpret_cast<const uint16_t*>(scales + at) * 0x10001u;
    to[0].one = *reinterpret_cast<const uint16_t*>(biases + at) * 0x10001u;
  }
  // Of the levels in the lowest bits of a word's halves; rounded once.
  template <class T>
  __device__ __forceinline__ static uint32_t weights(uint32_t word, const Scaling& scaling) {
    uint32_t levels = fma_pair<T>(masked_with<0x000f000fu, magic_pair<T>>(word), pair_of<T>(1),
                                  pair_of<T>(-magic_number<T>));
    return fma_pair<T>(levels, scaling.level, scaling.one);
  }

  // For weights of S in nibble_groups.cuh. Those of bfloats are made 2^-60 of what they are, which
  // sums get back by sum_unit.
  static constexpr bool half = is_same<S, half_t>::value;
  static constexpr float sum_unit = half ? 1.0f : 0x1p60f;
  using GroupScaling = Scaling;
  // Those of a lane's two rows, eight apart, and of two spans of a chunk from `span` on. Each row
  // has 16 bytes of scales and of biases.
  struct GroupScalings {
    const uint8_t *scales, *biases;
    int span;
    __device__ __forceinline__ GroupScalings(const uint8_t*, int, const uint8_t* of_scales,
                                             const uint8_t* of_biases, int first)
        : scales(of_scales), biases(of_biases), span(first) {}
    __device__ __forceinline__ Scaling of(int row, int i, int) const {
      Scaling to[runs];
      scalings(nullptr, scales + row * 128, biases + row * 128, span + i, to);
      if constexpr (!half) {
        to[0].level = fma_pair<S>(to[0].level, 0x62006400u, 0);  // by 2^73 and by 2^69
        to[0].one = fma_pair<S>(to[0].one, pair_of<S>(0x1p-60f), 0);
      }
      return to[0];
    }
  };
  // The units of eight elements of a span that two products of 16 bytes of levels begin with, and
  // the lane's pair in unit `i` of one: the byte t of a word.
  __device__ __forceinline__ static constexpr int group_unit(int piece, int product) {
    return piece * 4 + product * 2;
  }
  __device__ __forceinline__ static uint32_t group_selector(int t) { return 0x4040 + t * 0x101; }
  // Rounded once. The lower level is in bits 0 to 3, the upper one in bits 4 to 7 of its half. In
  // the mantissa of 1024 there is room for both; bfloats have it below their smallest normal
  // numbers, where bits stand for 2^-133 and up.
  template <class T>
  __device__ __forceinline__ static uint32_t group_weights(const uint32_t (&levels)[4], int product,
                                                           int i, uint32_t selector,
                                                           const Scaling& scaling) {
    uint32_t pair = __byte_perm(levels[product * 2 + i], 0, selector);
    if constexpr (half) {
      pair = fma_pair<S>(masked_with<0x00f0000fu, 0x64006400u>(pair), 0x2c003c00u, 0xd400e400u);
    } else {
      pair &= 0x00f0000fu;
    }
    return fma_pair<S>(pair, scaling.level, scaling.one);
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

  // For slab_planes.cuh: where the four quads of a lane's elements of a span begin, which of the 16
  // byte i of word w stands for, and the words as bytes of levels.
  static constexpr bool is_signed = false;
  static constexpr int block_elements = 256;
  __device__ __forceinline__ static constexpr float unit_of(int) { return 1; }
  __device__ __forceinline__ static constexpr int quad(int t, int i) { return 16 * t + 4 * i; }
  __device__ __forceinline__ static constexpr int element(int w, int i) {
    return w / 2 * 8 + i * 2 + w % 2;
  }
  __device__ __forceinline__ static void take(const uint8_t* chunk, int s, int t,
                                              uint32_t (&to)[4]) {
    uint2 levels = *reinterpret_cast<const uint2*>(chunk + s * 32 + t * 8);
    to[0] = levels.x & nibbles;
    to[1] = levels.x >> 4 & nibbles;
    to[2] = levels.y & nibbles;
    to[3] = levels.y >> 4 & nibbles;
  }
};

// Q4_K: a lane's eight bytes of a span are elements 8t..8t+7 of a run of 32 in their low halves, of
// the next one in their high halves.
struct KNibbles {
  static constexpr int chunk_bytes = 144, first_byte = 16, runs = 2, scale_bytes = 0;

  __device__ __forceinline__ static void lines(const Slab& slab, int row, int, int of_slab, int s,
                                               Line (&to)[runs]) {
    lines_at(slab.levels + row * slab.row_bytes + of_slab * chunk_bytes, s, to);
  }
  __device__ __forceinline__ static void lines_at(const uint8_t* chunk, int s, Line (&to)[runs]) {
    uint4 head = *reinterpret_cast<const uint4*>(chunk);
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

  // For weights of nibble_tiles.cuh, in float, where they are rounded once. The level has
  // magic_number<bfloat_t> added.
  using Scaling = Line;
  __device__ __forceinline__ static void scalings(const uint8_t* chunk, const uint8_t*,
                                                  const uint8_t*, int s, Scaling (&to)[runs]) {
    lines_at(chunk, s, to);
    for (int run = 0; run < runs; ++run) to[run].one -= magic_number<bfloat_t> * to[run].level;
  }
  template <class T>
  __device__ __forceinline__ static uint32_t weights(uint32_t word, const Scaling& scaling) {
    uint32_t levels = masked_with<0x000f000fu, magic_pair<bfloat_t>>(word);
    return pack_pair<T>(fmaf(first_of_pair<bfloat_t>(levels), scaling.level, scaling.one),
                        fmaf(second_of_pair<bfloat_t>(levels), scaling.level, scaling.one));
  }

  // For weights of nibble_groups.cuh: what stands for 256 levels, for a one, and for a one less the
  // number that levels come with.
  static constexpr float sum_unit = 1;
  struct GroupScaling {
    float levels, one, less;
  };
  // Each lane of four works out those of a row and a span, and gets them from the others.
  struct GroupScalings {
    Line lines[runs];
    __device__ __forceinline__ GroupScalings(const uint8_t* chunk, int row_bytes, const uint8_t*,
                                             const uint8_t*, int first) {
      int t = lane_index() % 4;
      lines_at(chunk + t / 2 * 8 * row_bytes, first + t % 2, lines);
      for (int run = 0; run < runs; ++run) lines[run].level *= 256;
    }
    __device__ __forceinline__ GroupScaling of(int row, int i, int run) const {
      int lane = (lane_index() & ~3) + row * 2 + i;
      float levels = __shfl_sync(all_lanes, lines[run].level, lane);
      float one = __shfl_sync(all_lanes, lines[run].one, lane);
      return {levels, one, fmaf(levels, run ? -8.0f : -0.5f, one)};
    }
  };
  // The lane's pair in a unit is the bytes 2t and 2t + 1 of eight, their low or their high halves.
  __device__ __forceinline__ static constexpr int group_unit(int piece, int product) {
    return piece * 2 + product * 4;
  }
  __device__ __forceinline__ static uint32_t group_selector(int t) { return t * 0x222 + 0x101; }
  // In float, where they are rounded once. The bytes are placed so that one of the two levels lies
  // high enough in a mantissa for the number around it to be taken off with the minimum; all stand
  // for 256ths.
  template <class T>
  __device__ __forceinline__ static uint32_t group_weights(const uint32_t (&levels)[4], int product,
                                                           int i, uint32_t selector,
                                                           const GroupScaling& scaling) {
    uint32_t bytes = __byte_perm(levels[i * 2], levels[i * 2 + 1], selector);
    float first, second;
    if (product == 0) {
      first = float_of_bits(masked_with<0x00f00u, 0x43000000u>(bytes)) - 128;
      second = float_of_bits(masked_with<0xf0000u, 0x3f000000u>(bytes));
    } else {
      first = float_of_bits(masked_with<0x0f000u, 0x41000000u>(bytes));
      second = float_of_bits(masked_with<0x000f0u, 0x45000000u>(bytes)) - 2048;
    }
    return pack_pair<T>(fmaf(first, scaling.levels, product ? scaling.less : scaling.one),
                        fmaf(second, scaling.levels, product ? scaling.one : scaling.less));
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

  static constexpr bool is_signed = false;
  static constexpr int block_elements = 256;
  __device__ __forceinline__ static constexpr float unit_of(int run) { return run ? 0.0625f : 1; }
  __device__ __forceinline__ static constexpr int quad(int t, int i) {
    return i / 2 * 32 + 8 * t + i % 2 * 4;
  }
  __device__ __forceinline__ static constexpr int element(int w, int i) { return w * 4 + i; }
  __device__ __forceinline__ static void take(const uint8_t* chunk, int s, int t,
                                              uint32_t (&to)[4]) {
    uint2 levels = *reinterpret_cast<const uint2*>(chunk + first_byte + s * 32 + t * 8);
    to[0] = levels.x & nibbles;
    to[1] = levels.y & nibbles;
    to[2] = levels.x & ~nibbles;
    to[3] = levels.y & ~nibbles;
  }
};

// A lane's words of x of a span, and those that product `i` of a run wants.
template <class F, class T>
__device__ __forceinline__ void load_span(const T* x, uint32_t (&to)[8]) {
  uint4 low = *reinterpret_cast<const uint4*>(x);
  uint4 high = *reinterpret_cast<const uint4*>(x + F::x_later);
  to[0] = low.x, to[1] = low.y, to[2] = low.z, to[3] = low.w;
  to[4] = high.x, to[5] = high.y, to[6] = high.z, to[7] = high.w;
}
template <class F>
__device__ __forceinline__ uint2 right_of(const uint32_t (&x)[8], int run, int i) {
  uint32_t low = x[F::x_low(run, i)], high = x[F::x_high(run, i)];
  return {__byte_perm(low, high, 0x5410), __byte_perm(low, high, 0x7632)};
}
