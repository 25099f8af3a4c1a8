// Attention of few queries in stretches of keys: what a block has of its rows, and how the
// stretches come together. Places say where sum e of a block's Rows * Size belongs: row(e),
// column(e).
#pragma once

#include "attention.cuh"
#include "last_block.cuh"

// A block's place: blockIdx.x counts tiles of Rows rows of heads of examples, blockIdx.y stretches.
struct Place {
  int example, head, first_row;
};
template <int Rows>
__device__ __forceinline__ Place place_of(const Attention& a) {
  int of = a.heads / a.group, tiles = (a.group * a.queries + Rows - 1) / Rows;
  int head = blockIdx.x / tiles;
  return {head / of, head % of, static_cast<int>(blockIdx.x) % tiles * Rows};
}

// The end of a row's softmax: its sink counts as one more key without a value.
struct Softmax {
  float peak, total;
  __device__ __forceinline__ void add_sink(const Attention& a, int head) {
    if (!a.sinks) return;
    float sink = a.sinks[head * a.sinks_stride] * log2_e, next = fmaxf(peak, sink);
    total = total * exp2f(peak - base_of(next)) + exp2f(sink - base_of(next));
    peak = next;
  }
};

// `row` of a block's.
template <class T>
__device__ __forceinline__ void store(const Attention& a, const Place& place, int row, int column,
                                      float sum, Softmax softmax) {
  row += place.first_row;
  if (row >= a.group * a.queries || column >= a.value_size) return;
  int head = place.head * a.group + row % a.group;
  float before = softmax.peak;
  softmax.add_sink(a, head);
  sum *= exp2f(before - base_of(softmax.peak));
  int64_t at = (static_cast<int64_t>(place.example) * a.heads + head) * a.queries + row / a.group;
  static_cast<T*>(a.out)[at * a.value_size + column] = T(sum / softmax.total);
}

// Stretches that meet: `sums` [blocks of x, stretches, Rows, Size], `softmaxes` [blocks of x,
// stretches, Rows] and a counter for each block of x.
struct Parts {
  float* sums;
  Softmax* softmaxes;
  uint32_t* counters;
};

// What the last block of a row of blocks does: adds up their parts, as many stretches at a time as
// there are threads for. `shared` has room for the stretches' softmaxes and 16 bytes a thread.
template <class T, int Size, int Rows, int Warps>
__device__ __forceinline__ void join_stretches(const Attention& a, const Place& place,
                                               const Parts& parts, float4* shared,
                                               Softmax (&all)[Rows]) {
  constexpr int count = Size * Rows;
  int stretches = gridDim.y, warp = threadIdx.x / 32, lane = lane_index();
  int live = min(Rows, a.group * a.queries - place.first_row);
  int64_t first = static_cast<int64_t>(blockIdx.x) * stretches;
  Softmax* softmaxes = reinterpret_cast<Softmax*>(shared + Warps * 32);
  for (int i = threadIdx.x; i < stretches * Rows; i += Warps * 32) {
    softmaxes[i] = load_fresh(parts.softmaxes + first * Rows + i);
  }
  __syncthreads();
  // Of each row the peak and the total; totals of stretches become factors.
  for (int row = warp; row < live; row += Warps) {
    float peak = -op::highest<float>(), total = 0;
    for (int s = lane; s < stretches; s += 32) peak = fmaxf(peak, softmaxes[s * Rows + row].peak);
    for (int step = 16; step > 0; step /= 2) peak = fmaxf(peak, shuffle_xor(peak, step));
    for (int s = lane; s < stretches; s += 32) {
      Softmax& one = softmaxes[s * Rows + row];
      float factor = exp2f(one.peak - base_of(peak));
      total += one.total * factor;
      one.total = factor;
    }
    for (int step = 16; step > 0; step /= 2) total += shuffle_xor(total, step);
    if (lane == 0) all[row] = {peak, total};
  }
  __syncthreads();
  // Threads of one group take four columns each.
  int fours = live * Size / 4, groups = max(Warps * 32 / fours, 1);
  int group = threadIdx.x / fours;
  for (int base = 0; base < fours; base += Warps * 32) {
    int four = groups == 1 ? base + threadIdx.x : threadIdx.x % fours;
    bool inside = four < fours && (groups == 1 || group < groups);
    int row = four * 4 / Size, column = four * 4 % Size;
    float4 sum = make_float4(0, 0, 0, 0);
    const float* from = parts.sums + first * count + four * 4;
#pragma unroll 8
    for (int s = groups == 1 ? 0 : group; inside && s < stretches; s += groups) {
      float4 part = load_fresh_four(from + static_cast<int64_t>(s) * count);
      float factor = softmaxes[s * Rows + row].total;
      sum.x += part.x * factor;
      sum.y += part.y * factor;
      sum.z += part.z * factor;
      sum.w += part.w * factor;
    }
    shared[threadIdx.x] = sum;
    __syncthreads();
    if (inside && (groups == 1 || group == 0)) {
      for (int other = 1; other < groups; ++other) {
        float4 more = shared[other * fours + four];
        sum.x += more.x;
        sum.y += more.y;
        sum.z += more.z;
        sum.w += more.w;
      }
      store<T>(a, place, row, column, sum.x, all[row]);
      store<T>(a, place, row, column + 1, sum.y, all[row]);
      store<T>(a, place, row, column + 2, sum.z, all[row]);
      store<T>(a, place, row, column + 3, sum.w, all[row]);
    }
    __syncthreads();
  }
}

// The sums of a block's warps, `sums` [Warps][Size * Rows], and their softmaxes become the output;
// of several stretches the block's part, and the last block to come here joins the parts.
template <class T, int Size, int Rows, int Warps, class Places>
__device__ __forceinline__ void join_warps(const Attention& a, const Place& place, float* sums,
                                           Softmax (&known)[Warps][Rows], const Parts& parts) {
  constexpr int count = Size * Rows;
  __shared__ float factors[Warps][Rows];
  __syncthreads();
  if (threadIdx.x < Rows) {
    Softmax all = {-op::highest<float>(), 0};
    for (int w = 0; w < Warps; ++w) all.peak = fmaxf(all.peak, known[w][threadIdx.x].peak);
    for (int w = 0; w < Warps; ++w) {
      float factor = exp2f(known[w][threadIdx.x].peak - base_of(all.peak));
      factors[w][threadIdx.x] = factor;
      all.total += known[w][threadIdx.x].total * factor;
    }
    known[0][threadIdx.x] = all;
  }
  __syncthreads();
  int64_t stretch = static_cast<int64_t>(blockIdx.x) * gridDim.y + blockIdx.y;
  int live = a.group * a.queries - place.first_row;
  for (int e = threadIdx.x; e < count; e += Warps * 32) {
    int row = Places::row(e);
    if (row >= live) continue;
    float sum = 0;
#pragma unroll
    for (int w = 0; w < Warps; ++w) sum += sums[w * count + e] * factors[w][row];
    int column = Places::column(e);
    if (gridDim.y == 1) store<T>(a, place, row, column, sum, known[0][row]);
    else parts.sums[stretch * count + row * Size + column] = sum;
  }
  if (gridDim.y == 1) return;
  if (threadIdx.x < Rows) {
    parts.softmaxes[stretch * Rows + threadIdx.x] = known[0][threadIdx.x];
  }
  if (!is_last_block(parts.counters + blockIdx.x, gridDim.y)) return;
  join_stretches<T, Size, Rows, Warps>(a, place, parts, reinterpret_cast<float4*>(sums), known[0]);
}
