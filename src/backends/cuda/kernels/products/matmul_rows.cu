// out[b, i, j] = sum over k of x[b, i, k] * w[b, j, k] for up to 8 rows of x; w is read once. One
// launch may do this for several matrices w.
//
// - few_rows: w [N, K] with K together (few_rows.cuh).
// - few_rows_halves: the same for more than two rows of halves. A block takes 32 rows of w, as
//   they lie in memory the left matrices of tensor core products, x is the right one: 16 bytes of
//   each row a lane and step. The warps of a block share K; their sums meet in shared memory.
// - few_rows_columns: w [K, N] with N together: lanes along N, the block's other threads along K.
//
// Floor: the bytes of w.
#include "few_rows.cuh"

constexpr int tile_rows = 32, few_rows_max = 8;

// The block's warps have a sum each for out[column][row] of a tile; thread i adds and stores one.
template <class T, int Columns>
__device__ __forceinline__ void store_sums(const FewRows& p, int matrix, const float* sums,
                                           int64_t first) {
  T* out = static_cast<T*>(p.out[matrix]) + blockIdx.y * p.out_batch;
  for (int i = threadIdx.y * 32 + threadIdx.x; i < Columns * few_rows_max; i += blockDim.y * 32) {
    int64_t column = first + i % Columns;
    int row = i / Columns;
    if (column >= p.n[matrix] || row >= p.m) continue;
    float sum = 0;
    for (int warp = 0; warp < blockDim.y; ++warp) sum += sums[warp * Columns * few_rows_max + i];
    out[row * p.out_row[matrix] + column * p.out_column] = T(sum);
  }
}

// Blocks (32, warps), grid (tiles of N, batches).
template <class T>
__global__ void __launch_bounds__(512, 2) few_rows_halves(__grid_constant__ const FewRows p) {
  constexpr int steps = 2, depth = 32 * steps, octets = tile_rows / 8;
  __shared__ float sums[16 * tile_rows * few_rows_max];
  let_later_start();
  int g = threadIdx.x / 4, t = threadIdx.x % 4;
  auto [matrix, block] = block_place(p, blockIdx.x);
  int first = block * tile_rows, n = p.n[matrix];
  const T* w = static_cast<const T*>(p.w[matrix]) + blockIdx.y * p.w_batch;
  const T* x = static_cast<const T*>(p.x) + blockIdx.y * p.x_batch + g * p.x_row;
  bool has_x = g < p.m;
  float c[octets / 2][4] = {};
  uint4 a[steps][octets];
  auto ask = [&](int k) {
#pragma unroll
    for (int i = 0; i < octets; ++i) {
      int row = first + i * 8 + g;
      const T* from = w + row * p.w_row + k;
#pragma unroll
      for (int s = 0; s < steps; ++s) {
        a[s][i] = load_or_zero(from + s * 32, row < n && k + s * 32 < p.k);
      }
    }
    all_asked();
  };
  auto multiply = [&](int k) {
    uint4 v[steps];
#pragma unroll
    for (int s = 0; s < steps; ++s, k += 32) {
      v[s] = has_x && k < p.k ? *reinterpret_cast<const uint4*>(x + k) : make_uint4(0, 0, 0, 0);
    }
#pragma unroll
    for (int s = 0; s < steps; ++s) {
#pragma unroll
      for (int i = 0; i < octets; i += 2) {
        const uint4 &upper = a[s][i], &lower = a[s][i + 1];
        multiply_tile<T>(c[i / 2], upper.x, lower.x, upper.y, lower.y, v[s].x, v[s].y);
        multiply_tile<T>(c[i / 2], upper.z, lower.z, upper.w, lower.w, v[s].z, v[s].w);
      }
    }
  };
  if (!p.settled) wait_for_earlier();
  // All lanes of a warp stay together, also where K ends.
  int k = threadIdx.y * depth + t * 8, end = p.k + t * 8, step = blockDim.y * depth;
  ask(k);
  wait_for_earlier();
  multiply(k);
  for (k += step; k < end; k += step) {
    ask(k);
    multiply(k);
  }
  float* mine = sums + threadIdx.y * tile_rows * few_rows_max;
#pragma unroll
  for (int i = 0; i < octets / 2; ++i) {
    float *upper = mine + i * 16 + g, *lower = upper + 8;
    upper[2 * t * tile_rows] = c[i][0];
    upper[(2 * t + 1) * tile_rows] = c[i][1];
    lower[2 * t * tile_rows] = c[i][2];
    lower[(2 * t + 1) * tile_rows] = c[i][3];
  }
  __syncthreads();
  store_sums<T, tile_rows>(p, matrix, sums, first);
}

template <class T, int Rows, int columns>
__global__ void __launch_bounds__(512, Rows > 1 ? 1 : 2)
    few_rows(__grid_constant__ const FewRows p) {
  let_later_start();
  auto x_of = [&] {
    wait_for_earlier();
    return static_cast<const T*>(p.x) + blockIdx.y * p.x_batch;
  };
  multiply_few_rows<T, Rows, columns>(p, x_of, NoFinish());
}

// w_row is the stride between the K rows here. Blocks (32, 16), grid (tiles of N, batches): a tile
// is 4 lanes wide; of the 128 threads along K each warp holds 8.
template <class T, int Rows>
__global__ void __launch_bounds__(512) few_rows_columns(__grid_constant__ const FewRows p) {
  start_after_earlier();
  constexpr int width = 16 / sizeof(T), columns = 4 * width, steps = Rows > 4 ? 4 : 8;
  __shared__ float sums[16 * columns * few_rows_max];
  int64_t first = static_cast<int64_t>(blockIdx.x) * columns;
  int64_t column = first + threadIdx.x % 4 * width;
  const T* w = static_cast<const T*>(p.w[0]) + blockIdx.y * p.w_batch + column;
  const T* x = static_cast<const T*>(p.x) + blockIdx.y * p.x_batch;
  float c[Rows][width] = {};
  for (int64_t from = threadIdx.y * 8 + threadIdx.x / 4; from < p.k; from += 128 * steps) {
    uint4 a[steps];
#pragma unroll
    for (int s = 0; s < steps; ++s) {
      int64_t k = from + s * 128;
      a[s] = load_or_zero(w + k * p.w_row, k < p.k && column < p.n[0]);
    }
    __syncwarp(__activemask());
#pragma unroll
    for (int s = 0; s < steps; ++s) {
      int64_t k = from + s * 128;
      if (k >= p.k) continue;
      const T* values = reinterpret_cast<const T*>(&a[s]);
#pragma unroll
      for (int i = 0; i < Rows; ++i) {
        if (i >= p.m) continue;
        float v = static_cast<float>(x[i * p.x_row + k]);
#pragma unroll
        for (int j = 0; j < width; ++j) c[i][j] += static_cast<float>(values[j]) * v;
      }
    }
  }
#pragma unroll
  for (int i = 0; i < Rows; ++i) {
#pragma unroll
    for (int j = 0; j < width; ++j) {
      float sum = c[i][j];
      for (int mask = 4; mask < 32; mask *= 2) sum += shuffle_xor(sum, mask);
      if (threadIdx.x < 4) {
        sums[(threadIdx.y * few_rows_max + i) * columns + threadIdx.x * width + j] = sum;
      }
    }
  }
  __syncthreads();
  store_sums<T, columns>(p, 0, sums, first);
}
