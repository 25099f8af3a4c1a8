// From a flat index to the places it stands for.
#pragma once

#include "types.cuh"
// (types first)
#include "axes.cuh"
#include "last_block.cuh"

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

// What a kernel tells the host about: see fault_word() in gpu.h.
__device__ __forceinline__ void report_fault(uint32_t* word, uint32_t fault) {
  *static_cast<volatile uint32_t*>(word) = fault;
}
