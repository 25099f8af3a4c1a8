// Attention of few queries in stretches of keys: what a block has of its rows, and how the
// stretches come together. Places say where sum e of a block's Rows * Size belongs: row(e),
// column(e).
#pragma once

#include "attention.cuh"
#include "indexing.cuh"

// A block's place: blockIdx.x counts tiles of Rows rows of heads of examples, blockIdx.y stretches.
struct HeadPlace {
  int example, head, first_row;
};
template <int Rows>
__device__ __forceinline__ HeadPlace head_place_of(const Attention& a) {
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
__device__ __forceinline__ void store(const Attention& a, const HeadPlace& place, int e, float sum,
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

// Four sums that another block has written during this kernel.
__device__ __forceinline__ float4 load_four_fresh(const float* from) {
#ifdef LAZULI_EMULATED_GPU
  return *reinterpret_cast<const float4*>(from);
#else
  float4 to;
  asm volatile("ld.global.cg.v4.f32 {%0, %1, %2, %3}, [%4];"
               : "=f"(to.x), "=f"(to.y), "=f"(to.z), "=f"(to.w)
               : "l"(from));
  return to;
#endif
}

// Joins the stretches of a block's rows: by the last of their blocks. `factors` has room for
// [stretches][Rows] in shared memory.
template <class T, int Size, int Rows, class Places, int Warps>
__device__ __forceinline__ void join_stretches(const Attention& a, const HeadPlace& place,
                                               const float* parts, const Softmax* softmaxes,
                                               float* factors) {
  constexpr int count = Size * Rows, at_once = 16;
  __shared__ Softmax joined[Rows];
  int stretches = gridDim.y, lane = lane_index();
  int64_t first = static_cast<int64_t>(blockIdx.x) * stretches;
  for (int row = threadIdx.x / 32; row < Rows; row += Warps) {
    float peak = -op::highest<float>(), total = 0;
    for (int s = lane; s < stretches; s += 32) {
      peak = fmaxf(peak, load_fresh(&softmaxes[(first + s) * Rows + row].peak));
    }
    peak = warp_reduce<op::Max>(peak);
    for (int s = lane; s < stretches; s += 32) {
      Softmax one = load_fresh(softmaxes + (first + s) * Rows + row);
      float factor = exp2f(one.peak - base_of(peak));
      factors[s * Rows + row] = factor;
      total += one.total * factor;
    }
    total = warp_reduce<op::Sum>(total);
    if (lane == 0) joined[row] = {peak, total};
  }
  __syncthreads();
  for (int e = threadIdx.x * 4; e < count; e += Warps * 32 * 4) {
    int rows[4];
    for (int j = 0; j < 4; ++j) rows[j] = Places::row(e + j);
    const float* from = parts + first * count + e;
    float sums[4] = {};
    for (int s = 0; s < stretches; s += at_once) {
      float4 v[at_once];
#pragma unroll
      for (int i = 0; i < at_once; ++i) {
        if (s + i < stretches) v[i] = load_four_fresh(from + (s + i) * count);
      }
#pragma unroll
      for (int i = 0; i < at_once; ++i) {
        if (s + i >= stretches) continue;
        const float* by = factors + (s + i) * Rows;
        sums[0] += v[i].x * by[rows[0]];
        sums[1] += v[i].y * by[rows[1]];
        sums[2] += v[i].z * by[rows[2]];
        sums[3] += v[i].w * by[rows[3]];
      }
    }
    for (int j = 0; j < 4; ++j) store<T, Places>(a, place, e + j, sums[j], joined[rows[j]]);
  }
}

// Where the stretches of each block of x come together: `sums` [blocks of x, stretches,
// Size * Rows], `softmaxes` [blocks of x, stretches, Rows], a counter for each block of x.
struct Parts {
  float* sums;
  Softmax* softmaxes;
  uint32_t* counters;
};

// The sums of a block's warps, `sums` [warps][Size * Rows] in shared memory, and their softmaxes
// become the output, or of several stretches the block's part; the last block joins them.
template <class T, int Size, int Rows, class Places, int Warps>
__device__ __forceinline__ void join_warps(const Attention& a, const HeadPlace& place, float* sums,
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
  for (int e = threadIdx.x; e < count; e += Warps * 32) {
    int row = Places::row(e);
    float sum = 0;
    for (int w = 0; w < Warps; ++w) sum += sums[w * count + e] * factors[w][row];
    if (gridDim.y == 1) store<T, Places>(a, place, e, sum, known[0][row]);
    else parts.sums[stretch * count + e] = sum;
  }
  if (gridDim.y == 1) return;
  if (threadIdx.x < Rows) parts.softmaxes[stretch * Rows + threadIdx.x] = known[0][threadIdx.x];
  if (!is_last_block(parts.counters + blockIdx.x, gridDim.y)) return;
  join_stretches<T, Size, Rows, Places, Warps>(a, place, parts.sums, parts.softmaxes, sums);
}
