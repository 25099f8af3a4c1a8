// A row of x as whole numbers, for exact products with levels of bytes (slab_rows.cuh).
#pragma once

#include "slab_formats.cuh"

// A lane's 16 elements of a span as floats.
template <class F, class T>
__device__ __forceinline__ void load_elements(const T* span, int t, float (&to)[16]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const T* from = span + F::quad(t, i);
    float* at = to + i * 4;
    if constexpr (sizeof(T) == 4) {
      float4 four = *reinterpret_cast<const float4*>(from);
      at[0] = four.x, at[1] = four.y, at[2] = four.z, at[3] = four.w;
    } else {
      uint2 pairs = *reinterpret_cast<const uint2*>(from);
      at[0] = first_of_pair<T>(pairs.x), at[1] = second_of_pair<T>(pairs.x);
      at[2] = first_of_pair<T>(pairs.y), at[3] = second_of_pair<T>(pairs.y);
    }
  }
}

// A row of x in shared memory as whole numbers: planes [spans of K][3 planes][4 lanes] of 16 bytes,
// zeros, then of each span what a one stands for, then sums of x over runs where levels are not
// signed. Plane 0 counts most.
template <class F, class T>
struct PlanesOfRow {
  // The numbers lie in the mantissas of floats, where their two lower bytes are 128 more, and the
  // upper one is 64 more.
  static constexpr float greatest = 63 << 16, offset = (1 << 23) + 0x408080;
  static constexpr int sums_each = F::is_signed ? 0 : F::runs;  // of a span
  uint4 *planes, *zeros;
  float *units, *sums;

  __device__ __forceinline__ PlanesOfRow(void* at, int k) : planes(static_cast<uint4*>(at)) {
    zeros = planes + k / 64 * 12;
    units = reinterpret_cast<float*>(zeros + 1);
    sums = units + k / 64;
  }
  __device__ __forceinline__ void make(const LevelRows& p, int thread) {
    if (thread == 0) *zeros = {0, 0, 0, 0};
    int count = p.k / 16;
#pragma unroll 1
    for (int first = 0; first < count; first += slab_threads) {
      int i = min(first + thread, count - 1), t = i % 4, span = i / 4;
      float x[16];
      load_elements<F>(static_cast<const T*>(p.x) + span * 64, t, x);
      float peak = 1e-31f, sum[2] = {0, 0};
#pragma unroll
      for (int j = 0; j < 16; ++j) {
        peak = fmaxf(peak, fabsf(x[j]));
        sum[j / 8] += x[j];
      }
      if (F::runs == 1) sum[0] += sum[1];
#pragma unroll
      for (int step = 1; step < 4; step *= 2) {
        peak = fmaxf(peak, shuffle_xor(peak, step));
        for (int run = 0; run < sums_each; ++run) sum[run] += shuffle_xor(sum[run], step);
      }
      if (first + thread >= count) continue;
      uint4* to = planes + span * 12 + t;
      write(x, greatest / peak, to);
      if (t != 0) continue;
      units[span] = peak / greatest;
      for (int run = 0; run < sums_each; ++run) sums[span * sums_each + run] = sum[run];
    }
  }
  __device__ __forceinline__ static void write(const float (&x)[16], float scale, uint4* to) {
    uint32_t words[3][4];
#pragma unroll
    for (int w = 0; w < 4; ++w) {
      uint32_t y[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        y[i] = bits_of_float(fmaf(x[F::element(w, i)], scale, offset));
      }
      uint32_t low = __byte_perm(y[0], y[1], 0x5140), high = __byte_perm(y[2], y[3], 0x5140);
      words[2][w] = __byte_perm(low, high, 0x5410) ^ 0x80808080u;
      words[1][w] = __byte_perm(low, high, 0x7632) ^ 0x80808080u;
      uint32_t top =
          __byte_perm(__byte_perm(y[0], y[1], 0x0062), __byte_perm(y[2], y[3], 0x0062), 0x5410);
      words[0][w] = ((top | 0x80808080u) - 0x40404040u) ^ 0x80808080u;
    }
#pragma unroll
    for (int plane = 0; plane < 3; ++plane) {
      to[plane * 4] = {words[plane][0], words[plane][1], words[plane][2], words[plane][3]};
    }
  }
};
