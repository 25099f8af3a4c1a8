// out[i, j] = sum over k of x[i, k] * w[j, k] for some tens of rows of x of a half type (columns of
// the product) and rows w [N, K] of levels of four bits; K counts whole chunks of 256. Matrices and
// x as in level_rows.cuh, but that tiles are of 64 or 128 rows.
//
// Blocks share out all chunks of all tiles evenly, or whole tiles. Four warps bring chunks of
// levels, scales and x into a ring in shared memory. The others take some rows and half of each
// chunk each: levels become weights of the half type once for all columns, rounded once, then come
// products on tensor cores. What several blocks have of a tile the last of them adds up.
//
// Floor: the bytes of w; of x, N / 64 or N / 128 times from the second cache.
#pragma once

#include "nibble_pieces.cuh"

constexpr int row_groups = 4;  // each for other warps

// How work is cut by the number of columns, in tiles of 8. Few: two blocks share a multiprocessor
// and wait at different times. Many: two tiles of 16 rows a warp, for which x is read once. No
// register may be spilled for each chunk: shared memory leaves so little of the first cache that
// reading one back takes as long as from the second cache.
template <int Tiles>
struct TileShape {
  static constexpr bool many = Tiles > 4;
  static constexpr int blocks = many ? 1 : 2, row_tiles = many ? 2 : 1;
  static constexpr int rows = row_groups * row_tiles * 16;  // of a block
  static constexpr int workers = row_groups * chunk_parts * 32;
  static constexpr int threads = workers + copy_warps * 32;
  static constexpr int sums_stride = rows + 4;  // floats between columns of sums: other banks
};

// A stage with rows of x.
template <class F, int Tiles>
struct TileStage : LevelStage<F, TileShape<Tiles>::rows, 160> {
  static constexpr int x_bytes = F::x_each == 16 ? 528 : 576;
  static constexpr int bytes = TileStage::LevelStage::x_at + Tiles * 8 * x_bytes;
};

// Pairs of x in the order of pairs of levels: 16 bytes are what two products want.
template <class F>
__device__ __forceinline__ uint4 arranged_pairs(uint4 x) {
  uint32_t words[8] = {x.x, x.y, x.z, x.w};
  uint2 first = right_of<F>(words, 0, 0), second = right_of<F>(words, 0, 1);
  return {first.x, first.y, second.x, second.y};
}

// What a copying warp does: 16 or 32 rows of levels and their scales, and some rows of x.
template <class F, class T, int Tiles>
struct TileCopies : LevelCopies<F, TileStage<F, Tiles>> {
  using Stage = TileStage<F, Tiles>;
  using Copies = LevelCopies<F, Stage>;
  using Copies::p, Copies::which, Copies::lane;
  static constexpr int x_rows = Tiles * 8 / copy_warps;
  uint4 x[x_rows] = {};

  using Copies::Copies;
  // Those of the chunk at hand; then it is the turn of the next one.
  __device__ __forceinline__ void copy_next(const TileRing& ring) {
    this->copy_levels(ring, 0);
    this->levels += F::chunk_bytes;
    this->extra += Copies::pieces == 9 ? F::chunk_bytes : F::scale_bytes;
    ring.full[ring.stage].arrive_with_copies();
  }
  // A chunk of x, for store_x.
  __device__ __forceinline__ void load_x(int chunk) {
    const T* from = static_cast<const T*>(p.x) + which * p.x_stride + chunk * 256 + lane * 8;
#pragma unroll
    for (int i = 0; i < x_rows; ++i, from += copy_warps * p.x_stride) {
      if (i * copy_warps + which < p.columns) x[i] = load_once(from);
    }
  }
  __device__ __forceinline__ void store_x(uint8_t* stage) const {
    uint8_t* to = stage + Stage::x_at + which * Stage::x_bytes + lane * 16;
#pragma unroll
    for (int i = 0; i < x_rows; ++i) {
      *reinterpret_cast<uint4*>(to + i * copy_warps * Stage::x_bytes) = arranged_pairs<F>(x[i]);
    }
  }
  // Levels that nobody changes are asked for before earlier kernels are done.
  __device__ __forceinline__ void run(const TilePlan& plan, TileRing ring, uint8_t* stages) {
    if (p.settled) {
      TileRing early = ring;
      for (TilePieces pieces(p, plan); pieces.any() && early.turn == 0; pieces.next()) {
        this->begin(pieces.tile(), pieces.first());
        for (int c = pieces.first(); c < pieces.last() && early.turn == 0; ++c, early.next()) {
          copy_next(early);
        }
      }
    }
    wait_for_earlier();
    TilePieces pieces(p, plan);
    load_x(pieces.first());
    for (; pieces.any(); pieces.next()) {
      int c = pieces.first(), end = pieces.last();
      bool begun = false;
#pragma unroll 1
      for (; c < end; ++c, ring.next()) {
        if (ring.turn > 0) ring.empty[ring.stage].wait((ring.turn - 1) & 1);
        if (ring.turn > 0 || !p.settled) {
          if (!begun) this->begin(pieces.tile(), c);
          begun = true;
          copy_next(ring);
        }
        store_x(stages + ring.stage * Stage::bytes);
        load_x(c + 1 < pieces.chunks ? c + 1 : 0);
        __syncwarp();
        if (lane == 0) ring.full[ring.stage].arrive();
      }
    }
  }
};

// A warp's sums.
template <class F, class T, int Tiles>
struct TileSums {
  using Stage = TileStage<F, Tiles>;
  using Shape = TileShape<Tiles>;
  static constexpr int row_tiles = Shape::row_tiles;
  float sum[row_tiles][Tiles][4];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < row_tiles * Tiles * 4; ++i) sum[i / (Tiles * 4)][i / 4 % Tiles][i % 4] = 0;
  }

  // A span of a chunk, of rows from `row` on (the lane's first), whose scales begin `phase` bytes
  // into their pieces.
  __device__ __forceinline__ void add(const uint8_t* stage, int s, int row, int phase, int g,
                                      int t) {
    const uint8_t* levels = stage + row * Stage::row_bytes;
    const uint8_t* scales = stage + Stage::scales_at + row * 16 + phase;
    uint2 words[2 * row_tiles];
    typename F::Scaling scaling[2 * row_tiles][F::runs];
#pragma unroll
    for (int i = 0; i < 2 * row_tiles; ++i) {
      const uint8_t* from = levels + i * 8 * Stage::row_bytes;
      words[i] = *reinterpret_cast<const uint2*>(from + F::first_byte + s * 32 + t * 8);
      F::scalings(from, scales + i * 8 * 16, scales + Stage::rows * 16 + i * 8 * 16, s, scaling[i]);
    }
    const uint8_t* x = stage + Stage::x_at + g * Stage::x_bytes + (s * 64 + F::x_each * t) * 2;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      uint32_t a[row_tiles][2][4];
#pragma unroll
      for (int i = 0; i < 4 * row_tiles; ++i) {
        int lane_row = i / 2, j = half * 2 + i % 2, run = j / F::products, of_run = j % F::products;
        uint32_t word = F::word(run, of_run) ? words[lane_row].y : words[lane_row].x;
        const typename F::Scaling& scale = scaling[lane_row][run];
        uint32_t* to = a[lane_row / 2][i % 2] + lane_row % 2;
        to[0] = F::template weights<T>(word >> 4 * F::first(run, of_run), scale);
        to[2] = F::template weights<T>(word >> 4 * F::second(run, of_run), scale);
      }
#pragma unroll
      for (int n = 0; n < Tiles; ++n) {
        uint4 b =
            *reinterpret_cast<const uint4*>(x + n * 8 * Stage::x_bytes + half * F::x_later * 2);
#pragma unroll
        for (int i = 0; i < row_tiles; ++i) {
          multiply_tile<T>(sum[i][n], a[i][0][0], a[i][0][1], a[i][0][2], a[i][0][3], b.x, b.y);
        }
#pragma unroll
        for (int i = 0; i < row_tiles; ++i) {
          multiply_tile<T>(sum[i][n], a[i][1][0], a[i][1][1], a[i][1][2], a[i][1][3], b.z, b.w);
        }
      }
    }
  }

  // Adds up the parts' sums, [columns][sums_stride] of the block's rows, of which `row` is the
  // lane's first; `group` counts the warps that have the same ones.
  __device__ __forceinline__ void join(float* sums, int columns, int group, int part, int row,
                                       int t) {
#pragma unroll 1
    for (int turn = chunk_parts - 1; turn >= 0; --turn) {
      if (turn == part) {
#pragma unroll
        for (int n = 0; n < Tiles; ++n) {
#pragma unroll
          for (int i = 0; i < 4 * row_tiles; ++i) {
            float* to = sums + (n * 8 + 2 * t + i % 2) * Shape::sums_stride + row + i / 2 * 8;
            float value = sum[i / 4][n][i % 4];
            if (n * 8 < columns) *to = turn == chunk_parts - 1 ? value : *to + value;
          }
        }
      }
      if (turn > 0) meet_some(2 + group, chunk_parts * 32);
    }
  }
};

// Four rows of a column become elements of the output.
template <class T>
__device__ __forceinline__ void store_rows(const LevelRows& p, const TilePlace& place, int column,
                                           int row, float4 sums) {
  T* out = static_cast<T*>(p.out) + column * p.out_stride + p.matrices.out[place.matrix] +
           place.row + row;
  uint2 pairs = {pack_pair<T>(sums.x, sums.y), pack_pair<T>(sums.z, sums.w)};
  if (row + 4 <= place.rows && reinterpret_cast<uint64_t>(out) % 8 == 0) {
    *reinterpret_cast<uint2*>(out) = pairs;
    return;
  }
  float values[4] = {sums.x, sums.y, sums.z, sums.w};
  for (int i = 0; i < 4 && row + i < place.rows; ++i) out[i] = T(values[i]);
}

// A block's sums of a piece: they are the tile's, or are left to the last of the blocks that have
// some. `parts` [blocks][2][columns][rows].
template <class T, class Shape>
__device__ __forceinline__ void finish_piece(const LevelRows& p, const TilePlan& plan,
                                             const TilePieces& piece, const float* sums,
                                             float* parts, uint32_t* counters, bool& is_last) {
  int thread = threadIdx.x - copy_warps * 32;
  int tile = piece.tile(), size = p.columns * Shape::rows;
  TilePlace place = place_of(p, tile, Shape::rows, 0, Shape::rows);
  TileSharers sharers(plan, piece, tile);
  int first = sharers.first, count = sharers.count;
  auto part_of = [&](int block) { return parts + sharers.part_of(block) * size; };
  auto four_at = [&](int i) {
    int column = i / Shape::rows, row = i % Shape::rows;
    return *reinterpret_cast<const float4*>(sums + column * Shape::sums_stride + row);
  };
  meet_some(1, Shape::workers);
  if (count > 1) {
    float* mine = part_of(blockIdx.x);
    for (int i = thread * 4; i < size; i += Shape::workers * 4) {
      *reinterpret_cast<float4*>(mine + i) = four_at(i);
    }
    sharers.leave<Shape::workers>(counters, thread == 0, is_last);
    if (!is_last) return;
  }
  for (int i = thread * 4; i < size; i += Shape::workers * 4) {
    float4 sum = count == 1 ? four_at(i) : float4{0, 0, 0, 0};
#pragma unroll 4
    for (int b = 0; count > 1 && b < count; ++b) {
      float4 more = load_fresh_four(part_of(first + b) + i);
      sum.x += more.x, sum.y += more.y, sum.z += more.z, sum.w += more.w;
    }
    store_rows<T>(p, place, i / Shape::rows, i % Shape::rows, sum);
  }
}

// Dynamic shared memory: sums [columns][sums_stride], then stages. `counters` are zero, one for
// each tile, and stay so; they and `parts` are used where blocks share tiles.
template <class F, class T, int Tiles>
__global__ void __launch_bounds__(TileShape<Tiles>::threads, TileShape<Tiles>::blocks)
    nibble_tiles(__grid_constant__ const LevelRows p, __grid_constant__ const TilePlan plan,
                 float* parts, uint32_t* counters) {
  using Shape = TileShape<Tiles>;
  constexpr int each = spans / chunk_parts, stage_bytes = TileStage<F, Tiles>::bytes;
  extern __shared__ uint4 dynamic_shared[];
  __shared__ CopyBarrier full[stages_max], empty[stages_max];
  __shared__ bool is_last;
  let_later_start();
  float* block_sums = reinterpret_cast<float*>(dynamic_shared);
  uint8_t* stages = reinterpret_cast<uint8_t*>(block_sums + Tiles * 8 * Shape::sums_stride);
  TileRing ring{full, empty, plan.stages};
  // Each lane brings its copies, each warp its x.
  make_barriers<copy_warps * 33, Shape::workers / 32>(full, empty, plan);
  // The first warps copy: they come first where several might go on.
  int warp = static_cast<int>(threadIdx.x) / 32 - copy_warps;
  if (warp < 0) {
    TileCopies<F, T, Tiles>(p, stages, warp + copy_warps).run(plan, ring, stages);
    return;
  }
  wait_for_earlier();
  int g = lane_index() / 4, t = lane_index() % 4, group = warp % row_groups;
  int part = warp / row_groups, row = group * Shape::row_tiles * 16 + g;
  TileSums<F, T, Tiles> sums;
  for (TilePieces pieces(p, plan); pieces.any(); pieces.next()) {
    sums.clear();
    for (int c = pieces.first(), last = pieces.last(); c < last; ++c, ring.next()) {
      full[ring.stage].wait(ring.turn & 1);
      int phase = (g * pieces.chunks + c) * F::scale_bytes & 15;
#pragma unroll(Tiles > 2 ? 1 : each)
      for (int i = 0; i < each; ++i) {
        sums.add(stages + ring.stage * stage_bytes, part * each + i, row, phase, g, t);
      }
      __syncwarp();
      if (lane_index() == 0) empty[ring.stage].arrive();
    }
    meet_some(1, Shape::workers);
    sums.join(block_sums, p.columns, group, part, row, t);
    finish_piece<T, Shape>(p, plan, pieces, block_sums, parts, counters, is_last);
  }
}
