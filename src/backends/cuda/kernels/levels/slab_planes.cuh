// Rows of x as whole numbers, and their exact products with levels of bytes (slab_rows.cuh). Planes of
// each of the four spans of a chunk are in columns of their own, next to zeros: a lane of four gets
// the sums of one span.
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
  __device__ __forceinline__ static int bytes(int k) { return (k / 64 * 204 + 31) / 16 * 16; }
  __device__ __forceinline__ void make(const LevelRows& p, int row, int thread) {
    if (thread == 0) *zeros = {0, 0, 0, 0};
    int count = p.k / 16;
    const T* from = static_cast<const T*>(p.x) + row * p.x_stride;
#pragma unroll 1
    for (int first = 0; first < count; first += slab_threads) {
      int i = min(first + thread, count - 1), t = i % 4, span = i / 4;
      float x[16];
      load_elements<F>(from + span * 64, t, x);
      // `nothing` is zero, or NaN where an element is no finite number: then so is the unit.
      float peak = 1e-31f, nothing = 0, sum[2] = {0, 0};
#pragma unroll
      for (int j = 0; j < 16; ++j) {
        peak = fmaxf(peak, fabsf(x[j]));
        nothing = fmaf(x[j], 0.0f, nothing);
        sum[j / 8] += x[j];
      }
      if (F::runs == 1) sum[0] += sum[1];
#pragma unroll
      for (int step = 1; step < 4; step *= 2) {
        peak = fmaxf(peak, shuffle_xor(peak, step));
        nothing += shuffle_xor(nothing, step);
        for (int run = 0; run < sums_each; ++run) sum[run] += shuffle_xor(sum[run], step);
      }
      if (first + thread >= count) continue;
      uint4* to = planes + span * 12 + t;
      write(x, greatest / peak, to);
      if (t != 0) continue;
      units[span] = peak / greatest + nothing;
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

// Rows of x beside each other; one that is not there is the last.
template <class F, class T>
struct PlanesOfRows {
  uint8_t* first;
  int k, count;
  __device__ __forceinline__ PlanesOfRow<F, T> at(int row) const {
    return {first + min(row, count - 1) * PlanesOfRow<F, T>::bytes(k), k};
  }
};

// A warp's sums of a tile with some rows of x: rows g and g + 8, a quarter of each sum in each lane
// of four.
template <class F, class T, int Columns>
struct PlaneSums {
  // Columns that levels are taken for at once.
  static constexpr int each = Columns > 1 ? 2 : 1;
  float sum[Columns][2];
  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < Columns; ++i) sum[i][0] = sum[i][1] = 0;
  }

  // Products of a chunk's spans: sums with planes 0 and 1 of each column, then with plane 2 of all.
  __device__ __forceinline__ static void multiply_spans(const PlanesOfRow<F, T> (&x)[2],
                                                        int chunk, const uint8_t* upper,
                                                        const uint8_t* lower, int count, int g,
                                                        int t, int (&c)[each + 1][F::runs][4]) {
    int at = (chunk * spans + g / 2) * 12 + t;
    const uint4* planes[each + 1];
#pragma unroll
    for (int i = 0; i < each; ++i) planes[i] = x[i].planes + at + g % 2 * 4;
    planes[each] = g % 2 == 0 ? x[0].planes + at + 8 : x[0].zeros;
    if (each > 1 && g % 2 != 0) planes[each] = x[each - 1].planes + at + 8;
#pragma unroll
    for (int s = 0; s < spans; ++s) {
      if (s >= count) continue;
      uint32_t up[4], low[4];
      F::take(upper, s, t, up);
      F::take(lower, s, t, low);
#pragma unroll
      for (int i = 0; i <= each; ++i) {
        uint4 b = *(g / 2 == s ? planes[i] : x[0].zeros);
        if constexpr (F::runs == 4) {
          multiply_few_bytes(c[i][0], up[0], low[0], b.x);
          multiply_few_bytes(c[i][1], up[1], low[1], b.y);
          multiply_few_bytes(c[i][2], up[2], low[2], b.z);
          multiply_few_bytes(c[i][3], up[3], low[3], b.w);
        } else {
          multiply_bytes<F::is_signed>(c[i][0], up[0], low[0], up[1], low[1], b.x, b.y);
          multiply_bytes<F::is_signed>(c[i][F::runs - 1], up[2], low[2], up[3], low[3], b.z, b.w);
        }
      }
    }
  }
  // A chunk of so many spans, which is chunk `of_slab` of the slab.
  __device__ __forceinline__ void add(const PlanesOfRows<F, T>& rows, int chunk, const Slab& slab,
                                      int of_slab, int count, int g, int t) {
    const uint8_t* upper = slab.levels + g * slab.row_bytes + of_slab * F::chunk_bytes;
    const uint8_t* lower = upper + 8 * slab.row_bytes;
    // Of a span that is not there these are numbers that nobody looks at.
    Line lines[2][F::runs];
    F::lines(slab, g, chunk, of_slab, t, lines[0]);
    F::lines(slab, g + 8, chunk, of_slab, t, lines[1]);
    int span = chunk * spans + t;
#pragma unroll
    for (int first = 0; first < Columns; first += each) {
      if (first > 0 && first >= rows.count) break;
      const PlanesOfRow<F, T> x[2] = {rows.at(first), rows.at(first + each - 1)};
      int c[each + 1][F::runs][4] = {};
      // Without branches between them, spans wait for memory together.
      if (F::block_elements == 256 || count >= spans) {
        multiply_spans(x, chunk, upper, lower, spans, g, t, c);
      } else {
        multiply_spans(x, chunk, upper, lower, count, g, t, c);
        if (t >= count) continue;
      }
#pragma unroll
      for (int i = 0; i < each; ++i) {
        float unit = x[i].units[span];
#pragma unroll
        for (int run = 0; run < F::runs; ++run) {
#pragma unroll
          for (int j = 0; j < 2; ++j) {
            const Line& line = lines[j][run];
            float product =
                static_cast<float>(c[i][run][2 * j] * 256 + c[i][run][2 * j + 1]) * 256 +
                static_cast<float>(c[each][run][2 * j + i]);
            sum[first + i][j] += line.level * (product * (unit * F::unit_of(run)));
            if constexpr (!F::is_signed) {
              sum[first + i][j] += line.one * x[i].sums[span * F::runs + run];
            }
          }
        }
      }
    }
  }
  __device__ __forceinline__ void join() {
#pragma unroll
    for (int i = 0; i < Columns; ++i) {
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        sum[i][j] += shuffle_xor(sum[i][j], 1);
        sum[i][j] += shuffle_xor(sum[i][j], 2);
      }
    }
  }
  // [columns][tile_rows]
  __device__ __forceinline__ void store(float* to, int g, int t) const {
    if (t != 0) return;
#pragma unroll
    for (int i = 0; i < Columns; ++i) {
      to[i * tile_rows + g] = sum[i][0];
      to[i * tile_rows + g + 8] = sum[i][1];
    }
  }
  __device__ __forceinline__ void store_out(T* to, int64_t rows, int64_t stride, int columns, int g,
                                            int t) const {
    int row = g + t * 8;
    if (t > 1 || row >= rows) return;
#pragma unroll
    for (int i = 0; i < Columns; ++i) {
      if (i < columns) to[i * stride + row] = T(t == 0 ? sum[i][0] : sum[i][1]);
    }
  }
};
