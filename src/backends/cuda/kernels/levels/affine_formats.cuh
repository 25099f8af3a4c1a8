// Affine levels: element = scale * level + bias, groups of 32, 64 or 128 along a row, levels of 2,
// 3, 4, 5, 6 or 8 bits in a stream, lowest bits first; scales and biases lie apart.
#pragma once

#include "byte_readers.cuh"

// Of the groups of a chunk a lane holds those with its number modulo 4, for two rows of levels;
// lanes of four hand them to each other.
template <int Group, class S>
struct AffineScales {
  static constexpr int groups = 256 / Group, held = (groups + 3) / 4;
  float scale[2][held], bias[2][held];

  __device__ __forceinline__ void fetch(const void* scales, const void* biases, int64_t upper,
                                        int64_t lower, int k, int chunk, int t) {
    int row_groups = k / Group;
#pragma unroll
    for (int i = 0; i < held; ++i) {
      int group = min(chunk * groups + i * 4 + t % groups, row_groups - 1);
      int64_t a = upper * row_groups + group, b = lower * row_groups + group;
      scale[0][i] = static_cast<float>(static_cast<const S*>(scales)[a]);
      scale[1][i] = static_cast<float>(static_cast<const S*>(scales)[b]);
      bias[0][i] = static_cast<float>(static_cast<const S*>(biases)[a]);
      bias[1][i] = static_cast<float>(static_cast<const S*>(biases)[b]);
    }
  }
};

// Four levels of Bits bits each as four bytes.
template <int Bits>
__device__ __forceinline__ uint32_t spread(uint32_t levels) {
  constexpr uint32_t mask = (1u << Bits) - 1;
  uint32_t bytes = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) bytes |= levels << ((8 - Bits) * i) & mask << (8 * i);
  return bytes;
}

// Eight levels from the byte `at` on, four in each word.
template <int Bits, class Bytes>
__device__ __forceinline__ void eight_levels(const Bytes& from, int at, uint32_t (&to)[2]) {
  if constexpr (Bits == 8) {
    to[0] = from.word(at);
    to[1] = from.word(at + 4);
  } else {
    int aligned = at & ~3;
    uint32_t select = 0x3210 + 0x1111 * (at & 3);
    uint32_t first = from.word(aligned), second = from.word(aligned + 4);
    uint32_t low = __byte_perm(first, second, select), high = 0;
    if (Bits > 4) high = __byte_perm(second, Bits > 5 ? from.word(aligned + 8) : 0, select);
    to[0] = spread<Bits>(low);
    to[1] = spread<Bits>(
        static_cast<uint32_t>((static_cast<uint64_t>(high) << 32 | low) >> (4 * Bits)));
  }
}

template <int Bits, int Group, class S, bool Aligned>
struct Affine : FormatFacts {
  static constexpr int chunk_bytes = 32 * Bits, block_elements = 32;
  static constexpr Order order = Bits == 4 ? Order::even_odd : Order::wide;
  static constexpr bool signed_bytes = Bits == 8, has_minimum = true, aligned = Aligned;
  static constexpr bool has_extra = true, long_words = Bits == 8;
  using Extra = AffineScales<Group, S>;

  template <class Bytes>
  struct Reader {
    Bytes from;
    int t;
    const Extra& extra;
    int row;
    __device__ __forceinline__ Reader(Bytes bytes, int lane, const Extra& held, int which)
        : from(bytes), t(lane), extra(held), row(which) {}
    // All lanes of a warp call it together.
    __device__ __forceinline__ Run run(int r) const {
      int group = r * 32 / Group, holder = (lane_index() & ~3) + group % 4;
      float scale = __shfl_sync(all_lanes, extra.scale[row][group / 4], holder);
      float bias = __shfl_sync(all_lanes, extra.bias[row][group / 4], holder);
      Run run;
      if constexpr (Bits == 4) {
        uint32_t levels = from.word(16 * r + 4 * t);
        run.levels[0] = levels & 0x0f0f0f0fu;
        run.levels[1] = levels >> 4 & 0x0f0f0f0fu;
      } else {
        eight_levels<Bits>(from, 4 * Bits * r + Bits * t, run.levels);
      }
      if constexpr (Bits == 8) {
        // As signed numbers they are 128 less.
        run.levels[0] ^= 0x80808080u;
        run.levels[1] ^= 0x80808080u;
        bias += 128 * scale;
      }
      run.scale[0] = run.scale[1] = scale;
      run.minimum[0] = run.minimum[1] = -bias;
      return run;
    }
  };
};
