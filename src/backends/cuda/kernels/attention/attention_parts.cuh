// Attention of few queries in stretches of keys: what a block has of its rows, and how the
// stretches come together. Places say where sum e of a block's Rows * Size belongs: row(e),
// column(e).
#pragma once

#include "attention.cuh"
#include "last_block.cuh"
#include "tiles.cuh"

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

// Of four columns, the first a multiple of four, as is the size.
template <class T>
__device__ __forceinline__ void store_four(const Attention& a, const Place& place, int row,
                                           int column, float4 sum, Softmax softmax) {
  row += place.first_row;
  if (row >= a.group * a.queries || column >= a.value_size) return;
  int head = place.head * a.group + row % a.group;
  float before = softmax.peak;
  softmax.add_sink(a, head);
  float factor = exp2f(before - base_of(softmax.peak)) / softmax.total;
  int64_t at = (static_cast<int64_t>(place.example) * a.heads + head) * a.queries + row / a.group;
  T* to = static_cast<T*>(a.out) + at * a.value_size + column;
  if constexpr (sizeof(T) == 2) {
    *reinterpret_cast<uint2*>(to) = make_uint2(pack_pair<T>(sum.x * factor, sum.y * factor),
                                               pack_pair<T>(sum.z * factor, sum.w * factor));
  } else {
    to[0] = T(sum.x * factor);
    to[1] = T(sum.y * factor);
    to[2] = T(sum.z * factor);
    to[3] = T(sum.w * factor);
  }
}

// Stretches that meet: `sums` [blocks of x, stretches, Rows, Size], `softmaxes` [blocks of x,
// stretches, Rows] and a counter for each block of x.
struct Parts {
  float* sums;
  Softmax* softmaxes;
  uint32_t* counters;
};

// Some stretches of a row together: its softmax and the sums of four columns.
struct Joined {
  float4 sum;
  Softmax softmax;
  __device__ __forceinline__ void add(const float4& part, const Softmax& of) {
    float next = fmaxf(softmax.peak, of.peak), base = base_of(next);
    float before = power_of_two(softmax.peak - base), factor = power_of_two(of.peak - base);
    softmax = {next, softmax.total * before + of.total * factor};
    sum.x = sum.x * before + part.x * factor;
    sum.y = sum.y * before + part.y * factor;
    sum.z = sum.z * before + part.z * factor;
    sum.w = sum.w * before + part.w * factor;
  }
};

// What the last block of a row of blocks does: joins their parts, four columns a thread and as many
// groups of stretches at a time as there are threads for. `shared` has room for 32 bytes a thread.
template <class T, int Size, int Rows, int Warps>
__device__ __forceinline__ void join_stretches(const Attention& a, const Place& place,
                                               const Parts& parts, float4* shared) {
  constexpr int threads = Warps * 32, at_a_time = 8;
  int stretches = gridDim.y, live = min(Rows, a.group * a.queries - place.first_row);
  int64_t first = static_cast<int64_t>(blockIdx.x) * stretches;
  int fours = live * Size / 4, groups = max(threads / fours, 1), wide = min(fours, threads);
  int group = threadIdx.x / wide;
  Joined* others = reinterpret_cast<Joined*>(shared);
  for (int base = 0; base < fours; base += wide) {
    int four = base + threadIdx.x % wide, row = four * 4 / Size;
    bool inside = four < fours && group < groups;
    const float* sums = parts.sums + first * (Size * Rows) + four * 4;
    const Softmax* softmaxes = parts.softmaxes + first * Rows + row;
    Joined joined{make_float4(0, 0, 0, 0), {-op::highest<float>(), 0}};
    for (int s = group; inside && s < stretches; s += groups * at_a_time) {
      float4 some[at_a_time];
      Softmax known[at_a_time];
#pragma unroll
      for (int i = 0; i < at_a_time; ++i) {
        int stretch = s + i * groups;
        if (stretch >= stretches) break;
        some[i] = load_fresh_four(sums + static_cast<int64_t>(stretch) * (Size * Rows));
        known[i] = load_fresh(softmaxes + stretch * Rows);
      }
#pragma unroll
      for (int i = 0; i < at_a_time; ++i) {
        if (s + i * groups < stretches) joined.add(some[i], known[i]);
      }
    }
    __syncthreads();
    others[threadIdx.x] = joined;
    __syncthreads();
    if (!inside || group != 0) continue;
    for (int other = 1; other < groups; ++other) {
      const Joined& more = others[other * wide + threadIdx.x];
      joined.add(more.sum, more.softmax);
    }
    store_four<T>(a, place, row, four * 4 % Size, joined.sum, joined.softmax);
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
  join_stretches<T, Size, Rows, Warps>(a, place, parts, reinterpret_cast<float4*>(sums));
}
