// What products of some tens of rows with levels of four bits have in common (nibble_tiles.cuh,
// nibble_groups.cuh): how blocks share out chunks of tiles, how levels come into a ring in shared
// memory, how the blocks that have sums of one tile meet.
#pragma once

#include "last_block.cuh"
#include "nibble_formats.cuh"
#include "rings.cuh"

constexpr int chunk_parts = 2;  // each for other warps
constexpr int copy_warps = 4;

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

// The barriers of a ring; so many bring something into a stage, so many read it.
template <int Bringers, int Readers>
__device__ __forceinline__ void make_barriers(CopyBarrier (&full)[stages_max],
                                              CopyBarrier (&empty)[stages_max],
                                              const TilePlan& plan) {
  if (threadIdx.x == 0) {
    for (int s = 0; s < plan.stages; ++s) {
      full[s].make(Bringers);
      empty[s].make(Readers);
    }
    publish_barriers();
  }
  __syncthreads();
}

// A block's chunks, numbered through all tiles, a tile at a time.
struct TilePieces {
  int at, end, chunks;
  __device__ __forceinline__ TilePieces(const LevelRows& p, const TilePlan& plan)
      : at(blockIdx.x * plan.share), chunks(p.k / 256) {
    end = min(at + plan.share, p.tiles * chunks);
  }
  __device__ __forceinline__ bool any() const { return at < end; }
  __device__ __forceinline__ int tile() const { return at / chunks; }
  __device__ __forceinline__ int first() const { return at % chunks; }
  __device__ __forceinline__ int last() const { return min(first() + end - at, chunks); }
  __device__ __forceinline__ void next() { at += last() - first(); }
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

// A stage in shared memory, of one chunk: rows of levels, 16 bytes of each row that hold its scales
// and as many for its biases, then x. Lanes of eight rows read different banks.
template <class F, int Rows, int RowBytes>
struct LevelStage {
  static constexpr int rows = Rows, row_bytes = RowBytes;
  static constexpr int scales_at = rows * row_bytes, biases_at = scales_at + rows * 16;
  static constexpr int x_at = scales_at + (F::scale_bytes > 0 ? 2 : 0) * rows * 16;
};

// What a copying warp does with levels: some rows of a tile and their scales.
template <class F, class Stage>
struct LevelCopies {
  static constexpr int pieces = F::chunk_bytes / 16;  // of 16 bytes, in a row
  static constexpr int copied = Stage::rows / copy_warps;
  static_assert(pieces == (F::scale_bytes == 0 ? 9 : 8) && copied % 16 == 0);
  const LevelRows& p;
  int which, lane, rows = 0;
  // Of eight lanes a row of levels. Of a lane the ninth pieces of rows, or their scales, or (of the
  // upper lanes) their biases.
  CopyTarget level_target, extra_target;
  const uint8_t *levels = nullptr, *extra = nullptr;

  __device__ __forceinline__ static int extra_at(int row, int lane) {
    if (pieces == 9) return row * Stage::row_bytes + 128;
    return (lane < 16 ? Stage::scales_at : Stage::biases_at) + row * 16;
  }
  __device__ __forceinline__ LevelCopies(const LevelRows& rows_of, uint8_t* stages, int warp)
      : p(rows_of),
        which(warp),
        lane(lane_index()),
        level_target(stages + (warp * copied + lane_index() / 8) * Stage::row_bytes +
                     lane_index() % 8 * 16),
        extra_target(stages + extra_at(warp * copied + lane_index() % 16, lane_index())) {}

  // Of a tile, from a chunk on.
  __device__ __forceinline__ void begin(int tile, int chunk) {
    TilePlace place = place_of(p, tile, Stage::rows, which * copied, copied);
    rows = place.rows;
    const uint8_t* w = p.matrices.w[place.matrix] + int64_t(chunk) * F::chunk_bytes;
    levels = w + (place.row + lane / 8) * p.row_bytes + lane % 8 * 16;
    int64_t row = place.row + lane % 16;
    if constexpr (pieces == 9) {
      extra = w + row * p.row_bytes + 128;
    } else {
      const void* base =
          lane < 16 ? p.matrices.scales[place.matrix] : p.matrices.biases[place.matrix];
      extra = static_cast<const uint8_t*>(base) + (row * (p.k / 256) + chunk) * F::scale_bytes;
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
  // Those of a chunk, counted from the one begun with; the stage is not told.
  __device__ __forceinline__ void copy_levels(const TileRing& ring, int chunk) const {
    int stage = ring.stage * Stage::bytes;
    if (rows == copied) copy_pieces<true>(stage, chunk);
    else copy_pieces<false>(stage, chunk);
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

// The blocks that have sums of a tile, and which of the parts [blocks][2] is whose: a block shares
// at most two tiles with others.
struct TileSharers {
  int tile, chunks, share, first, count;
  __device__ __forceinline__ TileSharers(const TilePlan& plan, const TilePieces& piece, int of)
      : tile(of), chunks(piece.chunks), share(plan.share) {
    first = tile * chunks / share;
    count = ((tile + 1) * chunks - 1) / share - first + 1;
  }
  __device__ __forceinline__ int64_t part_of(int block) const {
    bool begins = block * share / chunks == tile;
    return int64_t(block) * 2 + (begins ? 0 : 1);
  }
  // Sets `last`, which the block's workers share: whether it is the last to have left its sums. One
  // of them counts the block.
  template <int Workers>
  __device__ __forceinline__ void leave(uint32_t* counters, bool counts, bool& last) const {
    meet_some(1, Workers);
    if (counts) last = arrive_at(counters + tile, count);
    meet_some(1, Workers);
  }
};
