// out[i, j] = sum over k of x[i, k] * w[j, k] for some tens of rows of x of a half type (columns of
// the product) and rows w [N, K] of levels of four bits; K counts whole chunks of 256. Matrices and
// x as in level_rows.cuh, but that tiles are of 128 rows.
//
// Blocks share out all chunks of all tiles evenly, or whole tiles. Four warps bring chunks of
// levels, scales and x into a ring in shared memory. Each four of the others take 64 rows and a
// part of each chunk: levels become weights of the half type in registers once for all columns,
// rounded once, while the products of those before are under way (group_products.cuh). What several
// blocks have of a tile the last of them adds up.
//
// Floor: the bytes of w; of x, N / 128 times from the second cache.
#pragma once

#include "group_products.cuh"
#include "nibble_pieces.cuh"

// How a block's work is cut.
struct GroupShape {
  static constexpr int rows = 128;
  static constexpr int part_threads = rows * 2, workers = part_threads * chunk_parts;
  static constexpr int threads = workers + copy_warps * 32;
};

// A stage with units of x; lanes of eight units write different banks.
template <class F, int Tiles>
struct GroupStage : LevelStage<F, GroupShape::rows, 144> {
  static constexpr int unit_bytes = Tiles * 128 + 16;
  static constexpr int bytes = GroupStage::LevelStage::x_at + 32 * unit_bytes;
};

// Blocks take a tile's chunks in turn from different ones on, or all would want the same x and the
// same stretch of every row at a time.
struct TurnedPieces : TilePieces {
  int tile, first, count, turn;  // those of the piece at hand
  __device__ __forceinline__ TurnedPieces(const LevelRows& p, const TilePlan& plan)
      : TilePieces(p, plan) {
    begin();
  }
  __device__ __forceinline__ void begin() {
    tile = at / chunks;
    first = at - tile * chunks;
    count = min(end - at, chunks - first);
    turn = count > 0 ? blockIdx.x % count : 0;
  }
  __device__ __forceinline__ int chunk(int i) const {
    int of_piece = i + turn;
    return first + (of_piece < count ? of_piece : of_piece - count);
  }
  __device__ __forceinline__ void next() {
    at += count;
    begin();
  }
};

// What a copying warp does: 32 rows of levels and their scales, and some columns of x.
template <class F, class T, int Tiles>
struct GroupCopies : LevelCopies<F, GroupStage<F, Tiles>> {
  using Stage = GroupStage<F, Tiles>;
  using Copies = LevelCopies<F, Stage>;
  using Copies::p, Copies::which, Copies::lane;
  CopyTarget x_target;

  __device__ __forceinline__ GroupCopies(const LevelRows& rows_of, uint8_t* stages, int warp)
      : Copies(rows_of, stages, warp),
        x_target(stages + Stage::x_at + lane_index() * Stage::unit_bytes + warp * 16) {}

  __device__ __forceinline__ void copy_levels(const TileRing& ring, int chunk) const {
    Copies::copy_levels(ring, chunk);
    ring.full[ring.stage].arrive_with_copies();
  }
  __device__ __forceinline__ void copy_x(const TileRing& ring, int chunk) const {
    int stage = ring.stage * Stage::bytes;
    const T* from = static_cast<const T*>(p.x) + which * p.x_stride + chunk * 256 + lane * 8;
#pragma unroll
    for (int i = 0; i < Tiles * 8; i += copy_warps, from += copy_warps * p.x_stride) {
      if (i + which < p.columns) x_target.copy(stage + i * 16, from);
    }
    ring.full[ring.stage].arrive_with_copies();
  }
  // Levels that nobody changes are asked for before earlier kernels are done.
  __device__ __forceinline__ void run(const TilePlan& plan, TileRing ring) {
    if (p.settled) {
      TileRing early = ring;
      for (TurnedPieces pieces(p, plan); pieces.any() && early.turn == 0; pieces.next()) {
        this->begin(pieces.tile, 0);
        for (int i = 0; i < pieces.count && early.turn == 0; ++i, early.next()) {
          copy_levels(early, pieces.chunk(i));
        }
      }
    }
    wait_for_earlier();
    for (TurnedPieces pieces(p, plan); pieces.any(); pieces.next()) {
      this->begin(pieces.tile, 0);
#pragma unroll 1
      for (int i = 0; i < pieces.count; ++i, ring.next()) {
        if (ring.turn > 0) ring.empty[ring.stage].wait((ring.turn - 1) & 1);
        if (ring.turn > 0 || !p.settled) copy_levels(ring, pieces.chunk(i));
        copy_x(ring, pieces.chunk(i));
      }
    }
  }
};

// A warp's sums, and what a worker does.
template <class F, class T, int Tiles>
struct GroupSums {
  using Stage = GroupStage<F, Tiles>;
  using Shape = GroupShape;
  static constexpr int part_warps = Shape::part_threads / 32;
  static constexpr int part_spans = spans / chunk_parts, mine = Tiles / chunk_parts;
  float sum[Tiles][4];
  int part, place, row;  // which part of chunks; the thread's number in it; its first row
  int g = lane_index() / 4, t = lane_index() % 4;
  uint32_t selector = F::group_selector(lane_index() % 4);

  __device__ __forceinline__ explicit GroupSums(int warp)
      : part(warp / part_warps),
        place(warp % part_warps * 32 + lane_index()),
        row(warp % part_warps * 16 + lane_index() / 4) {}

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < Tiles * 4; ++i) sum[i / 4][i % 4] = 0;
  }

  // The part of a chunk, whose scales begin `phase` bytes into their pieces: 16 bytes of two rows
  // at a time, two products. The last of them are left under way; those of the chunk before, if one
  // was `used`, are over after the first, and its stage is `left` then.
  __device__ __forceinline__ void add(const uint8_t* stage, int phase, CopyBarrier& left,
                                      bool used) {
    int first = part * part_spans;
    const uint8_t* rows = stage + row * Stage::row_bytes;
    const uint8_t* scales = stage + Stage::scales_at + row * 16 + phase;
    const uint8_t* levels = rows + F::first_byte + first * 32;
    typename F::GroupScalings scalings(rows, Stage::row_bytes, scales, scales + Stage::rows * 16,
                                       first);
    typename F::GroupScaling scaling[2][F::runs];
    GroupColumns<Stage::unit_bytes> x(stage + Stage::x_at + first * 8 * Stage::unit_bytes);
    uint4 words[2], next[2];
    load(levels, next);
#pragma unroll
    for (int piece = 0; piece < part_spans * 2; ++piece) {
      for (int r = 0; r < 2; ++r) words[r] = next[r];
      if (piece + 1 < part_spans * 2) load(levels + (piece + 1) * 16, next);
#pragma unroll
      for (int r = 0; r < 2 * F::runs; ++r) {
        if (piece % 2 > 0) break;
        scaling[r / F::runs][r % F::runs] = scalings.of(r / F::runs, piece / 2, r % F::runs);
      }
      uint32_t a[2][4];
      weigh(words, scaling, a);
      begin_group_products(a);
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        multiply_group<T>(sum, a[j], x.at(piece / 2 * 8 + F::group_unit(piece % 2, j)));
      }
      end_group_products();
      wait_for_group_products<1>();
      if (piece == 0) leave(left, used);
    }
  }
  __device__ __forceinline__ static void leave(CopyBarrier& stage, bool used) {
    __syncwarp();
    stage.arrive_if(used && lane_index() == 0);
  }
  __device__ __forceinline__ static void load(const uint8_t* levels, uint4 (&to)[2]) {
    for (int r = 0; r < 2; ++r) {
      to[r] = *reinterpret_cast<const uint4*>(levels + r * 8 * Stage::row_bytes);
    }
  }
  // The weights of two products.
  __device__ __forceinline__ void weigh(const uint4 (&levels)[2],
                                        const typename F::GroupScaling (&scaling)[2][F::runs],
                                        uint32_t (&a)[2][4]) const {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      uint32_t words[4] = {levels[r].x, levels[r].y, levels[r].z, levels[r].w};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const typename F::GroupScaling& scale = scaling[r][i / 2 % F::runs];
        a[i / 2][i % 2 * 2 + r] =
            F::template group_weights<T>(words, i / 2, i % 2, selector, scale);
      }
    }
  }

  // Each of the two parts gets the sums of half of the columns; `exchange` [tile of columns][place]
  // is in shared memory.
  __device__ __forceinline__ void join(float4* exchange, float4 (&to)[mine]) {
    meet_some(1, Shape::workers);  // what was exchanged for an earlier piece has been read
#pragma unroll
    for (int n = 0; n < mine; ++n) {
      const float (&kept)[4] = sum[n];
      to[n] = {kept[0], kept[1], kept[2], kept[3]};
      const float (&other)[4] = sum[n + Tiles - mine];
      float4 given = {other[0], other[1], other[2], other[3]};
      if (part == 1) {
        float4 low = to[n];
        to[n] = given;
        given = low;
      }
      exchange[((1 - part) * mine + n) * Shape::part_threads + place] = given;
    }
    meet_some(1, Shape::workers);
#pragma unroll
    for (int n = 0; n < mine; ++n) {
      float4 more = exchange[(part * mine + n) * Shape::part_threads + place];
      to[n] = {(to[n].x + more.x) * F::sum_unit, (to[n].y + more.y) * F::sum_unit,
               (to[n].z + more.z) * F::sum_unit, (to[n].w + more.w) * F::sum_unit};
    }
  }
  __device__ __forceinline__ void store(const LevelRows& p, int tile, const float4 (&sums)[mine]) {
    TilePlace to = place_of(p, tile, Shape::rows, row, 9);
    T* out = static_cast<T*>(p.out) + p.matrices.out[to.matrix] + to.row;
#pragma unroll
    for (int n = 0; n < mine; ++n) {
      float values[4] = {sums[n].x, sums[n].y, sums[n].z, sums[n].w};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        int column = (part * mine + n) * 8 + 2 * t + i % 2, below = i / 2 * 8;
        if (column < p.columns && below < to.rows) {
          out[column * p.out_stride + below] = T(values[i]);
        }
      }
    }
  }
};

// A block's sums of a piece: they are the tile's, or are left to the last of the blocks that have
// some. `parts` [blocks][2][tiles of columns][places].
template <class Sums>
__device__ __forceinline__ void finish_group_piece(const LevelRows& p, const TilePlan& plan,
                                                   const TurnedPieces& piece, Sums& of,
                                                   float4* exchange, float4* parts,
                                                   uint32_t* counters, bool& is_last) {
  constexpr int mine = Sums::mine, each = Sums::Shape::part_threads;
  constexpr int size = chunk_parts * mine * each;
  TileSharers sharers(plan, piece, piece.tile);
  float4 sums[mine];
  of.join(exchange, sums);
  if (sharers.count > 1) {
    auto part_of = [&](int block) {
      return parts + sharers.part_of(block) * size + of.part * mine * each + of.place;
    };
    float4* left = part_of(blockIdx.x);
#pragma unroll
    for (int n = 0; n < mine; ++n) left[n * each] = sums[n], sums[n] = {0, 0, 0, 0};
    sharers.leave<Sums::Shape::workers>(counters, of.part == 0 && of.place == 0, is_last);
    if (!is_last) return;
#pragma unroll 4
    for (int b = 0; b < sharers.count; ++b) {
      const float4* from = part_of(sharers.first + b);
#pragma unroll
      for (int n = 0; n < mine; ++n) {
        float4 more = load_fresh_four(reinterpret_cast<const float*>(from + n * each));
        sums[n].x += more.x, sums[n].y += more.y, sums[n].z += more.z, sums[n].w += more.w;
      }
    }
  }
  of.store(p, sharers.tile, sums);
}

// Dynamic shared memory: an exchange of sums [tiles of columns][places], then stages. `counters`
// are zero, one for each tile, and stay so; they and `parts` are used where blocks share tiles.
template <class F, class T, int Tiles>
__global__ void __launch_bounds__(GroupShape::threads, 1)
    nibble_groups(__grid_constant__ const LevelRows p, __grid_constant__ const TilePlan plan,
                  float4* parts, uint32_t* counters) {
  using Shape = GroupShape;
  using Stage = GroupStage<F, Tiles>;
  extern __shared__ uint4 dynamic_shared[];
  __shared__ CopyBarrier full[stages_max], empty[stages_max];
  __shared__ bool is_last;
  let_later_start();
  float4* exchange = reinterpret_cast<float4*>(dynamic_shared);
  uint8_t* stages = reinterpret_cast<uint8_t*>(exchange + Tiles * Shape::part_threads);
  TileRing ring{full, empty, plan.stages};
  // Each lane brings its copies of levels and of x.
  make_barriers<copy_warps * 64, Shape::workers / 32>(full, empty, plan);
  // The first warps copy: they come first where several might go on. One lane says which warp it
  // is, so that the compiler knows it for all.
  int warp = __shfl_sync(all_lanes, static_cast<int>(threadIdx.x) / 32, 0) - copy_warps;
  if (warp < 0) {
    GroupCopies<F, T, Tiles>(p, stages, warp + copy_warps).run(plan, ring);
    return;
  }
  wait_for_earlier();
  GroupSums<F, T, Tiles> sums(warp);
  for (TurnedPieces pieces(p, plan); pieces.any(); pieces.next()) {
    sums.clear();
    CopyBarrier* left = empty;
    auto add = [&](int i) {
      full[ring.stage].wait(ring.turn & 1);
      show_to_group_products();
      sums.add(stages + ring.stage * Stage::bytes,
               (sums.g * pieces.chunks + pieces.chunk(i)) * F::scale_bytes & 15, *left, i > 0);
      left = empty + ring.stage;
      ring.next();
    };
    // The first apart: products may only be under way from one turn of a loop to the next where all
    // that enters it are their sums.
    add(0);
#pragma unroll 1
    for (int i = 1; i < pieces.count; ++i) add(i);
    take_sums(sums.sum);
    sums.leave(*left, true);
    finish_group_piece(p, plan, pieces, sums, exchange, parts, counters, is_last);
  }
}
