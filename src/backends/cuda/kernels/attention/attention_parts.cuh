// Attention of few queries in stretches of keys: what a block has of its rows, and how the
// stretches come together. Places say where sum e of a block's Rows * Size belongs: row(e),
// column(e).
#pragma once

#include "attention.cuh"

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

template <class T, class Places>
__device__ __forceinline__ void store(const Attention& a, const Place& place, int e, float sum,
                                      Softmax softmax) {
  int row = place.first_row + Places::row(e), column = Places::column(e);
  if (row >= a.group * a.queries || column >= a.value_size) return;
  int head = place.head * a.group + row % a.group;
  float before = softmax.peak;
  softmax.add_sink(a, head);
  sum *= exp2f(before - base_of(softmax.peak));
  int64_t at = (static_cast<int64_t>(place.example) * a.heads + head) * a.queries + row / a.group;
  static_cast<T*>(a.out)[at * a.value_size + column] = T(sum / softmax.total);
}

constexpr int warps = 4;

// The sums of a block's warps, `sums` [warps][Size * Rows], and their softmaxes become the output,
// or of several stretches the block's part: `parts` [blocks of x, stretches, Size * Rows] and
// `softmaxes` [blocks of x, stretches, Rows].
template <class T, int Size, int Rows, class Places>
__device__ __forceinline__ void join_warps(const Attention& a, const Place& place,
                                           const float* sums, Softmax (&known)[warps][Rows],
                                           float* parts, Softmax* softmaxes) {
  constexpr int count = Size * Rows;
  __shared__ float factors[warps][Rows];
  __syncthreads();
  if (threadIdx.x < Rows) {
    Softmax all = {-op::highest<float>(), 0};
    for (int w = 0; w < warps; ++w) all.peak = fmaxf(all.peak, known[w][threadIdx.x].peak);
    for (int w = 0; w < warps; ++w) {
      float factor = exp2f(known[w][threadIdx.x].peak - base_of(all.peak));
      factors[w][threadIdx.x] = factor;
      all.total += known[w][threadIdx.x].total * factor;
    }
    known[0][threadIdx.x] = all;
  }
  __syncthreads();
  int64_t stretch = static_cast<int64_t>(blockIdx.x) * gridDim.y + blockIdx.y;
  for (int e = threadIdx.x; e < count; e += warps * 32) {
    int row = Places::row(e);
    float sum = 0;
    for (int w = 0; w < warps; ++w) sum += sums[w * count + e] * factors[w][row];
    if (gridDim.y == 1) store<T, Places>(a, place, e, sum, known[0][row]);
    else parts[stretch * count + e] = sum;
  }
  if (gridDim.y > 1 && threadIdx.x < Rows) {
    softmaxes[stretch * Rows + threadIdx.x] = known[0][threadIdx.x];
  }
}

// Joins the stretches. Blocks of 128; blockIdx.x as above, blockIdx.y counts 128 sums each.
template <class T, int Size, int Rows, class Places>
__global__ void __launch_bounds__(128)
    attention_join(__grid_constant__ const Attention a, int stretches, const float* parts,
                   const Softmax* softmaxes) {
  start_after_earlier();
  constexpr int count = Size * Rows;
  int e = blockIdx.y * 128 + threadIdx.x, row = Places::row(e);
  int64_t first = static_cast<int64_t>(blockIdx.x) * stretches;
  Softmax all = {-op::highest<float>(), 0};
#pragma unroll 8
  for (int s = 0; s < stretches; ++s) {
    all.peak = fmaxf(all.peak, softmaxes[(first + s) * Rows + row].peak);
  }
  float sum = 0, base = base_of(all.peak);
#pragma unroll 8
  for (int s = 0; s < stretches; ++s) {
    Softmax one = softmaxes[(first + s) * Rows + row];
    float factor = exp2f(one.peak - base);
    all.total += one.total * factor;
    sum += parts[(first + s) * count + e] * factor;
  }
  store<T, Places>(a, place_of<Rows>(a), e, sum, all);
}
