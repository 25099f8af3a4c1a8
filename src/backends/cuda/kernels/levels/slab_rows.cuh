// out[i, j] = sum over k of x[i, k] * w[j, k] for rows w [N, K] of levels of 4, 5, 6 or 8 bits and one
// row of x; or up to four of them and blocks of 32 levels, or up to eight of a half type and levels
// of four bits in larger blocks. K counts whole spans of 64, and blocks of 256 where a format has
// them. Matrices and x as in level_rows.cuh.
//
// A block takes tiles of 16 rows of w. One warp has slabs of some chunks of them copied into a ring
// in shared memory, others multiply a chunk each on tensor cores, one stores. Of short rows a slab
// is a whole tile, which one warp multiplies and stores.
//
// - A row of x is made whole numbers of 23 bits for each 64 elements, in three planes of bytes.
//   Levels are bytes after a mask or two, so products are exact (slab_planes.cuh).
// - Several rows of a half type: one shift, one mask with an `or` make two levels a pair of halves,
//   and the order of x follows from that.
//
// Floor: the bytes of w.
#pragma once

#include "rings.cuh"
#include "slab_planes.cuh"

// Levels as numbers of a half type. A bfloat has the magic number added, which is taken from the
// sums in the end; a half is so small that the level's bits are all that it has.
template <class T>
constexpr float level_unit = is_same<T, half_t>::value ? 1.0f / (1 << 24) : 1.0f;
template <class T>
constexpr float level_excess = is_same<T, half_t>::value ? 0.0f : magic_number<bfloat_t>;
template <class T>
__device__ __forceinline__ uint32_t nibble_pair(uint32_t word, int which) {
  if constexpr (is_same<T, half_t>::value) return word >> (4 * which) & 0x000f000fu;
  else return masked_with<0x000f000fu, 0x43004300u>(word >> (4 * which));
}

template <class F, class T>
__device__ __forceinline__ void multiply_span(float (&c)[F::runs][4], uint2 upper, uint2 lower,
                                              const uint2 (&right)[4]) {
#pragma unroll
  for (int run = 0; run < F::runs; ++run) {
#pragma unroll
    for (int i = 0; i < F::products; ++i) {
      uint32_t up = F::word(run, i) ? upper.y : upper.x;
      uint32_t low = F::word(run, i) ? lower.y : lower.x;
      uint2 b = right[run * F::products + i];
      multiply_tile<T>(c[run], nibble_pair<T>(up, F::first(run, i)),
                       nibble_pair<T>(low, F::first(run, i)), nibble_pair<T>(up, F::second(run, i)),
                       nibble_pair<T>(low, F::second(run, i)), b.x, b.y);
    }
  }
}

// A warp's sums of a tile with several rows of a half type: rows g and g + 8, columns 2t and 2t + 1.
template <class F, class T>
struct NibbleSums {
  float sum[4];
  __device__ __forceinline__ void clear() { sum[0] = sum[1] = sum[2] = sum[3] = 0; }

  __device__ __forceinline__ void add(int j, Line line, float product, float x) {
    sum[j] += line.level * product + (line.one - level_excess<T> * line.level) * x;
  }

  // `x` is where the lane's column has its part of the chunk.
  __device__ __forceinline__ void add_many(const T* x, const Slab& slab, int chunk, int of_slab,
                                           int g, int t) {
    const uint8_t* levels =
        slab.levels + g * slab.row_bytes + of_slab * F::chunk_bytes + F::first_byte + t * 8;
    uint32_t one = pair_of<T>(1);
#pragma unroll
    for (int s = 0; s < spans; ++s) {
      uint32_t words[8];
      load_span<F>(x + s * 64, words);
      uint2 right[4];
      float c[F::runs][4] = {}, total[F::runs][4] = {};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        int run = i / F::products;
        right[i] = right_of<F>(words, run, i % F::products);
        multiply_tile<T>(total[run], one, one, one, one, right[i].x, right[i].y);
      }
      multiply_span<F, T>(c, *reinterpret_cast<const uint2*>(levels + s * 32),
                          *reinterpret_cast<const uint2*>(levels + 8 * slab.row_bytes + s * 32),
                          right);
      Line upper[F::runs], lower[F::runs];
      F::lines(slab, g, chunk, of_slab, s, upper);
      F::lines(slab, g + 8, chunk, of_slab, s, lower);
#pragma unroll
      for (int run = 0; run < F::runs; ++run) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          add(j, j < 2 ? upper[run] : lower[run], c[run][j], total[run][j % 2] * level_unit<T>);
        }
      }
    }
  }
  // [columns][tile_rows]
  __device__ __forceinline__ void store(float* to, int g, int t) const {
#pragma unroll
    for (int j = 0; j < 4; ++j) to[(2 * t + j % 2) * tile_rows + g + j / 2 * 8] = sum[j];
  }
};

// How slabs lie in shared memory.
struct SlabPlan {
  int stages, chunks, row_bytes, bytes;  // of a slab
  int scale_slots, scales_bytes;  // those of a row
  int dense;  // whether slabs are whole rows as they lie in memory
  int apart;  // whether slabs are whole tiles, and each a warp's own
};

// The ring of slabs: the copying warp is told of free places, the others of full ones.
struct SlabRing {
  CopyBarrier *full, *empty;
  uint8_t* memory;
  const SlabPlan& plan;
  int stage = 0, turn = 0, scale_slot = 0;

  __device__ __forceinline__ Slab slab() const {
    uint8_t* scales =
        memory + plan.stages * plan.bytes + scale_slot * (2 * tile_rows * plan.scales_bytes);
    return {memory + stage * plan.bytes, scales, scales + tile_rows * plan.scales_bytes,
            plan.row_bytes, plan.scales_bytes};
  }
  __device__ __forceinline__ void skip(int slabs) {
    for (stage += slabs; stage >= plan.stages; stage -= plan.stages) ++turn;
  }
  __device__ __forceinline__ void next_tile() {
    if (++scale_slot == plan.scale_slots) scale_slot = 0;
  }
};

template <class F>
__device__ __forceinline__ void copy_slab(const LevelRows& p, const SlabRing& ring, int tile,
                                          int first_chunk) {
  const SlabPlan& plan = ring.plan;
  int m = matrix_of(p, tile);
  int64_t row = static_cast<int64_t>(tile - p.matrices.first_tile[m]) * tile_rows;
  int64_t first_byte = int64_t(first_chunk) * F::chunk_bytes;
  int rows = min(p.matrices.rows[m] - row, int64_t(tile_rows));
  int bytes = min(p.row_bytes - first_byte, int64_t(plan.chunks) * F::chunk_bytes);
  int scales = F::scale_bytes > 0 && first_chunk == 0 ? rows * plan.scales_bytes : 0;
  const uint8_t* from = p.matrices.w[m] + row * p.row_bytes + first_byte;
  Slab slab = ring.slab();
  CopyBarrier& full = ring.full[ring.stage];
  bool ragged = F::chunk_bytes % 16 != 0 || p.row_bytes % 16 != 0;
  if (plan.dense) {
    // One long row, as tiles begin at multiples of 16 bytes.
    copy_ragged_rows(slab.levels, 0, from, 0, 1, rows * bytes, full);
  } else if (ragged) {
    copy_ragged_rows(slab.levels, plan.row_bytes, from, p.row_bytes, rows, bytes, full);
  } else {
    if (lane_index() == 0) full.expect(rows * bytes + 2 * scales);
    __syncwarp();
    copy_rows(slab.levels, plan.row_bytes, from, p.row_bytes, rows, bytes, full);
  }
  if (scales) {
    int64_t first = row * plan.scales_bytes;
    copy_rows(slab.scales, 0, static_cast<const uint8_t*>(p.matrices.scales[m]) + first, 0, 1,
              scales, full);
    copy_rows(slab.biases, 0, static_cast<const uint8_t*>(p.matrices.biases[m]) + first, 0, 1,
              scales, full);
  }
  full.arrive_with_copies();
}

// Where a tile's sums of the first column go, and how many of them there are.
template <class T>
struct TileOut {
  T* at;
  int64_t rows;
  __device__ __forceinline__ TileOut(const LevelRows& p, int tile) {
    int m = matrix_of(p, tile);
    int64_t first = static_cast<int64_t>(tile - p.matrices.first_tile[m]) * tile_rows;
    at = static_cast<T*>(p.out) + p.matrices.out[m] + first;
    rows = p.matrices.rows[m] - first;
  }
};

// A tile's sums, [warps][columns][tile_rows], become elements of the output.
template <class T>
__device__ __forceinline__ void store_slab_tile(const LevelRows& p, const float* sums, int tile,
                                                int columns, float unit) {
  TileOut<T> out(p, tile);
#pragma unroll 1
  for (int i = lane_index(); i < p.columns * tile_rows; i += 32) {
    int row = i % tile_rows, column = i / tile_rows;
    float sum = 0;
#pragma unroll
    for (int warp = 0; warp < slab_warps; ++warp) sum += sums[warp * columns * tile_rows + i];
    if (row < out.rows) out.at[column * p.out_stride + row] = T(sum * unit);
  }
}

// Blocks of slab_warps, one warp that copies and one that stores; they take tiles in turn. Dynamic
// shared memory: the warps' sums, slabs and scales, then planes of x, if Columns is 1 or 4.
template <class F, class T, int Columns>
__global__ void __launch_bounds__(slab_threads + 64, 2)
    slab_rows(__grid_constant__ const LevelRows p, __grid_constant__ const SlabPlan plan) {
  constexpr bool planes = Columns < 8;
  constexpr int sums_size = slab_warps * Columns * tile_rows;
  using Sums = typename choose<planes, PlaneSums<F, T, Columns>, NibbleSums<F, T>>::type;
  extern __shared__ uint4 dynamic_shared[];
  __shared__ CopyBarrier full[stages_max], empty[stages_max], made[sum_slots], taken[sum_slots];
  let_later_start();
  int warp = threadIdx.x / 32, g = lane_index() / 4, t = lane_index() % 4, chunks = (p.k + 255) / 256;
  float* sums = reinterpret_cast<float*>(dynamic_shared);
  SlabRing ring{full, empty, reinterpret_cast<uint8_t*>(sums + sum_slots * sums_size), plan};
  PlanesOfRows<F, T> rows{ring.memory + plan.stages * plan.bytes +
                              plan.scale_slots * (2 * tile_rows * plan.scales_bytes),
                          p.k, p.columns};
  if (threadIdx.x == slab_threads) {
    for (int s = 0; s < plan.stages; ++s) {
      full[s].make(32);
      empty[s].make(plan.apart ? 1 : slab_warps);
    }
    for (int s = 0; s < sum_slots; ++s) {
      made[s].make(slab_warps);
      taken[s].make(1);
    }
    publish_barriers();
  }
  __syncwarp();
  if (warp == slab_warps) {
    arrive_among(1, slab_threads + 64);
    bool waited = !p.settled;
    if (waited) wait_for_earlier();
    for (int tile = blockIdx.x; tile < p.tiles; tile += gridDim.x, ring.next_tile()) {
      for (int chunk = 0; chunk < chunks; chunk += plan.chunks, ring.skip(1)) {
        if (ring.turn > 0) empty[ring.stage].wait((ring.turn - 1) & 1);
        copy_slab<F>(p, ring, tile, chunk);
      }
    }
    if (!waited) wait_for_earlier();
    return;
  }
  wait_for_earlier();
  if (planes && warp < slab_warps) {
    for (int i = 0; i < p.columns; ++i) rows.at(i).make(p, i, threadIdx.x);
  }
  meet_some(1, slab_threads + 64);
  int slot = 0, phase = 0;
  auto next_slot = [&] {
    slot ^= 1;
    phase ^= slot == 0;
  };
  if (warp > slab_warps) {
    if (plan.apart) return;
    for (int tile = blockIdx.x; tile < p.tiles; tile += gridDim.x, next_slot()) {
      made[slot].wait(phase);
      store_slab_tile<T>(p, sums + slot * sums_size, tile, Columns, planes ? 1 : 1 / level_unit<T>);
      __syncwarp();
      if (lane_index() == 0) taken[slot].arrive();
    }
    return;
  }
  // Lanes of columns that are not there read the first: nobody looks at their products.
  const T* x = static_cast<const T*>(p.x) + (g < p.columns ? g : 0) * p.x_stride;
  // Warps share slabs out by chunks, or take tiles in turn.
  bool apart = planes && plan.apart;
  int lead = apart ? warp : 0, step = apart ? slab_warps : 1;
  bool reused = false;
  ring.skip(lead);
  for (int tile = blockIdx.x + lead * gridDim.x; tile < p.tiles;
       tile += step * gridDim.x, next_slot(), ring.next_tile()) {
    Sums sum;
    sum.clear();
    for (int first = 0; first < chunks; first += plan.chunks, ring.skip(step)) {
      full[ring.stage].wait(ring.turn & 1);
      Slab slab = ring.slab();
      // Rows lie in their pieces of 16 bytes as they did in memory, where tiles begin with a piece;
      // row g + 8 lies as g does.
      if (planes && !plan.dense) {
        slab.levels += (g * static_cast<int>(p.row_bytes) + first * F::chunk_bytes) & 15;
      }
      int count = min(plan.chunks, chunks - first);
#pragma unroll 1
      for (int i = apart ? 0 : (warp - first) & (slab_warps - 1); i < count; i += slab_warps / step) {
        int chunk = first + i;
        if constexpr (planes) sum.add(rows, chunk, slab, i, p.k / 64 - chunk * spans, g, t);
        else sum.add_many(x + chunk * 256 + F::x_each * t, slab, chunk, i, g, t);
      }
      __syncwarp();
      if (lane_index() == 0) empty[ring.stage].arrive();
    }
    if constexpr (planes) {
      sum.join();
      if (apart) {
        TileOut<T> out(p, tile);
        sum.store_out(out.at, out.rows, p.out_stride, p.columns, g, t);
        continue;
      }
    }
    if (reused) taken[slot].wait(phase ^ 1);
    if (slot == sum_slots - 1) reused = true;
    sum.store(sums + slot * sums_size + warp * (Columns * tile_rows), g, t);
    __syncwarp();
    if (lane_index() == 0) made[slot].arrive();
  }
}
