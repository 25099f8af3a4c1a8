// out[b, i, j] = sum over k of x[b, i, k] * w[b, j, k] for up to 8 rows of x; w is read once.
//
// - few_rows_halves: w [N, K] with K together. A warp takes 8 * Groups rows of w as they lie in
//   memory as the right matrices of tensor core products, x as the left one.
// - few_rows_floats: the same with 4 rows of w a warp, lanes along K, products in registers.
//   Blocks take tiles in turn, their warps share K, their sums meet in shared memory. A lane's next
//   16-byte pieces of w are always on their way into shared memory, also those of the next tile.
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
};

constexpr int few_rows_max = 8;

// The block's warps have a sum each for out[column][row] of a tile; thread i adds and stores one.
template <class T, int Columns>
__device__ __forceinline__ void store_sums(const FewRows& p, const float* sums, int64_t first,
                                           int64_t batch) {
  T* out = static_cast<T*>(p.out) + batch * p.out_batch;
  int count = Columns * static_cast<int>(p.m);
  for (int i = threadIdx.y * 32 + threadIdx.x; i < count; i += blockDim.y * 32) {
    int64_t column = first + i % Columns;
    int row = i / Columns;
    if (column >= p.n) continue;
    float sum = 0;
    for (int warp = 0; warp < blockDim.y; ++warp) sum += sums[warp * Columns * few_rows_max + i];
    out[row * p.out_row + column * p.out_column] = T(sum);
  }
}

template <class T>
__device__ __forceinline__ uint4 load_or_zero(const T* from, bool inside) {
  return inside ? load_once(from) : make_uint4(0, 0, 0, 0);
}

// The tiles of all batches and the chunks of K, as the warps of persistent blocks take them in
// turn; a block has at most one warp for each chunk.
struct Tiles {
  int each, all, chunks;  // tiles of a batch and of all
};
constexpr int pieces = 4, stages = 4;  // 16-byte pieces of a lane in a stage, stages of its ring

// Pieces of w on their way to a lane, RowPieces rows of them RowStep apart, the others KStep apart
// along K. It reads only what it has copied itself, without a barrier.
template <class T, int RowPieces, int RowStep, int KStep>
struct Ring {
  static constexpr int rows = RowPieces * RowStep, depth = pieces / RowPieces * KStep;
  const FewRows& p;
  const Tiles& tiles;
  uint4* slots;  // of the lane; 32 lanes lie side by side
  int lane_row, lane_k, stage;
  int tile, chunk;  // to be asked for next
  const T* from;  // the lane's first row of that tile
  int64_t rows_left;

  __device__ __forceinline__ Ring(const FewRows& call, const Tiles& all, uint4* memory, int row,
                                  int k)
      : p(call),
        tiles(all),
        slots(memory + threadIdx.y * (stages * pieces * 32) + threadIdx.x),
        lane_row(row),
        lane_k(k),
        stage(0) {
    go_to(blockIdx.x);
#pragma unroll
    for (int s = 0; s < stages; ++s) ask();
  }

  __device__ __forceinline__ void go_to(int next) {
    tile = next;
    chunk = threadIdx.y;
    int batch = tile / tiles.each;
    int64_t row = static_cast<int64_t>(tile - batch * tiles.each) * rows + lane_row;
    from = static_cast<const T*>(p.w) + batch * p.w_batch + row * p.w_row;
    rows_left = p.n - row;
  }

  __device__ __forceinline__ void ask() {
    if (tile < tiles.all) {
      int k = chunk * depth + lane_k;
#pragma unroll
      for (int i = 0; i < pieces; ++i) {
        int row = i % RowPieces * RowStep, at = k + i / RowPieces * KStep;
        bool inside = row < rows_left && at < p.k;
        const void* piece = inside ? from + row * p.w_row + at : p.w;
        copy_async(slots + (stage * pieces + i) * 32, piece, inside ? 16 : 0);
      }
      chunk += blockDim.y;
      if (chunk >= tiles.chunks) go_to(tile + gridDim.x);
    }
    commit_copies();
    stage = stage + 1 == stages ? 0 : stage + 1;
  }

  // The oldest chunk; the next one is asked for in its place.
  __device__ __forceinline__ void take(uint4 (&to)[pieces]) {
    wait_for_copies<stages - 1>();
#pragma unroll
    for (int i = 0; i < pieces; ++i) to[i] = slots[(stage * pieces + i) * 32];
    ask();
  }
};

// Persistent blocks (32, warps); dynamic shared memory: stages * pieces * 512 bytes for each warp.
template <class T, int Groups>
__global__ void __launch_bounds__(256, 3) few_rows_halves(FewRows p, Tiles tiles) {
  constexpr int rows = 8 * Groups, steps = pieces / Groups, depth = 32 * steps;
  extern __shared__ uint4 dynamic_shared[];
  __shared__ float sums[2][8 * rows * few_rows_max];
  int g = threadIdx.x / 4, t = threadIdx.x % 4, parity = 0;
  Ring<T, Groups, 8, 32> ring(p, tiles, dynamic_shared, g, t * 8);
  for (int tile = blockIdx.x; tile < tiles.all; tile += gridDim.x, parity ^= 1) {
    int batch = tile / tiles.each;
    const T* x = static_cast<const T*>(p.x) + batch * p.x_batch + g * p.x_row;
    float c[Groups][4] = {};
    for (int chunk = threadIdx.y; chunk < tiles.chunks; chunk += blockDim.y) {
      int64_t k = static_cast<int64_t>(chunk) * depth + t * 8;
      uint4 v[steps], a[pieces];
#pragma unroll
      for (int s = 0; s < steps; ++s) {
        v[s] = g < p.m && k + s * 32 < p.k ? *reinterpret_cast<const uint4*>(x + k + s * 32)
                                           : make_uint4(0, 0, 0, 0);
      }
      ring.take(a);
#pragma unroll
      for (int i = 0; i < pieces; ++i) {
        const uint4& u = v[i / Groups];
        multiply_tile<T>(c[i % Groups], u.x, 0, u.y, 0, a[i].x, a[i].y);
        multiply_tile<T>(c[i % Groups], u.z, 0, u.w, 0, a[i].z, a[i].w);
      }
    }
    if (g < p.m) {
      float* mine = sums[parity] + (threadIdx.y * few_rows_max + g) * rows + 2 * t;
#pragma unroll
      for (int i = 0; i < Groups; ++i) {
        store_vector(mine + i * 8, Vector<float, 2>{{c[i][0], c[i][1]}});
      }
    }
    __syncthreads();
    store_sums<T, rows>(p, sums[parity], static_cast<int64_t>(tile - batch * tiles.each) * rows,
                        batch);
  }
}

// Blocks and shared memory as few_rows_halves.
template <int Rows>
__global__ void __launch_bounds__(256, 3) few_rows_floats(FewRows p, Tiles tiles) {
  constexpr int columns = pieces, depth = 128;
  extern __shared__ uint4 dynamic_shared[];
  __shared__ float sums[2][8 * columns * few_rows_max];
  int lane_k = threadIdx.x * 4, parity = 0;
  Ring<float, columns, 1, depth> ring(p, tiles, dynamic_shared, 0, lane_k);
  for (int tile = blockIdx.x; tile < tiles.all; tile += gridDim.x, parity ^= 1) {
    int batch = tile / tiles.each;
    const float* x = static_cast<const float*>(p.x) + batch * p.x_batch;
    float c[columns][Rows] = {};
    for (int chunk = threadIdx.y; chunk < tiles.chunks; chunk += blockDim.y) {
      int64_t k = static_cast<int64_t>(chunk) * depth + lane_k;
      uint4 a[pieces];
      ring.take(a);
#pragma unroll
      for (int i = 0; i < Rows; ++i) {
        if (k >= p.k || i >= p.m) continue;
        float4 v = *reinterpret_cast<const float4*>(x + i * p.x_row + k);
#pragma unroll
        for (int j = 0; j < columns; ++j) {
          c[j][i] += float_of_bits(a[j].x) * v.x + float_of_bits(a[j].y) * v.y +
                     float_of_bits(a[j].z) * v.z + float_of_bits(a[j].w) * v.w;
        }
      }
    }
#pragma unroll
    for (int j = 0; j < columns; ++j) {
#pragma unroll
      for (int i = 0; i < Rows; ++i) {
        float sum = warp_reduce<op::Sum>(c[j][i]);
        if (threadIdx.x == 0) sums[parity][(threadIdx.y * few_rows_max + i) * columns + j] = sum;
      }
    }
    __syncthreads();
    store_sums<float, columns>(p, sums[parity],
                               static_cast<int64_t>(tile - batch * tiles.each) * columns, batch);
  }
}

// w_row is the stride between the K rows here. Blocks (32, 16), grid (tiles of N, batches): a tile
// is 4 lanes wide; of the 128 threads along K each warp holds 8.
template <class T, int Rows>
__global__ void __launch_bounds__(512) few_rows_columns(FewRows p) {
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
  store_sums<T, columns>(p, sums, first, blockIdx.y);
}
