// Sums over the threads of a block, in their order.
#pragma once

#include "shuffles.cuh"

// What the threads before this one have; `total` of all. Blocks of Warps warps.
template <int Warps, class T>
__device__ __forceinline__ T exclusive_sum(T value, T& total) {
  __shared__ T totals[Warps];
  T sum = value;
#pragma unroll
  for (int by = 1; by < 32; by *= 2) {
    const T below = shuffle_up(sum, by);
    if (lane_index() >= by) sum += below;
  }
  __syncthreads();
  if (lane_index() == 31) totals[threadIdx.x / 32] = sum;
  __syncthreads();
  T before = 0;
  total = 0;
#pragma unroll
  for (int w = 0; w < Warps; ++w) {
    if (w == threadIdx.x / 32) before = total;
    total += totals[w];
  }
  return before + sum - value;
}

template <int Warps, class T>
__device__ __forceinline__ T exclusive_sum(T value) {
  T total;
  return exclusive_sum<Warps>(value, total);
}
