// Reading GGUF blocks where they lie: four lanes share 256 elements (a chunk) of a row and take
// runs of 32 one after the other. backends/reference/packed.h has the layouts.
//
#pragma once

#include "byte_readers.cuh"

constexpr uint32_t nibbles = 0x0f0f0f0fu;

// ---- Blocks of 32 ----
template <int BlockBytes, bool Minimum, bool Fifth>
struct SmallBlocks : FormatFacts {
  static constexpr int chunk_bytes = 8 * BlockBytes, offset = Minimum ? 0 : Fifth ? 16 : 8;
  static constexpr bool has_minimum = Minimum;
  static constexpr int block_elements = 32, quants = (Minimum ? 4 : 2) + (Fifth ? 4 : 0);

  template <class Bytes>
  struct Reader {
    Bytes from;
    int t;
    __device__ __forceinline__ Reader(Bytes bytes, int lane) : from(bytes), t(lane) {}
    __device__ __forceinline__ Run run(int r) const {
      int at = r * BlockBytes;
      uint32_t q = from.word(at + quants + 4 * t);
      Run run;
      run.levels[0] = q & nibbles;
      run.levels[1] = q >> 4 & nibbles;
      if (Fifth) {
        uint32_t bits = from.word(at + quants - 4);
        run.levels[0] |= fifth_bits(bits >> 4 * t);
        run.levels[1] |= fifth_bits(bits >> (16 + 4 * t));
      }
      run.scale[0] = run.scale[1] = half_at(from, at);
      run.minimum[0] = run.minimum[1] = Minimum ? -half_at(from, at + 2) : 0.0f;
      return run;
    }
  };
};
struct Q4_0 : SmallBlocks<18, false, false> {};
struct Q4_1 : SmallBlocks<20, true, false> {};
struct Q5_0 : SmallBlocks<22, false, true> {};
struct Q5_1 : SmallBlocks<24, true, true> {};

struct Q8_0 : FormatFacts {
  static constexpr int chunk_bytes = 272, block_elements = 32;
  static constexpr Order order = Order::wide;
  static constexpr bool signed_bytes = true;
  template <class Bytes>
  struct Reader {
    Bytes from;
    int t;
    __device__ __forceinline__ Reader(Bytes bytes, int lane) : from(bytes), t(lane) {}
    __device__ __forceinline__ Run run(int r) const {
      float d = half_at(from, 34 * r);
      return {{from.word(34 * r + 2 + 8 * t), from.word(34 * r + 6 + 8 * t)}, {d, d}, {0, 0}};
    }
  };
};

// ---- Blocks of 256 ----
struct Q2_K : FormatFacts {
  static constexpr int chunk_bytes = 84;
  static constexpr bool halves_differ = true, has_minimum = true;
  template <class Bytes>
  struct Reader {
    Bytes from;
    int t;
    float d, e;
    __device__ __forceinline__ Reader(Bytes bytes, int lane) : from(bytes), t(lane) {
      d = half_at(from, 80);
      e = half_at(from, 82);
    }
    __device__ __forceinline__ Run run(int r) const {
      Run run;
      uint32_t scales = from.half_word(2 * r);
      for (int i = 0; i < 2; ++i) {
        uint32_t q = from.word(16 + r / 4 * 32 + 16 * i + 4 * t);
        run.levels[i] = q >> (r % 4 * 2) & 0x03030303u;
        run.scale[i] = d * static_cast<float>(byte_of(scales, i) & 15);
        run.minimum[i] = e * static_cast<float>(byte_of(scales, i) >> 4);
      }
      return run;
    }
  };
};

struct Q3_K : FormatFacts {
  static constexpr int chunk_bytes = 110, offset = 4;
  static constexpr bool halves_differ = true;
  template <class Bytes>
  struct Reader {
    Bytes from;
    int t;
    float d;
    uint32_t thirds[2], scales[4];
    __device__ __forceinline__ Reader(Bytes bytes, int lane) : from(bytes), t(lane) {
      d = half_at(from, 108);
      for (int i = 0; i < 2; ++i) thirds[i] = from.word(16 * i + 4 * t);
      uint32_t first = from.word(96), second = from.word(100), tops = from.word(104);
      for (int i = 0; i < 4; ++i) {
        uint32_t low = (i % 2 ? second : first) >> (i / 2 * 4) & nibbles;
        scales[i] = low | (tops >> 2 * i & 0x03030303u) << 4;
      }
    }
    __device__ __forceinline__ Run run(int r) const {
      Run run;
      for (int i = 0; i < 2; ++i) {
        uint32_t q = from.word(32 + r / 4 * 32 + 16 * i + 4 * t);
        run.levels[i] = (q >> (r % 4 * 2) & 0x03030303u) | (thirds[i] >> r & 0x01010101u) << 2;
        run.scale[i] = d * static_cast<float>(byte_of(scales[r / 2], r % 2 * 2 + i) - 32);
        run.minimum[i] = 0;
      }
      return run;
    }
  };
};

// The six-bit scales and minima of eight runs, four a word.
struct SixBits {
  uint32_t scales[2], minima[2];
  __device__ __forceinline__ SixBits(uint32_t first, uint32_t second, uint32_t third) {
    scales[0] = first & 0x3f3f3f3fu;
    minima[0] = second & 0x3f3f3f3fu;
    scales[1] = (third & nibbles) | (first >> 2 & 0x30303030u);
    minima[1] = (third >> 4 & nibbles) | (second >> 2 & 0x30303030u);
  }
};

// Q4_K and, with a fifth bit, Q5_K.
template <bool Fifth>
struct Nibbles : FormatFacts {
  static constexpr int chunk_bytes = Fifth ? 176 : 144;
  static constexpr Order order = Order::wide;
  static constexpr bool aligned = true, long_words = true, has_minimum = true;
  template <class Bytes>
  struct Reader {
    Bytes from;
    int t;
    float d, e;
    SixBits six;
    uint32_t fifths[2];
    __device__ __forceinline__ Reader(Bytes bytes, int lane)
        : from(bytes), t(lane), six(bytes.word(4), bytes.word(8), bytes.word(12)) {
      d = half_at(from, 0);
      e = half_at(from, 2);
      for (int i = 0; i < 2; ++i) fifths[i] = Fifth ? from.word(16 + 8 * t + 4 * i) : 0;
    }
    __device__ __forceinline__ Run run(int r) const {
      Run run;
      for (int i = 0; i < 2; ++i) {
        uint32_t q = from.word((Fifth ? 48 : 16) + r / 2 * 32 + 8 * t + 4 * i);
        run.levels[i] = q >> (r % 2 * 4) & nibbles;
        if (Fifth) run.levels[i] |= (fifths[i] >> r & 0x01010101u) << 4;
        run.scale[i] = d * static_cast<float>(byte_of(six.scales[r / 4], r % 4));
        run.minimum[i] = e * static_cast<float>(byte_of(six.minima[r / 4], r % 4));
      }
      return run;
    }
  };
};
struct Q4_K : Nibbles<false> {};
struct Q5_K : Nibbles<true> {};

struct Q6_K : FormatFacts {
  static constexpr int chunk_bytes = 210, offset = 32;
  static constexpr bool halves_differ = true;
  template <class Bytes>
  struct Reader {
    Bytes from;
    int t;
    float d;
    __device__ __forceinline__ Reader(Bytes bytes, int lane) : from(bytes), t(lane) {
      d = half_at(from, 208);
    }
    __device__ __forceinline__ Run run(int r) const {
      Run run;
      uint32_t scales = from.half_word(192 + 2 * r);
      for (int i = 0; i < 2; ++i) {
        uint32_t low = from.word(r / 4 * 64 + r % 2 * 32 + 16 * i + 4 * t);
        uint32_t top = from.word(128 + r / 4 * 32 + 16 * i + 4 * t);
        run.levels[i] = (low >> (r % 4 / 2 * 4) & nibbles) | (top >> (r % 4 * 2) & 0x03030303u)
                                                                 << 4;
        run.scale[i] = d * static_cast<float>(static_cast<int8_t>(byte_of(scales, i)));
        run.minimum[i] = 0;
      }
      return run;
    }
  };
};

// Level i of a word as a number, exact.
template <class F>
__device__ __forceinline__ float level_of(uint32_t word, int i) {
  if (F::signed_bytes) return static_cast<float>(static_cast<int8_t>(byte_of(word, i)));
  return static_cast<float>(byte_of(word, i) - F::offset);
}
