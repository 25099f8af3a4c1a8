// One or two rows of x (up to four of float32) by up to four matrices w [N, K] with K together: a
// warp takes two or four rows of w, or a share of their K, lanes along K, products in registers.
#pragma once

#include "math.cuh"
// (math first)
#include "few_rows_shape.cuh"
#include "tiles.cuh"

// The matrix of a block, and which of its blocks that is.
struct BlockPlace {
  int matrix, block;
};
__device__ __forceinline__ BlockPlace block_place(const FewRows& p, int block) {
  int matrix = 0;
  while (matrix + 1 < p.count && block >= p.first_block[matrix + 1]) ++matrix;
  return {matrix, block - p.first_block[matrix]};
}

template <class T>
__device__ __forceinline__ uint4 load_or_zero(const T* from, bool inside) {
  return inside ? load_once(from) : make_uint4(0, 0, 0, 0);
}

// Elements of 16 bytes as floats.
template <class T>
struct Eights {
  static constexpr int count = 8;
  float value[count];
  __device__ __forceinline__ explicit Eights(uint4 words) {
    const uint32_t pairs[] = {words.x, words.y, words.z, words.w};
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      value[2 * j] = first_of_pair<T>(pairs[j]);
      value[2 * j + 1] = second_of_pair<T>(pairs[j]);
    }
  }
};
struct Fours {
  static constexpr int count = 4;
  float value[count];
  __device__ __forceinline__ explicit Fours(uint4 words)
      : value{float_of_bits(words.x), float_of_bits(words.y), float_of_bits(words.z),
              float_of_bits(words.w)} {}
};
template <class T>
using Items = typename choose<sizeof(T) == 4, Fours, Eights<T>>::type;

// Does nothing to sums that are stored.
struct NoFinish {
  static constexpr int matrices = 0;
};

// Blocks of 32 * shares * groups threads, grid (blocks of N, batches): `shares` warps share the K
// of `columns` rows of w, an even part each, 16 bytes a lane of each row in a step. `x_of()` waits
// for earlier kernels and gives x of the batch; every thread calls it. `finish(j, sums)` gets column
// j of one row's products with one matrix, or with two: then half of a warp's rows are of each.
template <class T, int Rows, int columns, class Finish, class XOf>
__device__ __forceinline__ void multiply_few_rows(const FewRows& p, XOf x_of, Finish finish) {
  constexpr int steps = 8 / columns, width = Items<T>::count, depth = 32 * width;
  constexpr int matrices = Finish::matrices == 2 ? 2 : 1, own = columns / matrices;
  __shared__ float sums[16][columns][Rows];
  auto [matrix, block] = matrices == 2 ? BlockPlace{0, static_cast<int>(blockIdx.x)}
                                       : block_place(p, blockIdx.x);
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int shares = p.shares, groups = blockDim.x / 32 / shares;
  int share = warp % shares, group = warp / shares;
  int first = (block * groups + group) * own, n = p.n[matrix];
  const T* w[matrices];
#pragma unroll
  for (int m = 0; m < matrices; ++m) {
    w[m] = static_cast<const T*>(p.w[matrix + m]) + blockIdx.y * p.w_batch + first * p.w_row;
  }
  bool present[own];
#pragma unroll
  for (int j = 0; j < own; ++j) present[j] = first + j < n;
  int part = (p.k + shares * depth - 1) / (shares * depth) * depth;
  int limit = min(p.k, (share + 1) * part);
  uint4 a[steps][columns];
  auto ask = [&](int k) {
#pragma unroll
    for (int s = 0; s < steps; ++s, k += depth) {
#pragma unroll
      for (int j = 0; j < columns; ++j) {
        a[s][j] = load_or_zero(w[j / own] + j % own * p.w_row + k, present[j % own] && k < limit);
      }
    }
    all_asked();
  };
  float c[columns][Rows] = {};
  const T* x = nullptr;
  auto multiply = [&](int k) {
#pragma unroll
    for (int s = 0; s < steps; ++s, k += depth) {
      if (k >= limit) continue;
#pragma unroll
      for (int i = 0; i < Rows; ++i) {
        if (i >= p.m) continue;
        Items<T> values(*reinterpret_cast<const uint4*>(x + i * p.x_row + k));
#pragma unroll
        for (int j = 0; j < columns; ++j) {
          Items<T> weights(a[s][j]);
#pragma unroll
          for (int e = 0; e < width; ++e) c[j][i] += weights.value[e] * values.value[e];
        }
      }
    }
  };
  if (!p.settled) wait_for_earlier();
  // All lanes of a warp stay together, also where K ends.
  int k = share * part + lane * width, end = limit + lane * width;
  ask(k);
  x = x_of();
  multiply(k);
  for (k += steps * depth; k < end; k += steps * depth) {
    ask(k);
    multiply(k);
  }
#pragma unroll
  for (int j = 0; j < columns; ++j) {
#pragma unroll
    for (int i = 0; i < Rows; ++i) {
      float sum = warp_reduce<op::Sum>(c[j][i]);
      if (lane == 0) sums[warp][j][i] = sum;
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < groups * own * Rows; i += blockDim.x) {
    int row = i % Rows, column = i / Rows % own, of = i / Rows / own;
    int at = (block * groups + of) * own + column;
    if (at >= n || row >= p.m) continue;
    T values[matrices];
#pragma unroll
    for (int m = 0; m < matrices; ++m) {
      float sum = 0;
      for (int s = 0; s < shares; ++s) sum += sums[of * shares + s][m * own + column][row];
      values[m] = T(sum);
      T* out = static_cast<T*>(p.out[matrix + m]) + blockIdx.y * p.out_batch;
      out[row * p.out_row[matrix + m] + at * p.out_column] = values[m];
    }
    if constexpr (Finish::matrices > 0) finish(at, values);
  }
}
