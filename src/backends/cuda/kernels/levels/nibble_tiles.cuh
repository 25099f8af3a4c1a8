// out[i, j] = sum over k of x[i, k] * w[j, k] for some tens of rows of x of a half type (columns of
// the product) and rows w [N, K] of levels of four bits; K counts whole chunks of 256. Matrices and
// x as in level_rows.cuh, but that tiles are of 128 rows.
//
// Blocks share out all chunks of all tiles evenly, or whole tiles. Four warps bring chunks of
// levels, scales and x into a ring in shared memory. Each four of the others take 64 rows and a part
// of each chunk: levels become weights of the half type in registers once for all columns, rounded
// once, while the products of those before are under way (group_products.cuh). What several blocks
// have of a tile the last of them adds up.
//
// Floor: the bytes of w; of x, N / 128 times from the second cache.
#pragma once

#include "group_products.cuh"
#include "last_block.cuh"
#include "nibble_formats.cuh"
#include "rings.cuh"

// How a block's work is cut.
struct TileShape {
  static constexpr int rows = 128, chunk_parts = 2;
  static constexpr int part_threads = rows * 2, workers = part_threads * chunk_parts;
  static constexpr int copy_warps = 4, copied_rows = rows / copy_warps;
  static constexpr int threads = workers + copy_warps * 32;
};

// A stage in shared memory, of one chunk: rows of levels, 16 bytes of each row that hold its scales
// and as many for its biases, units of x. Lanes of eight rows read different banks, and those of
// eight units write them.
template <class F, int Tiles>
struct TileStage {
  static constexpr int rows = TileShape::rows;
  static constexpr int row_bytes = 144, unit_bytes = Tiles * 128 + 16;
  static constexpr int scales_at = rows * row_bytes, biases_at = scales_at + rows * 16;
  static constexpr int x_at = scales_at + (F::scale_bytes > 0 ? 2 : 0) * rows * 16;
  static constexpr int bytes = x_at + 32 * unit_bytes;
};

struct TilePlan {
  int stages;
  int share;  // chunks that a block takes
};

struct TileRing {
  CopyBarrier *full, *empty;
  int stages, stage = 0, turn = 0;

  __device__ __forceinline__ void next() {
    if (++stage < stages) return;
    stage = 0;
    ++turn;
  }
};

// A block's chunks, numbered through all tiles, a tile at a time. Blocks take a tile's chunks in turn
// from different ones on, or all would want the same x and the same stretch of every row at a time.
struct TilePieces {
  int at, end, chunks, tile, first, count, turn;
  __device__ __forceinline__ TilePieces(const LevelRows& p, const TilePlan& plan)
      : at(blockIdx.x * plan.share), chunks(p.k / 256) {
    end = min(at + plan.share, p.tiles * chunks);
    begin();
  }
  __device__ __forceinline__ void begin() {
    tile = at / chunks;
    first = at - tile * chunks;
    count = min(end - at, chunks - first);
    turn = count > 0 ? blockIdx.x % count : 0;
  }
  __device__ __forceinline__ bool any() const { return at < end; }
  __device__ __forceinline__ int chunk(int i) const {
    int of_piece = i + turn;
    return first + (of_piece < count ? of_piece : of_piece - count);
  }
  __device__ __forceinline__ void next() {
    at += count;
    begin();
  }
};

struct TilePlace {
  int matrix, rows;
  int64_t row;
};
// Rows from `offset` on of a tile, at most so many.
__device__ __forceinline__ TilePlace place_of(const LevelRows& p, int tile, int tile_rows,
                                              int offset, int most) {
  int m = matrix_of(p, tile);
  int64_t row = static_cast<int64_t>(tile - p.matrices.first_tile[m]) * tile_rows + offset;
  return {m, static_cast<int>(max(min(p.matrices.rows[m] - row, int64_t(most)), int64_t(0))), row};
}

// Where copies of a lane go. The address stays in a register: left alone, the compiler makes it
// anew for each copy.
struct CopyTarget {
#ifdef LAZULI_EMULATED_GPU
  uint8_t* to;
  __device__ explicit CopyTarget(uint8_t* shared) : to(shared) {}
  __device__ void copy(int at, const void* from) const { copy_async(to + at, from); }
#else
  uint32_t to;
  __device__ __forceinline__ explicit CopyTarget(uint8_t* shared) {
    uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
    asm volatile("mov.b32 %0, %1;" : "=r"(to) : "r"(address));
  }
  __device__ __forceinline__ void copy(int at, const void* from) const {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to + at), "l"(from) : "memory");
  }
#endif
};

// What a copying warp does: 32 rows of levels and their scales, and some columns of x.
template <class F, class T, int Tiles>
struct TileCopies {
  using Stage = TileStage<F, Tiles>;
  using Shape = TileShape;
  static constexpr int pieces = F::chunk_bytes / 16;  // of 16 bytes, in a row
  static constexpr int copied = Shape::copied_rows, copy_warps = Shape::copy_warps;
  static_assert(pieces == (F::scale_bytes == 0 ? 9 : 8) && copied % 16 == 0);
  const LevelRows& p;
  int which, lane, rows = 0;
  // Of eight lanes a row of levels. Of a lane the ninth pieces of rows, or their scales, or (of the
  // upper lanes) their biases.
  CopyTarget level_target, extra_target, x_target;
  const uint8_t *levels = nullptr, *extra = nullptr;

  __device__ __forceinline__ static int extra_at(int row, int lane) {
    if (pieces == 9) return row * Stage::row_bytes + 128;
    return (lane < 16 ? Stage::scales_at : Stage::biases_at) + row * 16;
  }
  __device__ __forceinline__ TileCopies(const LevelRows& rows_of, uint8_t* stages, int warp)
      : p(rows_of),
        which(warp),
        lane(lane_index()),
        level_target(stages + (warp * copied + lane_index() / 8) * Stage::row_bytes +
                     lane_index() % 8 * 16),
        extra_target(stages + extra_at(warp * copied + lane_index() % 16, lane_index())),
        x_target(stages + Stage::x_at + lane_index() * Stage::unit_bytes + warp * 16) {}

  __device__ __forceinline__ void begin(int tile) {
    TilePlace place = place_of(p, tile, Shape::rows, which * copied, copied);
    rows = place.rows;
    const uint8_t* w = static_cast<const uint8_t*>(p.matrices.w[place.matrix]);
    levels = w + (place.row + lane / 8) * p.row_bytes + lane % 8 * 16;
    int64_t row = place.row + lane % 16;
    if constexpr (pieces == 9) {
      extra = w + row * p.row_bytes + 128;
    } else {
      const void* base =
          lane < 16 ? p.matrices.scales[place.matrix] : p.matrices.biases[place.matrix];
      extra = static_cast<const uint8_t*>(base) + row * (p.k / 256) * F::scale_bytes;
    }
  }
  template <bool Full>
  __device__ __forceinline__ void copy_pieces(int stage, int chunk) const {
    const uint8_t* from = levels + chunk * F::chunk_bytes;
#pragma unroll
    for (int i = 0; i < copied; i += 4, from += 4 * p.row_bytes) {
      if (Full || i < rows - lane / 8) level_target.copy(stage + i * Stage::row_bytes, from);
    }
    if (pieces == 9 && lane >= 16) return;
    from = extra + chunk * (pieces == 9 ? F::chunk_bytes : F::scale_bytes);
    int64_t stride = pieces == 9 ? p.row_bytes : int64_t(p.k / 256) * F::scale_bytes;
#pragma unroll
    for (int i = 0; i < copied; i += 16) {
      if (!Full && i + lane % 16 >= rows) break;
      // Scales begin anywhere in their 16 bytes.
      uint64_t at = reinterpret_cast<uint64_t>(from + i * stride) & ~uint64_t(15);
      extra_target.copy(stage + i * (pieces == 9 ? Stage::row_bytes : 16),
                        reinterpret_cast<const uint8_t*>(at));
    }
  }
  __device__ __forceinline__ void copy_levels(const TileRing& ring, int chunk) const {
    int stage = ring.stage * Stage::bytes;
    if (rows == copied) copy_pieces<true>(stage, chunk);
    else copy_pieces<false>(stage, chunk);
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
      for (TilePieces pieces(p, plan); pieces.any() && early.turn == 0; pieces.next()) {
        begin(pieces.tile);
        for (int i = 0; i < pieces.count && early.turn == 0; ++i, early.next()) {
          copy_levels(early, pieces.chunk(i));
        }
      }
    }
    wait_for_earlier();
    for (TilePieces pieces(p, plan); pieces.any(); pieces.next()) {
      begin(pieces.tile);
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
struct TileSums {
  using Stage = TileStage<F, Tiles>;
  using Shape = TileShape;
  static constexpr int part_warps = Shape::part_threads / 32;
  static constexpr int part_spans = spans / Shape::chunk_parts, mine = Tiles / Shape::chunk_parts;
  float sum[Tiles][4];
  int part, place, row;  // which part of chunks; the thread's number in it; its first row
  int g = lane_index() / 4, t = lane_index() % 4;
  uint32_t selector = F::selector(lane_index() % 4);

  __device__ __forceinline__ explicit TileSums(int warp)
      : part(warp / part_warps),
        place(warp % part_warps * 32 + lane_index()),
        row(warp % part_warps * 16 + lane_index() / 4) {}

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < Tiles * 4; ++i) sum[i / 4][i % 4] = 0;
  }

  // The part of a chunk, whose scales begin `phase` bytes into their pieces: 16 bytes of two rows at
  // a time, two products. The last of them are left under way; those of the chunk before, if one
  // was `used`, are over after the first, and its stage is `left` then.
  __device__ __forceinline__ void add(const uint8_t* stage, int phase, CopyBarrier& left,
                                      bool used) {
    int first = part * part_spans;
    const uint8_t* rows = stage + row * Stage::row_bytes;
    const uint8_t* scales = stage + Stage::scales_at + row * 16 + phase;
    const uint8_t* levels = rows + F::first_byte + first * 32;
    typename F::Scalings scalings(rows, Stage::row_bytes, scales, scales + Stage::rows * 16, first);
    typename F::Scaling scaling[2][F::runs];
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
        multiply_group<T>(sum, a[j], x.at(piece / 2 * 8 + F::unit(piece % 2, j)));
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
                                        const typename F::Scaling (&scaling)[2][F::runs],
                                        uint32_t (&a)[2][4]) const {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      uint32_t words[4] = {levels[r].x, levels[r].y, levels[r].z, levels[r].w};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const typename F::Scaling& scale = scaling[r][i / 2 % F::runs];
        a[i / 2][i % 2 * 2 + r] = F::template weights<T>(words, i / 2, i % 2, selector, scale);
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

// Whether this thread is the last of `count` to get here; the counter is then zero again. What
// their blocks have written before they met is there to be read by load_fresh.
__device__ __forceinline__ bool arrive_at(uint32_t* counter, int count) {
  uint32_t before;
#ifdef LAZULI_EMULATED_GPU
  before = atomicAdd(counter, 1u);
#else
  asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], 1;"
               : "=r"(before)
               : "l"(counter)
               : "memory");
#endif
  bool last = before == static_cast<uint32_t>(count - 1);
  if (last) *counter = 0;
  return last;
}

// A block's sums of a piece: they are the tile's, or are left to the last of the blocks that have
// some. `parts` [blocks][2][tiles of columns][places]: a block shares at most two tiles with others.
template <class Sums>
__device__ __forceinline__ void finish_piece(const LevelRows& p, const TilePlan& plan,
                                             const TilePieces& piece, Sums& of, float4* exchange,
                                             float4* parts, uint32_t* counters, bool& is_last) {
  constexpr int mine = Sums::mine, each = Sums::Shape::part_threads;
  constexpr int size = Sums::Shape::chunk_parts * mine * each;
  int tile = piece.tile, first = tile * piece.chunks / plan.share;
  int count = ((tile + 1) * piece.chunks - 1) / plan.share - first + 1;
  float4 sums[mine];
  of.join(exchange, sums);
  if (count > 1) {
    auto part_of = [&](int block) {
      bool begins = block * plan.share / piece.chunks == tile;
      return parts + (int64_t(block) * 2 + (begins ? 0 : 1)) * size + of.part * mine * each +
             of.place;
    };
    float4* left = part_of(blockIdx.x);
#pragma unroll
    for (int n = 0; n < mine; ++n) left[n * each] = sums[n], sums[n] = {0, 0, 0, 0};
    meet_some(1, Sums::Shape::workers);
    if (of.part == 0 && of.place == 0) is_last = arrive_at(counters + tile, count);
    meet_some(1, Sums::Shape::workers);
    if (!is_last) return;
#pragma unroll 4
    for (int b = 0; b < count; ++b) {
      const float4* from = part_of(first + b);
#pragma unroll
      for (int n = 0; n < mine; ++n) {
        float4 more = load_fresh_four(reinterpret_cast<const float*>(from + n * each));
        sums[n].x += more.x, sums[n].y += more.y, sums[n].z += more.z, sums[n].w += more.w;
      }
    }
  }
  of.store(p, tile, sums);
}

// Dynamic shared memory: an exchange of sums [tiles of columns][places], then stages. `counters`
// are zero, one for each tile, and stay so; they and `parts` are used where blocks share tiles.
template <class F, class T, int Tiles>
__global__ void __launch_bounds__(TileShape::threads, 1)
    nibble_tiles(__grid_constant__ const LevelRows p, __grid_constant__ const TilePlan plan,
                 float4* parts, uint32_t* counters) {
  using Shape = TileShape;
  using Stage = TileStage<F, Tiles>;
  extern __shared__ uint4 dynamic_shared[];
  __shared__ CopyBarrier full[stages_max], empty[stages_max];
  __shared__ bool is_last;
  let_later_start();
  float4* exchange = reinterpret_cast<float4*>(dynamic_shared);
  uint8_t* stages = reinterpret_cast<uint8_t*>(exchange + Tiles * Shape::part_threads);
  TileRing ring{full, empty, plan.stages};
  if (threadIdx.x == 0) {
    for (int s = 0; s < plan.stages; ++s) {
      full[s].make(Shape::copy_warps * 64);  // each lane with its copies of levels and of x
      empty[s].make(Shape::workers / 32);
    }
    publish_barriers();
  }
  __syncthreads();
  // The first warps copy: they come first where several might go on. One lane says which warp it is,
  // so that the compiler knows it for all.
  int warp = __shfl_sync(all_lanes, static_cast<int>(threadIdx.x) / 32, 0) - Shape::copy_warps;
  if (warp < 0) {
    TileCopies<F, T, Tiles>(p, stages, warp + Shape::copy_warps).run(plan, ring);
    return;
  }
  wait_for_earlier();
  TileSums<F, T, Tiles> sums(warp);
  for (TilePieces pieces(p, plan); pieces.any(); pieces.next()) {
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
    finish_piece(p, plan, pieces, sums, exchange, parts, counters, is_last);
  }
}
