// Cumulative sum, prod, max, min along one axis of a dense array, forwards or backwards, with or
// without the element itself. Halves are kept in float32, other types in themselves.
//
// Rows (the axis is the last one): a warp has a segment of the row in registers, scans it with
// shuffles, and warps pass their totals on through shared memory. A row has a warp or a block of
// its own; the tiles of few long rows have a block each: it posts its total, joins the totals of
// its group's tiles before it, and gets what lies before the group from the last tile of the group
// before, so that the order of joins does not depend on timing.
// Columns (any other axis): a thread has a piece of a line; pieces are first only totalled, and
// the totals scanned in the same way.
//
// Floor: one read and one write; columns of few lines read twice.
#include "fused.cuh"
#include "indexing.cuh"
#include "math.cuh"
// (math first)
#include "scan_shape.cuh"
#include "shuffles.cuh"

constexpr int scan_threads = 256, scan_warps = scan_threads / 32;

// Vectors of V elements that a thread has of a row which one block or one warp scans, and of one of
// several tiles; as segment_length in cumulative.cpp.
template <class T, int V>
constexpr int row_vectors = V == 1 ? 16 : (sizeof(T) == 8 ? 16 : 32) / V;
template <int V>
constexpr int tile_vectors = V == 1 ? 16 : 8;

// Without more blocks than this at once, too little is on its way from memory.
template <class T>
constexpr int scan_blocks = sizeof(Wide<T>) == 8 ? 2 : 4;

// A vector of 16 bytes at once: left alone, the compiler takes some stores apart.
template <class T, int V>
__device__ __forceinline__ void store_whole(T* to, const Vector<T, V>& vector) {
#ifndef LAZULI_EMULATED_GPU
  if constexpr (sizeof(vector) == 16) {
    const uint4 v = *reinterpret_cast<const uint4*>(&vector);
    asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(v.x), "r"(v.y), "r"(v.z),
                 "r"(v.w)
                 : "memory");
    return;
  }
#endif
  store_vector(to, vector);
}

// A warp's part of a row: Rows times 32 lanes times V elements, in the order of the scan.
template <class T, class Join, int V, int Rows, bool Reverse>
struct Segment {
  typedef Wide<T> State;
  static constexpr int length = Rows * 32 * V;

  Read<T, V> raw[Rows];
  State before[Rows];  // of the lane, within the segment

  static __device__ __forceinline__ State none() { return Join::template none<State>(); }
  static __device__ __forceinline__ int place(int j) { return Reverse ? V - 1 - j : j; }

  template <bool Whole>
  __device__ __forceinline__ void load_if(const T* row, int64_t first, const ScanShape& shape) {
    const int64_t lane_first = first + lane_index() * V;
    const T* from = row + (Reverse ? shape.extent - V - lane_first : lane_first);
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      if (Whole || lane_first + r * 32 * V < shape.extent) {
        raw[r].load(from + (Reverse ? -r : r) * 32 * V);
      } else {
#pragma unroll
        for (int j = 0; j < V; ++j) raw[r].set(j, static_cast<T>(none()));
      }
    }
  }
  // `first` is the position of the segment's first element in the order of the scan.
  __device__ __forceinline__ void load(const T* row, int64_t first, const ScanShape& shape) {
    if (first + length <= shape.extent) load_if<true>(row, first, shape);
    else load_if<false>(row, first, shape);
  }

  // Returns the total.
  __device__ __forceinline__ State scan() {
    State sum[Rows];
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      sum[r] = static_cast<State>(raw[r].get(place(0)));
#pragma unroll
      for (int j = 1; j < V; ++j) {
        sum[r] = Join::join(sum[r], static_cast<State>(raw[r].get(place(j))));
      }
    }
#pragma unroll
    for (int by = 1; by < 32; by *= 2) {
#pragma unroll
      for (int r = 0; r < Rows; ++r) {
        State below = shuffle_up(sum[r], by);
        if (lane_index() >= by) sum[r] = Join::join(below, sum[r]);
      }
    }
    State carry = none();
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      State below = shuffle_up(sum[r], 1);
      before[r] = lane_index() == 0 ? carry : Join::join(carry, below);
      carry = Join::join(carry, shuffle_from(sum[r], 31));
    }
    return carry;
  }

  __device__ __forceinline__ void store(T* row, int64_t first, const ScanShape& shape,
                                        State prefix) {
    const int64_t lane_first = first + lane_index() * V;
    T* to = row + (Reverse ? shape.extent - V - lane_first : lane_first);
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      State running = Join::join(prefix, before[r]);
      Vector<T, V> result;
#pragma unroll
      for (int j = 0; j < V; ++j) {
        const State next = Join::join(running, static_cast<State>(raw[r].get(place(j))));
        result[place(j)] = static_cast<T>(shape.inclusive ? next : running);
        running = next;
      }
      if (lane_first + r * 32 * V < shape.extent) {
        store_whole(to + (Reverse ? -r : r) * 32 * V, result);
      }
    }
  }
};

// What lies before this warp in the block, and the block's total. Calls in turn differ in parity.
template <class Join, class State>
__device__ __forceinline__ State join_warps(State total, int parity, State& block_total) {
  __shared__ alignas(16) unsigned char memory[2 * scan_warps * sizeof(State)];
  State* totals = reinterpret_cast<State*>(memory) + parity * scan_warps;
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
template <class T, class Join, int V, bool Reverse, bool WholeBlock>
__global__ void __launch_bounds__(scan_threads, scan_blocks<T>)
    scan_rows(const T* x, T* out, const __grid_constant__ ScanShape shape) {
  start_after_earlier();
  typedef Segment<T, Join, V, row_vectors<T, V>, Reverse> Part;
  typedef typename Part::State State;
  const int warp = threadIdx.x / 32;
  const int64_t row =
      WholeBlock ? blockIdx.x : static_cast<int64_t>(blockIdx.x) * scan_warps + warp;
  if (row >= shape.rows) return;
  x += row * shape.extent;
  out += row * shape.extent;
  State carry = Part::none();
  constexpr int64_t step = WholeBlock ? scan_warps * Part::length : Part::length;
  int parity = 0;
  for (int64_t start = 0; start < shape.extent; start += step, parity ^= 1) {
    const int64_t first = start + (WholeBlock ? warp * Part::length : 0);
    Part part;
    part.load(x, first, shape);
    State total = part.scan(), before = Part::none();
    if constexpr (WholeBlock) before = join_warps<Join>(total, parity, total);
    part.store(out, first, shape, Join::join(carry, before));
    carry = Join::join(carry, total);
  }
}

// What blocks tell each other, by number: totals of tiles [rows * tiles], then what lies before
// groups of tiles [rows * groups]. Words are zero at first. A small value travels with its flag in
// one word; a large one is in `values`, the word is its flag.
template <class State>
struct Posts {
  uint64_t* words;
  State* values;

  __device__ __forceinline__ void post(int64_t at, State value) const {
    uint64_t word = uint64_t(1) << 32;
    if constexpr (sizeof(State) <= 4) {
      *reinterpret_cast<State*>(&word) = value;
    } else {
      values[at] = value;
      __threadfence();
    }
    *static_cast<volatile uint64_t*>(words + at) = word;
  }
  // False: it is not there yet.
  __device__ __forceinline__ bool read(int64_t at, State& value) const {
    uint64_t word = *static_cast<const volatile uint64_t*>(words + at);
    if (word == 0) return false;
    if constexpr (sizeof(State) <= 4) {
      value = *reinterpret_cast<const State*>(&word);
    } else {
      __threadfence();
      value = load_fresh(values + at);
    }
    return true;
  }
};

// For one warp: posts a tile's total and returns what lies before the tile in its row.
template <class Join, class State>
__device__ __forceinline__ State before_tile(const Posts<State>& posts, const ScanShape& shape,
                                             int64_t row, int64_t tile, State total) {
  constexpr int each = 4;  // more have no place in registers
  const int64_t index = row * shape.tiles + tile;
  if (lane_index() == 0) posts.post(index, total);
  const int64_t groups = (shape.tiles + scan_group - 1) / scan_group;
  const int64_t group = tile / scan_group, first = index - tile % scan_group;
  const int64_t place = shape.rows * shape.tiles + row * groups + group;
  const int inside = static_cast<int>(tile % scan_group);
  State above = Join::template none<State>(), before = above;
  int from = 0;
  do {
    State totals[each];
    bool complete;
    do {
      complete = group == 0 || posts.read(place, above);
#pragma unroll
      for (int i = 0; i < each; ++i) {
        const int k = from + i * 32 + lane_index();
        totals[i] = Join::template none<State>();
        if (k < inside) complete &= posts.read(first + k, totals[i]);
      }
    } while (!complete);
#pragma unroll
    for (int i = 0; i < each; ++i) before = Join::join(before, totals[i]);
    from += each * 32;
  } while (from < inside);
  __syncwarp();
  before = Join::join(above, warp_reduce<Join>(before));
  if (inside == scan_group - 1 && group + 1 < groups && lane_index() == 0) {
    posts.post(place + 1, Join::join(before, total));
  }
  return before;
}

// A block for each tile of all rows. Blocks start in the order of their numbers: those that one
// waits for are on their way.
template <class T, class Join, int V, bool Reverse>
__global__ void __launch_bounds__(scan_threads, scan_blocks<T>)
    scan_tiles(const T* x, T* out, const __grid_constant__ ScanShape shape, Posts<Wide<T>> posts) {
  start_after_earlier();
  typedef Segment<T, Join, V, tile_vectors<V>, Reverse> Part;
  typedef typename Part::State State;
  __shared__ alignas(16) unsigned char memory[sizeof(State)];
  State* block_before = reinterpret_cast<State*>(memory);
  const int64_t row = blockIdx.x / shape.tiles, tile = blockIdx.x % shape.tiles;
  x += row * shape.extent;
  out += row * shape.extent;
  const int64_t first =
      tile * scan_warps * Part::length + static_cast<int64_t>(threadIdx.x / 32) * Part::length;
  Part part;
  part.load(x, first, shape);
  State total;
  const State warp_before = join_warps<Join>(part.scan(), 0, total);
  if (threadIdx.x < 32) {
    const State before = before_tile<Join>(posts, shape, row, tile, total);
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
  start_after_earlier();
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
