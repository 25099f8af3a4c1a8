// out[i, j] = sum over k of x[i, k] * w[j, k] for a few rows of x and rows of levels w [N, K];
// several matrices of one format side by side. A format says how four lanes read 256 levels of a
// row (packed_formats.cuh, affine_formats.cuh).
//
// Warps of a block take 16 rows of w and share out chunks of 256 along K. Bytes of the chunks to
// come travel into shared memory as they lie; of the chunk at hand, levels become the left matrix
// of tensor core products, x is the right one; each group's product is scaled into float sums. x is
// of a half type, or float32 as three planes of bfloats that lie below each other.
//
// Floor: the bytes of w, read once for each 8 * Tiles columns.
#pragma once

#include "byte_readers.cuh"
#include "level_products.cuh"

constexpr int matrices_max = 4, tile_rows = 16;

struct LevelMatrices {
  const uint8_t* w[matrices_max];
  const void *scales[matrices_max], *biases[matrices_max];  // of formats that have them apart
  int64_t rows[matrices_max], out[matrices_max];  // rows, first column of the output
  int first_tile[matrices_max + 1];
  int count;
};

struct LevelRows {
  const void* x;  // [columns, K], of T; of Planes in shared memory float [columns / 3, K]
  void* out;  // [rows of x, out_stride]
  int64_t x_stride, out_stride, row_bytes;
  int columns, planes;  // columns of the product; how many of them make one row of the output
  int k, tiles;
  int settled;  // whether levels may be read before earlier kernels are done
  LevelMatrices matrices;
};

template <class F>
constexpr int slot_bytes_of() {
  int bytes = (F::chunk_bytes + (F::aligned ? 0 : 14 + 8) + 15) / 16 * 16;
  // Lanes of eight rows read different banks.
  while (bytes % 128 != (F::long_words ? 32 : 16)) bytes += 16;
  return bytes;
}
template <class F>
constexpr int stages_of = slot_bytes_of<F>() <= 160 ? 3 : 2;

// 16 rows of one matrix.
struct TileRows {
  const uint8_t *first, *end;
  int rows, matrix;
  int64_t row;
};
__device__ __forceinline__ int matrix_of(const LevelRows& p, int tile) {
  int m = 0;
  while (m + 1 < p.matrices.count && tile >= p.matrices.first_tile[m + 1]) ++m;
  return m;
}
__device__ __forceinline__ TileRows tile_rows_of(const LevelRows& p, int tile) {
  int m = matrix_of(p, tile);
  int64_t row = static_cast<int64_t>(tile - p.matrices.first_tile[m]) * tile_rows;
  const uint8_t* w = p.matrices.w[m];
  return {w + row * p.row_bytes, w + p.matrices.rows[m] * p.row_bytes,
          static_cast<int>(min(p.matrices.rows[m] - row, int64_t(tile_rows))), m, row};
}

// Starts copying a chunk of each row: the aligned 16 bytes that hold some of it, not beyond the
// end.
template <class F>
__device__ __forceinline__ void copy_chunk(const LevelRows& p, const TileRows& tile, int chunk,
                                           uint8_t* slots) {
  constexpr int pieces = (F::chunk_bytes + (F::aligned ? 0 : 14) + 15) / 16;
  int t = lane_index() % 4;
  // Whether all that rows ask for lies before the end: the last chunk may be longer than its row.
  bool inside = tile.end - tile.first >=
                (tile_rows - 1) * p.row_bytes + int64_t(chunk) * F::chunk_bytes + pieces * 16;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    int row = lane_index() / 4 + 8 * i;
    if (row >= tile.rows) break;
    const uint8_t* from = tile.first + row * p.row_bytes + int64_t(chunk) * F::chunk_bytes;
    from -= reinterpret_cast<uint64_t>(from) & 15;
    from += t * 16;
    uint8_t* to = slots + row * slot_bytes_of<F>() + t * 16;
    if (inside) {
#pragma unroll
      for (int piece = 0; piece < pieces; piece += 4) {
        if (piece + t < pieces) copy_async(to + piece * 16, from + piece * 16);
      }
    } else {
      for (int piece = 0; piece + t < pieces && from + piece * 16 < tile.end; piece += 4) {
        int64_t left = tile.end - (from + piece * 16);
        copy_async(to + piece * 16, from + piece * 16, static_cast<int>(min(left, int64_t(16))));
      }
    }
  }
}

// Right matrices for the two halves of a run, from row `x` of a lane's column.
template <class F, class T>
__device__ __forceinline__ void load_columns(const T* x, int k, int t, uint32_t (&b)[2][2]) {
  if (F::order != Order::split) {
    uint4 v = *reinterpret_cast<const uint4*>(x + k + 8 * t);
    if (F::order == Order::wide) {
      b[0][0] = v.x, b[0][1] = v.y, b[1][0] = v.z, b[1][1] = v.w;
    } else {
      for (int i = 0; i < 2; ++i) {
        b[i][0] = __byte_perm(v.x, v.y, i == 0 ? 0x5410 : 0x7632);
        b[i][1] = __byte_perm(v.z, v.w, i == 0 ? 0x5410 : 0x7632);
      }
    }
  } else {
    for (int i = 0; i < 2; ++i) {
      uint2 v = *reinterpret_cast<const uint2*>(x + k + 16 * i + 4 * t);
      b[i][0] = v.x, b[i][1] = v.y;
    }
  }
}

template <class F, class T, int Tiles>
struct Sums {
  // Whether the magic number is taken away with the minima: bfloats lose nothing by that.
  static constexpr bool folded = F::has_minimum && !F::signed_bytes && is_same<T, bfloat_t>::value;
  float sum[Tiles][4];

  __device__ __forceinline__ void clear() {
    for (int n = 0; n < Tiles; ++n) {
      for (int j = 0; j < 4; ++j) sum[n][j] = 0;
    }
  }

  __device__ __forceinline__ static void pairs(uint32_t levels, uint32_t (&to)[2]) {
    if constexpr (F::signed_bytes) signed_pairs_of<T>(levels, to);
    else pairs_of<T, folded>(levels, F::offset, to);
  }

  // Products of one scale: c of tile n, and x summed.
  __device__ __forceinline__ void scale(int n, const float (&c)[4], const float (&x)[4],
                                        float upper, float lower, float upper_minimum,
                                        float lower_minimum) {
    float upper_less = 0, lower_less = 0;
    if (F::has_minimum) {
      upper_less = upper_minimum + (folded ? magic_number<T> * upper : 0);
      lower_less = lower_minimum + (folded ? magic_number<T> * lower : 0);
    }
    for (int j = 0; j < 2; ++j) {
      sum[n][j] += upper * c[j];
      sum[n][2 + j] += lower * c[2 + j];
      if (F::has_minimum) {
        sum[n][j] -= upper_less * x[j];
        sum[n][2 + j] -= lower_less * x[2 + j];
      }
    }
  }

  // A run with its columns at x + k; where `totals` is not null, the sums of the columns over each
  // half of the run (or all of it) are there, [halves][Tiles * 8].
  template <bool HasTotals>
  __device__ __forceinline__ void add(const Run& upper, const Run& lower,
                                      const T* const (&x)[Tiles], int k, int t,
                                      const float* totals) {
    uint32_t a[2][2], b[2][2], ones = pair_of<T>(1);
    float c[Tiles][4] = {}, total[Tiles][4] = {};
    uint32_t columns[Tiles][2][2];
#pragma unroll
    for (int n = 0; n < Tiles; ++n) load_columns<F>(x[n], k, t, columns[n]);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      pairs(upper.levels[i], a[i]);
      pairs(lower.levels[i], b[i]);
#pragma unroll
      for (int n = 0; n < Tiles; ++n) {
        multiply_tile<T>(c[n], a[i][0], b[i][0], a[i][1], b[i][1], columns[n][i][0],
                         columns[n][i][1]);
        if (F::has_minimum && !HasTotals) {
          multiply_tile<T>(total[n], ones, ones, ones, ones, columns[n][i][0], columns[n][i][1]);
        }
        if (!F::halves_differ && i == 0) continue;
        if (F::has_minimum && HasTotals) {
          const float* of = totals + ((F::halves_differ ? i : 0) * Tiles + n) * 8 + 2 * t;
          total[n][0] = total[n][2] = of[0];
          total[n][1] = total[n][3] = of[1];
        }
        scale(n, c[n], total[n], upper.scale[i], lower.scale[i], upper.minimum[i],
              lower.minimum[i]);
        for (int j = 0; j < 4; ++j) c[n][j] = total[n][j] = 0;
      }
    }
  }
};

// The sums of a run's columns, as Sums::add takes them; all lanes of a warp.
template <class F, class T, int Tiles>
__device__ __forceinline__ void add_columns(const T* const (&x)[Tiles], int k, int lane,
                                            float* totals) {
  uint32_t ones = pair_of<T>(1);
#pragma unroll
  for (int n = 0; n < Tiles; ++n) {
    uint32_t columns[2][2];
    load_columns<F>(x[n], k, lane % 4, columns);
    float total[4] = {};
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      multiply_tile<T>(total, ones, ones, ones, ones, columns[i][0], columns[i][1]);
      if (!F::halves_differ && i == 0) continue;
      if (lane < 4) {
        float* to = totals + ((F::halves_differ ? i : 0) * Tiles + n) * 8 + 2 * lane;
        to[0] = total[0];
        to[1] = total[1];
      }
      total[0] = total[1] = 0;
    }
  }
}

// What a lane holds of a chunk's scales that lie apart; nothing of formats that have none.
template <class F, bool = F::has_extra>
struct Extra {
  __device__ __forceinline__ void fetch(const LevelRows&, const TileRows&, int, int) {}
};
template <class F>
struct Extra<F, true> {
  typename F::Extra values;
  // Rows g and g + 8 of a tile; beyond its end the last one.
  __device__ __forceinline__ void fetch(const LevelRows& p, const TileRows& tile, int chunk,
                                        int lane) {
    int64_t upper = tile.row + min(lane / 4, tile.rows - 1);
    int64_t lower = tile.row + min(lane / 4 + 8, tile.rows - 1);
    const LevelMatrices& m = p.matrices;
    values.fetch(m.scales[tile.matrix], m.biases[tile.matrix], upper, lower, p.k, chunk, lane % 4);
  }
};

template <class F, class Bytes>
__device__ __forceinline__ typename F::template Reader<Bytes> reader_of(Bytes bytes, int t,
                                                                        const Extra<F>& extra,
                                                                        int row) {
  if constexpr (F::has_extra) {
    return typename F::template Reader<Bytes>(bytes, t, extra.values, row);
  } else {
    return typename F::template Reader<Bytes>(bytes, t);
  }
}

// The warps' sums of a tile, [warps][Tiles][8][tile_rows], become elements of the output.
template <class Out, int Tiles>
__device__ __forceinline__ void store_tile(const LevelRows& p, const float* sums, int tile) {
  constexpr int count = Tiles * 8 * tile_rows;
  int m = matrix_of(p, tile), threads = blockDim.y * 32;
  int64_t first = static_cast<int64_t>(tile - p.matrices.first_tile[m]) * tile_rows;
  for (int i = threadIdx.y * 32 + threadIdx.x; i < count / p.planes; i += threads) {
    int row = i % tile_rows, column = i / tile_rows;
    if (column * p.planes >= p.columns || first + row >= p.matrices.rows[m]) continue;
    float sum = 0;
    for (int plane = p.planes - 1; plane >= 0; --plane) {
      int at = (column * p.planes + plane) * tile_rows + row;
      for (int warp = 0; warp < blockDim.y; ++warp) sum += sums[warp * count + at];
    }
    Out* out = static_cast<Out*>(p.out) + column * p.out_stride + p.matrices.out[m] + first + row;
    *out = Out(sum);
  }
}

// x [columns / 3, K] of floats as planes of bfloats, [columns, stride].
__device__ __forceinline__ void share_planes(const LevelRows& p, bfloat_t* to, int stride) {
  int each = p.k / 4, threads = blockDim.y * 32;
  for (int i = threadIdx.y * 32 + threadIdx.x; i < p.columns / 3 * each; i += threads) {
    int row = i / each, k = i % each * 4;
    float4 v =
        *reinterpret_cast<const float4*>(static_cast<const float*>(p.x) + row * p.x_stride + k);
    float a[3], b[3], c[3], d[3];
    planes_of(v.x, a);
    planes_of(v.y, b);
    planes_of(v.z, c);
    planes_of(v.w, d);
    for (int plane = 0; plane < 3; ++plane) {
      uint2 pairs = {pack_pair<bfloat_t>(a[plane], b[plane]),
                     pack_pair<bfloat_t>(c[plane], d[plane])};
      *reinterpret_cast<uint2*>(to + (row * 3 + plane) * stride + k) = pairs;
    }
  }
}

// Blocks (32, warps), at most one warp for each chunk of a row; they take tiles in turn. Dynamic
// shared memory: two times the warps' sums, their slots, and the planes of x where they are Shared.
template <class F, class T, class Out, int Tiles, bool Shared>
__global__ void __launch_bounds__(256) level_rows(__grid_constant__ const LevelRows p) {
  start_after_earlier();
  constexpr int stages = stages_of<F>, stage_bytes = tile_rows * slot_bytes_of<F>();
  constexpr int count = Tiles * 8 * tile_rows;
  using Bytes = typename choose<F::aligned, AlignedBytes, SharedBytes>::type;
  extern __shared__ uint4 dynamic_shared[];
  int warp = threadIdx.y, warps = blockDim.y, g = threadIdx.x / 4, t = threadIdx.x % 4;
  float* sums = reinterpret_cast<float*>(dynamic_shared);
  uint8_t* slots = reinterpret_cast<uint8_t*>(sums + 2 * warps * count);
  T* planes = reinterpret_cast<T*>(slots + warps * stages * stage_bytes);
  slots += warp * stages * stage_bytes;
  int chunks = (p.k + 255) / 256, ahead_tile = blockIdx.x, ahead_chunk = warp, ahead_stage = 0;
  TileRows ahead_rows{};
  if (ahead_tile < p.tiles) ahead_rows = tile_rows_of(p, ahead_tile);
  auto copy_next = [&] {
    if (ahead_tile < p.tiles) {
      copy_chunk<F>(p, ahead_rows, ahead_chunk, slots + ahead_stage * stage_bytes);
    }
    commit_copies();
    ahead_stage = ahead_stage + 1 == stages ? 0 : ahead_stage + 1;
    ahead_chunk += warps;
    if (ahead_chunk >= chunks) {
      ahead_chunk = warp;
      ahead_tile += gridDim.x;
      if (ahead_tile < p.tiles) ahead_rows = tile_rows_of(p, ahead_tile);
    }
  };
  for (int s = 0; s + 1 < stages; ++s) copy_next();
  const T* x[Tiles];
  for (int n = 0; n < Tiles; ++n) {
    const T* from = Shared ? planes : static_cast<const T*>(p.x);
    int64_t stride = Shared ? p.k + 8 : p.x_stride;
    // Lanes of columns that are not there read the first: nobody looks at their products.
    x[n] = from + (n * 8 + g < p.columns ? n * 8 + g : 0) * stride;
  }
  if constexpr (Shared) {
    share_planes(p, planes, p.k + 8);
    __syncthreads();
  }
  int stage = 0, parity = 0;
  Extra<F> next;
  if (blockIdx.x < p.tiles) next.fetch(p, tile_rows_of(p, blockIdx.x), warp, threadIdx.x);
  for (int tile = blockIdx.x; tile < p.tiles; tile += gridDim.x, parity ^= 1) {
    Sums<F, T, Tiles> sum;
    sum.clear();
    TileRows rows = tile_rows_of(p, tile);
    for (int chunk = warp; chunk < chunks; chunk += warps) {
      // Scales of the next chunk travel while this one is computed.
      Extra<F> extra = next;
      int next_chunk = chunk + warps < chunks ? chunk + warps : warp;
      int next_tile = chunk + warps < chunks ? tile : tile + gridDim.x;
      if (F::has_extra && next_tile < p.tiles) {
        next.fetch(p, tile_rows_of(p, next_tile), next_chunk, threadIdx.x);
      }
      copy_next();
      wait_for_copies<stages - 1>();
      __syncwarp();
      const uint8_t* slot = slots + stage * stage_bytes;
      const uint8_t* from = rows.first + int64_t(chunk) * F::chunk_bytes;
      auto place = [&](int row) {
        uint64_t at = reinterpret_cast<uint64_t>(from + row * p.row_bytes) & 15;
        return Bytes(slot + row * slot_bytes_of<F>() + (F::aligned ? 0 : at));
      };
      auto upper = reader_of<F, Bytes>(place(g), t, extra, 0);
      auto lower = reader_of<F, Bytes>(place(g + 8), t, extra, 1);
      auto add_runs = [&](int runs) {
#pragma unroll
        for (int r = 0; r < 8; ++r) {
          if (r >= runs) continue;
          sum.template add<false>(upper.run(r), lower.run(r), x, chunk * 256 + r * 32, t, nullptr);
        }
      };
      // Without branches between them, runs wait for memory together.
      int runs = (p.k - chunk * 256) / 32;
      if (F::block_elements == 256 || runs >= 8) add_runs(8);
      else add_runs(runs);
      __syncwarp();
      stage = stage + 1 == stages ? 0 : stage + 1;
    }
    float* mine = sums + (parity * warps + warp) * count;
    for (int n = 0; n < Tiles; ++n) {
      for (int j = 0; j < 4; ++j) {
        mine[(n * 8 + 2 * t + j % 2) * tile_rows + g + j / 2 * 8] = sum.sum[n][j];
      }
    }
    __syncthreads();
    store_tile<Out, Tiles>(p, sums + parity * warps * count, tile);
  }
}
