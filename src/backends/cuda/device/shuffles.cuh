// Values of other lanes of a warp, for types that the hardware does not shuffle itself.
#pragma once

#include "types.cuh"

// The value of the lane `by` below; lanes without one get their own.
template <class T>
__device__ __forceinline__ T shuffle_up(T value, int by) {
  if constexpr (is_complex<T>) {
    return complex_t(__shfl_up_sync(all_lanes, value.re, by),
                     __shfl_up_sync(all_lanes, value.im, by));
  } else if constexpr (sizeof(T) < 4) {
    return static_cast<T>(__shfl_up_sync(all_lanes, static_cast<int>(value), by));
  } else {
    return __shfl_up_sync(all_lanes, value, by);
  }
}

// The value of lane `lane`.
template <class T>
__device__ __forceinline__ T shuffle_from(T value, int lane) {
  if constexpr (is_complex<T>) {
    return complex_t(__shfl_sync(all_lanes, value.re, lane),
                     __shfl_sync(all_lanes, value.im, lane));
  } else if constexpr (sizeof(T) < 4) {
    return static_cast<T>(__shfl_sync(all_lanes, static_cast<int>(value), lane));
  } else {
    return __shfl_sync(all_lanes, value, lane);
  }
}
