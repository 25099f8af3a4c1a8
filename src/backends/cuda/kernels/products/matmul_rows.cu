// out[b, i, j] = sum over k of x[b, i, k] * w[b, j, k] for up to 8 rows of x; w is read once.
//
// - few_rows: w [N, K] with K together. A warp takes two rows of w, or a share of their K, lanes
//   along K, products in registers.
// - few_rows_halves: the same for more than two rows of halves. A warp takes 16 rows of w as they lie in memory as the left matrix of tensor core
//   products, x as the right one: 16 bytes of each row a lane and step. The warps of a block share
//   K; their sums meet in shared memory.
// - few_rows_columns: w [K, N] with N together: lanes along N, the block's other threads along K.
//
// Floor: the bytes of w.
#include "math.cuh"
#include "tiles.cuh"

struct FewRows {
  const void *x, *w;
  void* out;
  int64_t x_row, x_batch, w_row, w_batch, out_row, out_column, out_batch;  // strides in elements
  int64_t m, n, k;
  bool settled;  // nothing that runs writes w
};

constexpr int tile_rows = 16, few_rows_max = 8;

// The block's warps have a sum each for out[column][row] of a tile; thread i adds and stores one.
template <class T, int Columns>
__device__ __forceinline__ void store_sums(const FewRows& p, const float* sums, int64_t first) {
  T* out = static_cast<T*>(p.out) + blockIdx.y * p.out_batch;
  for (int i = threadIdx.y * 32 + threadIdx.x; i < Columns * few_rows_max; i += blockDim.y * 32) {
    int64_t column = first + i % Columns;
    int row = i / Columns;
    if (column >= p.n || row >= p.m) continue;
    float sum = 0;
    for (int warp = 0; warp < blockDim.y; ++warp) sum += sums[warp * Columns * few_rows_max + i];
    out[row * p.out_row + column * p.out_column] = T(sum);
  }
}

template <class T>
__device__ __forceinline__ uint4 load_or_zero(const T* from, bool inside) {
  return inside ? load_once(from) : make_uint4(0, 0, 0, 0);
}

// Blocks (32, warps), grid (tiles of N, batches).
template <class T>
__global__ void __launch_bounds__(256) few_rows_halves(FewRows p) {
  let_later_start();
  constexpr int steps = 4, depth = 32 * steps;
  __shared__ float sums[8 * tile_rows * few_rows_max];
  int g = threadIdx.x / 4, t = threadIdx.x % 4;
  int64_t first = static_cast<int64_t>(blockIdx.x) * tile_rows;
  const T* w = static_cast<const T*>(p.w) + blockIdx.y * p.w_batch + first * p.w_row;
  const T* x = static_cast<const T*>(p.x) + blockIdx.y * p.x_batch + g * p.x_row;
  const T *upper = w + g * p.w_row, *lower = w + (g + 8) * p.w_row;
  bool has_upper = first + g < p.n, has_lower = first + g + 8 < p.n, has_x = g < p.m;
  float c[4] = {};
  uint4 a[steps], b[steps];
  auto ask = [&](int64_t k) {
#pragma unroll
    for (int s = 0; s < steps; ++s, k += 32) {
      a[s] = load_or_zero(upper + k, k < p.k && has_upper);
      b[s] = load_or_zero(lower + k, k < p.k && has_lower);
    }
    all_asked();
  };
  auto multiply = [&](int64_t k) {
    uint4 v[steps];
#pragma unroll
    for (int s = 0; s < steps; ++s, k += 32) {
      v[s] = has_x && k < p.k ? *reinterpret_cast<const uint4*>(x + k) : make_uint4(0, 0, 0, 0);
    }
#pragma unroll
    for (int s = 0; s < steps; ++s) {
      multiply_tile<T>(c, a[s].x, b[s].x, a[s].y, b[s].y, v[s].x, v[s].y);
      multiply_tile<T>(c, a[s].z, b[s].z, a[s].w, b[s].w, v[s].z, v[s].w);
    }
  };
  if (!p.settled) wait_for_earlier();
  // All lanes of a warp stay together, also where K ends.
  int64_t k = threadIdx.y * depth + t * 8, end = p.k + t * 8, step = blockDim.y * depth;
  ask(k);
  wait_for_earlier();
  multiply(k);
  for (k += step; k < end; k += step) {
    ask(k);
    multiply(k);
  }
  float* mine = sums + threadIdx.y * tile_rows * few_rows_max;
  mine[2 * t * tile_rows + g] = c[0];
  mine[(2 * t + 1) * tile_rows + g] = c[1];
  mine[2 * t * tile_rows + g + 8] = c[2];
  mine[(2 * t + 1) * tile_rows + g + 8] = c[3];
  __syncthreads();
  store_sums<T, tile_rows>(p, sums, first);
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

// Blocks (32, 8), grid (groups of N, batches): `shares` warps share the K of two rows of w.
template <class T, int Rows>
__global__ void __launch_bounds__(256, Rows > 2 ? 2 : 3) few_rows(FewRows p, int shares) {
  constexpr int columns = 2, steps = 4, width = Items<T>::count, depth = 32 * width;
  __shared__ float sums[8][columns][Rows];
  let_later_start();
  int share = threadIdx.y % shares, group = threadIdx.y / shares;
  int64_t first = (blockIdx.x * int64_t(8 / shares) + group) * columns;
  const T* w = static_cast<const T*>(p.w) + blockIdx.y * p.w_batch + first * p.w_row;
  const T* x = static_cast<const T*>(p.x) + blockIdx.y * p.x_batch;
  bool present[columns];
#pragma unroll
  for (int j = 0; j < columns; ++j) present[j] = first + j < p.n;
  uint4 a[steps][columns];
  auto ask = [&](int64_t k) {
#pragma unroll
    for (int s = 0; s < steps; ++s, k += depth) {
#pragma unroll
      for (int j = 0; j < columns; ++j) {
        a[s][j] = load_or_zero(w + j * p.w_row + k, present[j] && k < p.k);
      }
    }
    all_asked();
  };
  float c[columns][Rows] = {};
  auto multiply = [&](int64_t k) {
#pragma unroll
    for (int s = 0; s < steps; ++s, k += depth) {
      if (k >= p.k) continue;
      Items<T> weights[columns] = {Items<T>(a[s][0]), Items<T>(a[s][1])};
#pragma unroll
      for (int i = 0; i < Rows; ++i) {
        if (i >= p.m) continue;
        Items<T> values(*reinterpret_cast<const uint4*>(x + i * p.x_row + k));
#pragma unroll
        for (int j = 0; j < columns; ++j) {
#pragma unroll
          for (int e = 0; e < width; ++e) c[j][i] += weights[j].value[e] * values.value[e];
        }
      }
    }
  };
  if (!p.settled) wait_for_earlier();
  // All lanes of a warp stay together, also where K ends.
  int64_t k = share * depth * steps + threadIdx.x * width, end = p.k + threadIdx.x * width;
  int64_t step = shares * depth * steps;
  ask(k);
  wait_for_earlier();
  multiply(k);
  for (k += step; k < end; k += step) {
    ask(k);
    multiply(k);
  }
#pragma unroll
  for (int j = 0; j < columns; ++j) {
#pragma unroll
    for (int i = 0; i < Rows; ++i) {
      float sum = warp_reduce<op::Sum>(c[j][i]);
      if (threadIdx.x == 0) sums[threadIdx.y][j][i] = sum;
    }
  }
  __syncthreads();
  T* out = static_cast<T*>(p.out) + blockIdx.y * p.out_batch;
  for (int i = threadIdx.y * 32 + threadIdx.x; i < 8 / shares * columns * Rows; i += 256) {
    int row = i % Rows, column = i / Rows % columns, of = i / Rows / columns;
    int64_t n = (blockIdx.x * int64_t(8 / shares) + of) * columns + column;
    if (n >= p.n || row >= p.m) continue;
    float sum = 0;
    for (int s = 0; s < shares; ++s) sum += sums[of * shares + s][column][row];
    out[row * p.out_row + n * p.out_column] = T(sum);
  }
}

// w_row is the stride between the K rows here. Blocks (32, 16), grid (tiles of N, batches): a tile
// is 4 lanes wide; of the 128 threads along K each warp holds 8.
template <class T, int Rows>
__global__ void __launch_bounds__(512) few_rows_columns(FewRows p) {
  start_after_earlier();
  constexpr int width = 16 / sizeof(T), columns = 4 * width, steps = Rows > 4 ? 4 : 8;
  __shared__ float sums[16 * columns * few_rows_max];
  int64_t first = static_cast<int64_t>(blockIdx.x) * columns;
  int64_t column = first + threadIdx.x % 4 * width;
  const T* w = static_cast<const T*>(p.w) + blockIdx.y * p.w_batch + column;
  const T* x = static_cast<const T*>(p.x) + blockIdx.y * p.x_batch;
  float c[Rows][width] = {};
  for (int64_t from = threadIdx.y * 8 + threadIdx.x / 4; from < p.k; from += 128 * steps) {
    uint4 a[steps];
#pragma unroll
    for (int s = 0; s < steps; ++s) {
      int64_t k = from + s * 128;
      a[s] = load_or_zero(w + k * p.w_row, k < p.k && column < p.n);
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
  store_sums<T, columns>(p, sums, first);
}
