// Reducing over any axes, for every kind of reduction.
//
// A `Policy` says what is reduced: Element (in memory), Result, State (kept meanwhile), none(),
// take(state, element, position), join(state, state) and finish(state).
//
// The input is seen as kept axes and reduced axes, each by descending steps. Where the shortest
// step is along a reduced axis, groups of lanes take rows; else they take neighbouring columns. `V`
// elements are read at once. Where there are too few rows or columns for the GPU, `splits` blocks
// share one, leave partial states, and the last of them joins these in order: results do not depend
// on timing. States are kept for 64 reads and then joined into a total, so that long sums stay
// accurate.
//
// Floor: one read of the input.
#pragma once

#include "indexing.cuh"
#include "math.cuh"
// (math first)
#include "reduce_shape.cuh"

constexpr int reduce_threads = 256;

template <class T>
__device__ __forceinline__ T shuffled(const T& state, int mask) {
  return shuffle_xor(state, mask);
}

// Joins states of neighbouring groups of `lanes` threads (a power of two, at most a warp); the
// whole warp takes part.
template <class Policy>
__device__ __forceinline__ typename Policy::State join_lanes(typename Policy::State state,
                                                             int lanes) {
  for (int mask = lanes / 2; mask > 0; mask /= 2) {
    state = Policy::join(state, shuffled(state, mask));
  }
  return state;
}

template <class Policy>
__device__ __forceinline__ typename Policy::State join_block(typename Policy::State state) {
  typedef typename Policy::State State;
  __shared__ alignas(16) unsigned char memory[reduce_threads / 32 * sizeof(State)];
  State* slots = reinterpret_cast<State*>(memory);
  state = join_lanes<Policy>(state, 32);
  __syncthreads();
  if (lane_index() == 0) slots[threadIdx.x / 32] = state;
  __syncthreads();
  state = slots[lane_index() % (reduce_threads / 32)];
  return join_lanes<Policy>(state, reduce_threads / 32);
}

// Units [begin, end) of a row by a group of lanes. `base` points at the row's first element. The
// units of a row that is one `Run` start after `first` elements.
template <class Policy, int V, bool Run>
__device__ __forceinline__ typename Policy::State take_units(const typename Policy::Element* base,
                                                             const ReduceShape& shape,
                                                             int64_t begin, int64_t end, int lanes,
                                                             int first) {
  typedef typename Policy::State State;
  typedef typename Policy::Element Element;
  constexpr int reads = Run ? 4 : 2;
  State total = Policy::none();
  auto offset = [&](int64_t unit) -> int64_t {
    if constexpr (Run) return first + unit * V;
    else return place_of(shape.reduced, unit).from;
  };
  for (int64_t unit = begin; unit < end;) {
    State part = Policy::none();
    for (int round = 0; round < 16 && unit < end; ++round) {
      if (unit + (reads - 1) * lanes < end) {
        Vector<Element, V> values[reads];
#pragma unroll
        for (int k = 0; k < reads; ++k) values[k] = load_vector<V>(base + offset(unit + k * lanes));
#pragma unroll
        for (int k = 0; k < reads; ++k) {
#pragma unroll
          for (int j = 0; j < V; ++j) {
            Policy::take(part, values[k][j], first + (unit + k * lanes) * V + j);
          }
        }
        unit += reads * lanes;
      } else {
        Vector<Element, V> values = load_vector<V>(base + offset(unit));
#pragma unroll
        for (int j = 0; j < V; ++j) Policy::take(part, values[j], first + unit * V + j);
        unit += lanes;
      }
    }
    total = Policy::join(total, part);
  }
  return total;
}

// Grid: (groups of rows, splits). `shape.lanes` is a power of two up to a warp, or the whole block;
// it is the whole block where there are splits. A row is one `Run` where the reduced axes are one
// with step 1; then it may start anywhere, and its first elements are taken one by one.
template <class Policy, int V, bool Run>
__global__ void __launch_bounds__(reduce_threads)
    reduce_rows(const typename Policy::Element* x, typename Policy::Result* out,
                const __grid_constant__ ReduceShape shape, typename Policy::State* partials,
                uint32_t* counters) {
  start_after_earlier();
  typedef typename Policy::State State;
  const int lanes = shape.lanes, lane = threadIdx.x & (lanes - 1);
  const int64_t row =
      static_cast<int64_t>(blockIdx.x) * (reduce_threads / lanes) + threadIdx.x / lanes;
  const bool inside = row < shape.kept.count;
  const Place place = place_of(shape.kept, inside ? row : 0);
  const typename Policy::Element* base = x + place.from;
  State state = Policy::none();
  if (inside) {
    const int64_t length = shape.length;
    int head = 0;
    int64_t units = length / V;
    if (V > 1 && Run) {
      head = (16 - static_cast<int>(reinterpret_cast<uint64_t>(base) & 15)) % 16 /
             static_cast<int>(sizeof(typename Policy::Element));
      if (head > length) head = static_cast<int>(length);
      units = (length - head) / V;
    }
    const int64_t begin = units * blockIdx.y / gridDim.y,
                  end = units * (blockIdx.y + 1) / gridDim.y;
    if (V > 1 && Run && blockIdx.y == 0) {
      for (int i = lane; i < head; i += lanes) Policy::take(state, base[i], i);
    }
    state = Policy::join(state,
                         take_units<Policy, V, Run>(base, shape, begin + lane, end, lanes, head));
    if (V > 1 && Run && blockIdx.y == gridDim.y - 1) {
      for (int64_t i = head + units * V + lane; i < length; i += lanes) {
        Policy::take(state, base[i], i);
      }
    }
  }
  state = lanes <= 32 ? join_lanes<Policy>(state, lanes) : join_block<Policy>(state);
  if (gridDim.y > 1) {
    State* own = partials + row * gridDim.y;
    if (threadIdx.x == 0) own[blockIdx.y] = state;
    if (!is_last_block(counters + row, gridDim.y)) return;
    state = Policy::none();
    for (int split = threadIdx.x; split < gridDim.y; split += reduce_threads) {
      state = Policy::join(state, load_fresh(own + split));
    }
    state = join_block<Policy>(state);
  }
  if (inside && lane == 0) out[place.to] = Policy::finish(state);
}

// Reads of one unit of columns [begin, end) in steps of `step`, along one axis or several.
template <class Policy, int V, bool OneAxis>
__device__ __forceinline__ void take_columns(const typename Policy::Element* base,
                                             const ReduceShape& shape, int64_t begin, int64_t end,
                                             int step, typename Policy::State* totals) {
  typedef typename Policy::State State;
  typedef typename Policy::Element Element;
  constexpr int reads = OneAxis ? 4 : 2;
  const int64_t by = shape.reduced.axis[0].from;
  auto offset = [&](int64_t r) -> int64_t {
    if constexpr (OneAxis) return r * by;
    else return place_of(shape.reduced, r).from;
  };
  for (int64_t r = begin; r < end;) {
    State parts[V];
#pragma unroll
    for (int j = 0; j < V; ++j) parts[j] = Policy::none();
    for (int round = 0; round < 16 && r < end; ++round) {
      if (r + (reads - 1) * step < end) {
        Vector<Element, V> values[reads];
#pragma unroll
        for (int k = 0; k < reads; ++k) values[k] = load_vector<V>(base + offset(r + k * step));
#pragma unroll
        for (int k = 0; k < reads; ++k) {
#pragma unroll
          for (int j = 0; j < V; ++j) Policy::take(parts[j], values[k][j], r + k * step);
        }
        r += reads * step;
      } else {
        Vector<Element, V> values = load_vector<V>(base + offset(r));
#pragma unroll
        for (int j = 0; j < V; ++j) Policy::take(parts[j], values[j], r);
        r += step;
      }
    }
#pragma unroll
    for (int j = 0; j < V; ++j) totals[j] = Policy::join(totals[j], parts[j]);
  }
}

// Joins the states of threads that have the same unit of columns; those of the first `lanes`
// threads have the result.
template <class Policy, int V>
__device__ __forceinline__ void join_columns(typename Policy::State* totals, int lanes) {
  typedef typename Policy::State State;
  __shared__ alignas(16) unsigned char memory[reduce_threads * V * sizeof(State)];
  State* slots = reinterpret_cast<State*>(memory);
  __syncthreads();
#pragma unroll
  for (int j = 0; j < V; ++j) slots[j * reduce_threads + threadIdx.x] = totals[j];
  for (int half = reduce_threads / 2; half >= lanes; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) {
#pragma unroll
      for (int j = 0; j < V; ++j) {
        State* slot = slots + j * reduce_threads + threadIdx.x;
        *slot = Policy::join(*slot, slot[half]);
      }
    }
  }
  __syncthreads();
#pragma unroll
  for (int j = 0; j < V; ++j) totals[j] = slots[j * reduce_threads + threadIdx.x % lanes];
}

// Grid: (groups of units of columns, splits). The last kept axis is in units of V columns.
template <class Policy, int V, bool OneAxis>
__global__ void __launch_bounds__(reduce_threads)
    reduce_columns(const typename Policy::Element* x, typename Policy::Result* out,
                   const __grid_constant__ ReduceShape shape, typename Policy::State* partials,
                   uint32_t* counters) {
  start_after_earlier();
  typedef typename Policy::State State;
  const int lanes = shape.lanes, others = reduce_threads / lanes;
  const int lane = threadIdx.x & (lanes - 1), other = threadIdx.x / lanes;
  const int64_t unit = static_cast<int64_t>(blockIdx.x) * lanes + lane, units = shape.kept.count;
  const bool inside = unit < units;
  const Place place = place_of(shape.kept, inside ? unit : 0);
  State totals[V];
#pragma unroll
  for (int j = 0; j < V; ++j) totals[j] = Policy::none();
  if (inside) {
    const int64_t begin = shape.length * blockIdx.y / gridDim.y;
    const int64_t end = shape.length * (blockIdx.y + 1) / gridDim.y;
    take_columns<Policy, V, OneAxis>(x + place.from, shape, begin + other, end, others, totals);
  }
  join_columns<Policy, V>(totals, lanes);
  if (gridDim.y > 1) {
    if (inside && other == 0) {
#pragma unroll
      for (int j = 0; j < V; ++j) partials[(blockIdx.y * units + unit) * V + j] = totals[j];
    }
    if (!is_last_block(counters + blockIdx.x, gridDim.y)) return;
#pragma unroll
    for (int j = 0; j < V; ++j) totals[j] = Policy::none();
    for (int split = other; inside && split < gridDim.y; split += others) {
#pragma unroll
      for (int j = 0; j < V; ++j) {
        totals[j] = Policy::join(totals[j], load_fresh(partials + (split * units + unit) * V + j));
      }
    }
    join_columns<Policy, V>(totals, lanes);
  }
  if (inside && other == 0) {
#pragma unroll
    for (int j = 0; j < V; ++j) out[place.to + j * shape.column_step] = Policy::finish(totals[j]);
  }
}
