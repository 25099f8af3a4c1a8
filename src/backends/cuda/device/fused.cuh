// What the source of every fused step includes.
#pragma once

#include "math.cuh"

// A scalar out of a 64-bit argument slot. Half types arrive as float.
template <class T>
__device__ __forceinline__ T constant(uint64_t bits) {
  if constexpr (is_same<T, float>::value) return float_of_bits(static_cast<uint32_t>(bits));
  else if constexpr (is_same<T, double>::value) return __longlong_as_double(bits);
  else if constexpr (is_complex<T>) {
    return complex_t(float_of_bits(static_cast<uint32_t>(bits)),
                     float_of_bits(static_cast<uint32_t>(bits >> 32)));
  } else if constexpr (is_boolean<T>) return (bits & 0xff) != 0;
  else return static_cast<T>(bits);
}

// n / extent. For 32-bit positions below 2^31 by a multiplication, with the words that the host has
// made (Granlund and Montgomery, Division by invariant integers using multiplication, 1994).
template <class Index>
__device__ __forceinline__ Index divide(Index n, uint64_t extent, uint64_t factor, uint64_t shift) {
  if constexpr (sizeof(Index) == 4) {
    return (__umulhi(n, static_cast<uint32_t>(factor)) + n) >> static_cast<uint32_t>(shift);
  } else {
    return n / static_cast<Index>(extent);
  }
}

template <int Count, class T>
__device__ __forceinline__ Vector<T, Count> repeat(T value) {
  Vector<T, Count> result;
#pragma unroll
  for (int e = 0; e < Count; ++e) result[e] = value;
  return result;
}
template <int Count, class T>
__device__ __forceinline__ Vector<T, Count> gather_vector(const T* from, int64_t stride) {
  Vector<T, Count> result;
#pragma unroll
  for (int e = 0; e < Count; ++e) result[e] = from[e * stride];
  return result;
}
