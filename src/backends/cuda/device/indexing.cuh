// From a flat index to the places it stands for.
#pragma once

#include "types.cuh"
// (types first)
#include "axes.cuh"

struct Place {
  int64_t from, to;
};

// index / extent, and what is left of the index.
__device__ __forceinline__ uint32_t divide(uint32_t& index, const Axis& axis) {
  uint32_t quotient = (__umulhi(index, axis.multiplier) + index) >> axis.shift;
  index -= quotient * static_cast<uint32_t>(axis.extent);
  return quotient;
}
__device__ __forceinline__ int64_t divide(int64_t& index, const Axis& axis) {
  int64_t quotient = index / axis.extent;
  index -= quotient * axis.extent;
  return quotient;
}
// The same where `wide` tells which of the two it takes.
__device__ __forceinline__ int64_t divide(int64_t& index, const Axis& axis, bool wide) {
  if (wide) return divide(index, axis);
  uint32_t narrow = static_cast<uint32_t>(index);
  int64_t quotient = divide(narrow, axis);
  index = narrow;
  return quotient;
}

template <class Index, int RankMax>
__device__ __forceinline__ Place walk(const Axes<RankMax>& axes, Index index) {
  Place place = {0, 0};
  for (int d = axes.rank - 1; d > 0; --d) {
    Index outer = divide(index, axes.axis[d]);
    place.from += static_cast<int64_t>(index) * axes.axis[d].from;
    place.to += static_cast<int64_t>(index) * axes.axis[d].to;
    index = outer;
  }
  place.from += static_cast<int64_t>(index) * axes.axis[0].from;
  place.to += static_cast<int64_t>(index) * axes.axis[0].to;
  return place;
}

// Rare, and long: a call, so that it takes no registers from those who do without.
template <int RankMax>
__device__ __noinline__ Place wide_walk(const Axes<RankMax>& axes, int64_t index) {
  return walk(axes, index);
}

template <int RankMax>
__device__ __forceinline__ Place place_of(const Axes<RankMax>& axes, int64_t index) {
  if (axes.wide) return wide_walk(axes, index);
  return walk(axes, static_cast<uint32_t>(index));
}

// A value that another block may have written during this kernel: not from this multiprocessor's
// cache.
template <class T>
__device__ __forceinline__ T load_fresh(const T* from) {
  T value;
  if constexpr (sizeof(T) % 4 == 0) {
    const volatile uint32_t* words = reinterpret_cast<const volatile uint32_t*>(from);
    for (int i = 0; i < static_cast<int>(sizeof(T) / 4); ++i) {
      reinterpret_cast<uint32_t*>(&value)[i] = words[i];
    }
  } else {
    const volatile unsigned char* bytes = reinterpret_cast<const volatile unsigned char*>(from);
    for (int i = 0; i < static_cast<int>(sizeof(T)); ++i) {
      reinterpret_cast<unsigned char*>(&value)[i] = bytes[i];
    }
  }
  return value;
}

// Whether this block is the last of `count` to get here; the counter is then zero again. What the
// others have written before is there to be read by `load_fresh`. To be called by all threads.
__device__ __forceinline__ bool is_last_block(uint32_t* counter, uint32_t count) {
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    last = atomicAdd(counter, 1u) == count - 1;
    if (last) *counter = 0;
  }
  __syncthreads();
  __threadfence();
  return last;
}

// What a kernel tells the host about: see fault_word() in gpu.h.
__device__ __forceinline__ void report_fault(uint32_t* word, uint32_t fault) {
  *static_cast<volatile uint32_t*>(word) = fault;
}
