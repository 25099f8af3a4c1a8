// Cumulative sum, prod, max, min along one axis of a dense array, forwards or backwards, with or
// without the element itself. Halves are kept in float32, other types in themselves.
//
// Rows (the axis is the last one): a warp has a segment of the row in registers, scans it with
// shuffles, and warps pass their totals on through shared memory. A row has a warp or a block of
// its own; the tiles of few long rows are shared by all blocks: each publishes its total, joins
// the totals of its group's tiles before it, and gets what lies before the group from the last
// tile of the group before, so that the order of joins does not depend on timing.
// Columns (any other axis): a thread has a piece of a line; pieces are first only totalled, and
// the totals scanned in the same way.
//
// Floor: one read and one write; columns of few lines read twice.
#include "indexing.cuh"
#include "math.cuh"
// (math first)
#include "scan_shape.cuh"
#include "shuffles.cuh"

constexpr int scan_threads = 256, scan_warps = scan_threads / 32;

// A warp's part of a row: `rows` times 32 lanes times V elements, in the order of the scan.
template <class T, class Join, int V>
struct Segment {
  typedef Wide<T> State;
  static constexpr int rows = V == 1 ? 16 : (sizeof(T) == 8 ? 16 : 32) / V;
  static constexpr int length = rows * 32 * V;

  Vector<T, V> raw[rows];
  State before[rows];  // of the lane, within the segment

  static __device__ __forceinline__ State none() { return Join::template none<State>(); }

  // `first` is the position of the segment's first element in the order of the scan.
  __device__ __forceinline__ void load(const T* row, int64_t first, const ScanShape& shape) {
#pragma unroll
    for (int r = 0; r < rows; ++r) {
      const int64_t at = first + (r * 32 + lane_index()) * V;
      if (at >= shape.extent) {
#pragma unroll
        for (int j = 0; j < V; ++j) raw[r][j] = static_cast<T>(none());
      } else if (!shape.reverse) {
        raw[r] = load_vector<V>(row + at);
      } else {
        Vector<T, V> backwards = load_vector<V>(row + (shape.extent - at - V));
#pragma unroll
        for (int j = 0; j < V; ++j) raw[r][j] = backwards[V - 1 - j];
      }
    }
  }

  // Returns the total.
  __device__ __forceinline__ State scan() {
    State carry = none();
#pragma unroll
    for (int r = 0; r < rows; ++r) {
      State sum = static_cast<State>(raw[r][0]);
#pragma unroll
      for (int j = 1; j < V; ++j) sum = Join::join(sum, static_cast<State>(raw[r][j]));
#pragma unroll
      for (int by = 1; by < 32; by *= 2) {
        State below = shuffle_up(sum, by);
        if (lane_index() >= by) sum = Join::join(below, sum);
      }
      State below = shuffle_up(sum, 1);
      before[r] = lane_index() == 0 ? carry : Join::join(carry, below);
      carry = Join::join(carry, shuffle_from(sum, 31));
    }
    return carry;
  }

  __device__ __forceinline__ void store(T* row, int64_t first, const ScanShape& shape,
                                        State prefix) {
#pragma unroll
    for (int r = 0; r < rows; ++r) {
      const int64_t at = first + (r * 32 + lane_index()) * V;
      State running = Join::join(prefix, before[r]);
      Vector<T, V> result;
#pragma unroll
      for (int j = 0; j < V; ++j) {
        const State next = Join::join(running, static_cast<State>(raw[r][j]));
        result[shape.reverse ? V - 1 - j : j] = static_cast<T>(shape.inclusive ? next : running);
        running = next;
      }
      if (at < shape.extent) {
        store_vector(row + (shape.reverse ? shape.extent - at - V : at), result);
      }
    }
  }
};

// What lies before this warp in the block, and the block's total.
template <class Join, class State>
__device__ __forceinline__ State join_warps(State total, State& block_total) {
  __shared__ alignas(16) unsigned char memory[scan_warps * sizeof(State)];
  State* totals = reinterpret_cast<State*>(memory);
  __syncthreads();
  if (lane_index() == 0) totals[threadIdx.x / 32] = total;
  __syncthreads();
  State before = Join::template none<State>();
  block_total = before;
#pragma unroll
  for (int w = 0; w < scan_warps; ++w) {
    if (w == threadIdx.x / 32) before = block_total;
    block_total = Join::join(block_total, totals[w]);
  }
  return before;
}

// A row for each block, or for each warp.
template <class T, class Join, int V, bool WholeBlock>
__global__ void __launch_bounds__(scan_threads)
    scan_rows(const T* x, T* out, const __grid_constant__ ScanShape shape) {
  typedef Segment<T, Join, V> Part;
  typedef typename Part::State State;
  const int warp = threadIdx.x / 32;
  const int64_t row =
      WholeBlock ? blockIdx.x : static_cast<int64_t>(blockIdx.x) * scan_warps + warp;
  if (row >= shape.rows) return;
  x += row * shape.extent;
  out += row * shape.extent;
  State carry = Part::none();
  constexpr int64_t step = WholeBlock ? scan_warps * Part::length : Part::length;
  for (int64_t start = 0; start < shape.extent; start += step) {
    const int64_t first = start + (WholeBlock ? warp * Part::length : 0);
    Part part;
    part.load(x, first, shape);
    State total = part.scan(), before = Part::none();
    if constexpr (WholeBlock) before = join_warps<Join>(total, total);
    part.store(out, first, shape, Join::join(carry, before));
    carry = Join::join(carry, total);
  }
}

// Counters and flags are zero at first.
template <class State>
struct ScanProgress {
  uint32_t* ticket;  // the next tile
  uint32_t* tile_done;  // [rows * tiles]
  uint32_t* group_done;  // [rows * groups]
  State* tile_total;
  State* group_before;  // what lies before the group in its row
};

__device__ __forceinline__ void wait_for_flag(const uint32_t* flag) {
  while (*static_cast<const volatile uint32_t*>(flag) == 0) {
  }
  __threadfence();
}

template <class State>
__device__ __forceinline__ void publish(State* place, const State& value, uint32_t* flag) {
  *place = value;
  __threadfence();
  *static_cast<volatile uint32_t*>(flag) = 1;
}

// For one warp: publishes a tile's total and returns what lies before the tile in its row.
template <class Join, class State>
__device__ __forceinline__ State before_tile(const ScanProgress<State>& progress,
                                             const ScanShape& shape, int64_t row, int64_t tile,
                                             State total) {
  const int64_t index = row * shape.tiles + tile;
  if (lane_index() == 0) publish(progress.tile_total + index, total, progress.tile_done + index);
  const int64_t groups = (shape.tiles + scan_group - 1) / scan_group;
  const int64_t group = tile / scan_group, inside = tile % scan_group;
  State before = Join::template none<State>();
  for (int64_t k = lane_index(); k < inside; k += 32) {
    wait_for_flag(progress.tile_done + (index - inside + k));
    before = Join::join(before, load_fresh(progress.tile_total + (index - inside + k)));
  }
  before = warp_reduce<Join>(before);
  const int64_t place = row * groups + group;
  if (group > 0) {
    wait_for_flag(progress.group_done + place);
    before = Join::join(load_fresh(progress.group_before + place), before);
  }
  if (inside == scan_group - 1 && group + 1 < groups && lane_index() == 0) {
    publish(progress.group_before + place + 1, Join::join(before, total),
            progress.group_done + place + 1);
  }
  return before;
}

// Each block has the next tile of all rows' tiles: those it waits for have been taken before.
template <class T, class Join, int V>
__global__ void __launch_bounds__(scan_threads)
    scan_tiles(const T* x, T* out, const __grid_constant__ ScanShape shape,
               ScanProgress<Wide<T>> progress) {
  typedef Segment<T, Join, V> Part;
  typedef typename Part::State State;
  __shared__ uint32_t ticket;
  __shared__ alignas(16) unsigned char memory[sizeof(State)];
  State* block_before = reinterpret_cast<State*>(memory);
  if (threadIdx.x == 0) ticket = atomicAdd(progress.ticket, 1u);
  __syncthreads();
  const int64_t row = ticket / shape.tiles, tile = ticket % shape.tiles;
  x += row * shape.extent;
  out += row * shape.extent;
  const int64_t first =
      tile * scan_warps * Part::length + static_cast<int64_t>(threadIdx.x / 32) * Part::length;
  Part part;
  part.load(x, first, shape);
  State total;
  const State warp_before = join_warps<Join>(part.scan(), total);
  if (threadIdx.x < 32) {
    const State before = before_tile<Join>(progress, shape, row, tile, total);
    if (lane_index() == 0) *block_before = before;
  }
  __syncthreads();
  part.store(out, first, shape, Join::join(*block_before, warp_before));
}

// A thread for each piece of each line of columns; lines are neighbours. Writes the total of a
// piece to totals[piece, line], or scans on from `starts`, which has what lies before each piece
// (null: nothing, there is one piece).
template <class T, class Join, bool TotalsOnly>
__global__ void __launch_bounds__(scan_threads)
    scan_columns(const T* x, T* out, const __grid_constant__ ScanShape shape, Wide<T>* totals,
                 const Wide<T>* starts) {
  typedef Wide<T> State;
  const int64_t index = static_cast<int64_t>(blockIdx.x) * scan_threads + threadIdx.x;
  if (index >= shape.rows * shape.chunks) return;
  int64_t line = index;
  const int64_t piece = divide(line, shape.line, shape.wide);
  int64_t column = line;
  const int64_t outer = divide(column, shape.column, shape.wide);
  int64_t at = outer * shape.extent * shape.inner + column, step = shape.inner;
  const int64_t begin = piece * shape.chunk;
  int64_t left = shape.extent - begin < shape.chunk ? shape.extent - begin : shape.chunk;
  if (shape.reverse) {
    at += (shape.extent - 1) * step;
    step = -step;
  }
  at += begin * step;
  State running = !TotalsOnly && starts ? starts[index] : Join::template none<State>();
  while (left > 0) {
    T values[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      if (k < left) values[k] = x[at + k * step];
    }
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      if (k >= left) break;
      const State next = Join::join(running, static_cast<State>(values[k]));
      if constexpr (!TotalsOnly)
        out[at + k * step] = static_cast<T>(shape.inclusive ? next : running);
      running = next;
    }
    at += 4 * step;
    left -= 4;
  }
  if constexpr (TotalsOnly) totals[index] = running;
}
