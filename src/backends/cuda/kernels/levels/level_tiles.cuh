// out[i, j] = sum over k of x[i, k] * w[j, k] for some tens of rows of x (columns of the product)
// and rows of levels w [N, K]; formats, matrices and x as in level_rows.cuh.
//
// A block takes 128 rows of w, 16 a warp, and a stretch of K. A chunk of 256 of x, for all warps,
// and of each warp's levels travel into shared memory while the chunk before is multiplied on
// tensor cores. Stretches write float sums, which level_join adds.
//
// Floor: the bytes of w; of x, N / 128 times.
#pragma once

#include "level_rows.cuh"

constexpr int block_warps = 8;

template <int Tiles>
constexpr int tile_stages = Tiles > 4 ? 2 : 3;

// Halves between the columns of a chunk of x: eight lanes read different banks.
template <class F>
constexpr int column_stride = F::order == Order::split ? 272 : 288;

// Columns of x, [columns, 256] from k on; zeros beyond K and beyond the columns.
template <class F, class T, int Tiles>
__device__ __forceinline__ void copy_columns(const LevelRows& p, int k, T* to) {
  const T* x = static_cast<const T*>(p.x);
  for (int i = threadIdx.y * 32 + threadIdx.x; i < Tiles * 8 * 32; i += block_warps * 32) {
    int column = i / 32, piece = i % 32 * 8;
    bool inside = column < p.columns && k + piece < p.k;
    copy_async(to + column * column_stride<F> + piece,
               inside ? x + column * p.x_stride + k + piece : x, inside ? 16 : 0);
  }
}

// Where sum (column, row) of a tile lies among [Tiles * 4][32 lanes].
__device__ __forceinline__ int place_of_sum(int column, int row) {
  int number = column / 8 * 4 + row / 8 * 2 + column % 2;
  return number * 32 + row % 8 * 4 + column % 8 / 2;
}

// Grid: x counts blocks of eight tiles, y stretches of `chunks_each` chunks. `parts`, if not null,
// takes the sums: [stretches, tiles, Tiles * 8 * tile_rows].
template <class F, class T, int Tiles>
__global__ void __launch_bounds__(256)
    level_tiles(__grid_constant__ const LevelRows p, int chunks_each, float* parts) {
  start_after_earlier();
  constexpr int stages = tile_stages<Tiles>, slot_bytes = slot_bytes_of<F>();
  constexpr int columns_size = Tiles * 8 * column_stride<F>;
  using Bytes = typename choose<F::aligned, AlignedBytes, SharedBytes>::type;
  extern __shared__ uint4 dynamic_shared[];
  __shared__ float totals[8][(F::halves_differ ? 2 : 1) * Tiles * 8];
  int warp = threadIdx.y, g = threadIdx.x / 4, t = threadIdx.x % 4;
  T* columns = reinterpret_cast<T*>(dynamic_shared);
  uint8_t* slots = reinterpret_cast<uint8_t*>(columns + stages * columns_size);
  slots += warp * stages * tile_rows * slot_bytes;
  int tile = blockIdx.x * block_warps + warp, chunks = (p.k + 255) / 256;
  int first = blockIdx.y * chunks_each, last = min(first + chunks_each, chunks);
  bool active = tile < p.tiles;
  TileRows rows = tile_rows_of(p, active ? tile : 0);
  auto copy = [&](int chunk) {
    int stage = (chunk - first) % stages;
    if (chunk < last) {
      copy_columns<F, T, Tiles>(p, chunk * 256, columns + stage * columns_size);
      if (active) copy_chunk<F>(p, rows, chunk, slots + stage * tile_rows * slot_bytes);
    }
    commit_copies();
  };
  for (int s = 0; s + 1 < stages; ++s) copy(first + s);
  Extra<F> next;
  if (first < last) next.fetch(p, rows, first, threadIdx.x);
  Sums<F, T, Tiles> sum;
  sum.clear();
  for (int chunk = first; chunk < last; ++chunk) {
    Extra<F> extra = next;
    if (chunk + 1 < last) next.fetch(p, rows, chunk + 1, threadIdx.x);
    wait_for_copies<stages - 2>();
    __syncthreads();
    copy(chunk + stages - 1);
    int stage = (chunk - first) % stages;
    const uint8_t* slot = slots + stage * tile_rows * slot_bytes;
    const uint8_t* from = rows.first + int64_t(chunk) * F::chunk_bytes;
    auto place = [&](int row) {
      uint64_t at = reinterpret_cast<uint64_t>(from + row * p.row_bytes) & 15;
      return Bytes(slot + row * slot_bytes + (F::aligned ? 0 : at));
    };
    auto upper = reader_of<F, Bytes>(place(g), t, extra, 0);
    auto lower = reader_of<F, Bytes>(place(g + 8), t, extra, 1);
    const T* x[Tiles];
#pragma unroll
    for (int n = 0; n < Tiles; ++n) {
      x[n] = columns + stage * columns_size + (n * 8 + g) * column_stride<F>;
    }
    int runs = F::block_elements == 256 ? 8 : min(8, (p.k - chunk * 256) / 32);
    if (F::has_minimum) {
      // Each warp adds up one run for all.
      add_columns<F, T, Tiles>(x, warp * 32, threadIdx.x, totals[warp]);
      __syncthreads();
    }
#pragma unroll
    for (int r = 0; r < 8; ++r) {
      if (r >= runs) continue;
      sum.template add<true>(upper.run(r), lower.run(r), x, r * 32, t, totals[r]);
    }
  }
  if (!active) return;
  float* to = parts + (int64_t(blockIdx.y) * p.tiles + tile) * (Tiles * 8 * tile_rows);
#pragma unroll
  for (int n = 0; n < Tiles; ++n) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      to[(n * 4 + j) * 32 + threadIdx.x] = sum.sum[n][j];
    }
  }
}

// Adds the stretches, and the planes of each row of x. Thread i makes element i % 16 of a tile's
// rows for row i / 16 of x. Grid: x counts tiles. Blocks of 256.
template <class Out, int Tiles>
__global__ void __launch_bounds__(256)
    level_join(__grid_constant__ const LevelRows p, int stretches, const float* parts) {
  start_after_earlier();
  constexpr int count = Tiles * 8 * tile_rows;
  int m = matrix_of(p, blockIdx.x), row = threadIdx.x % tile_rows;
  int64_t at = int64_t(blockIdx.x - p.matrices.first_tile[m]) * tile_rows + row;
  if (at >= p.matrices.rows[m]) return;
  for (int i = threadIdx.x / tile_rows; i * p.planes < p.columns; i += 256 / tile_rows) {
    float sum = 0;
    for (int plane = p.planes - 1; plane >= 0; --plane) {
      const float* from =
          parts + int64_t(blockIdx.x) * count + place_of_sum(i * p.planes + plane, row);
#pragma unroll 4
      for (int s = 0; s < stretches; ++s) sum += from[int64_t(s) * p.tiles * count];
    }
    static_cast<Out*>(p.out)[i * p.out_stride + p.matrices.out[m] + at] = Out(sum);
  }
}
