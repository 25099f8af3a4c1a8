// out[b, i, j] = sum over k of x[b, i, k] * y[b, k, j], for all dtypes and any strides.
//
// A block of 256 threads makes a tile of 64 x 64: 16 columns of x and rows of y at a time pass
// through shared memory, each thread keeps 4 x 4 sums (float for halves).
// What stands where cuBLASLt is missing or cannot express the operands' strides.
//
// Floor: 2 M N K flops.
#include "math.cuh"

constexpr int tile = 64, depth = 16, per_thread = 4;

struct Strides {
  int64_t row, column, batch;
};

template <class T>
__device__ __forceinline__ void fused_add(T& sum, T a, T b) {
  sum = sum + a * b;
}

// Element (i, j) of a matrix, zero outside.
template <class T>
__device__ __forceinline__ Wide<T> element(const T* from, Strides s, int64_t i, int64_t j,
                                           int64_t rows, int64_t columns) {
  if (i >= rows || j >= columns) return Wide<T>(0);
  return static_cast<Wide<T>>(from[i * s.row + j * s.column]);
}

// With `added`, to what is there.
template <class T, class Out>
__global__ void __launch_bounds__(256)
    matmul(const T* x, Strides xs, const T* y, Strides ys, Out* out, Strides os, int64_t m,
           int64_t n, int64_t k, bool added) {
  start_after_earlier();
  using W = Wide<T>;
  __shared__ alignas(16) unsigned char memory[2 * depth * (tile + 1) * sizeof(W)];
  auto left = reinterpret_cast<W(*)[tile + 1]>(memory);
  auto right = left + depth;
  int64_t tiles = (n + tile - 1) / tile;
  int64_t row = blockIdx.x / tiles * tile, column = blockIdx.x % tiles * tile;
  x += blockIdx.y * xs.batch;
  y += blockIdx.y * ys.batch;
  out += blockIdx.y * os.batch;
  int ty = threadIdx.x / 16, tx = threadIdx.x % 16;
  W sums[per_thread][per_thread];
  for (int i = 0; i < per_thread; ++i) {
    for (int j = 0; j < per_thread; ++j) sums[i][j] = W(0);
  }
  for (int64_t from = 0; from < k; from += depth) {
    for (int e = threadIdx.x; e < tile * depth; e += 256) {
      int i = e / depth, l = e % depth;
      left[l][i] = element(x, xs, row + i, from + l, m, k);
      // Neighbouring threads take neighbouring columns, or rows where those lie together.
      int j = ys.column == 1 ? e % tile : e / depth, p = ys.column == 1 ? e / tile : e % depth;
      right[p][j] = element(y, ys, from + p, column + j, k, n);
    }
    __syncthreads();
#pragma unroll
    for (int l = 0; l < depth; ++l) {
      W a[per_thread], b[per_thread];
#pragma unroll
      for (int i = 0; i < per_thread; ++i) {
        a[i] = left[l][ty + 16 * i];
        b[i] = right[l][tx + 16 * i];
      }
#pragma unroll
      for (int i = 0; i < per_thread; ++i) {
#pragma unroll
        for (int j = 0; j < per_thread; ++j) fused_add(sums[i][j], a[i], b[j]);
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < per_thread; ++i) {
    for (int j = 0; j < per_thread; ++j) {
      int64_t r = row + ty + 16 * i, c = column + tx + 16 * j;
      if (r >= m || c >= n) continue;
      Out& to = out[r * os.row + c * os.column];
      to = added ? Out(static_cast<Wide<Out>>(to) + sums[i][j]) : Out(sums[i][j]);
    }
  }
}
