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

// `Count` neighbours as they were read. Elements narrower than a word stay packed in words: taken
// apart at once, they would make every read wait for the one before.
template <class T, int Count, bool Words = (sizeof(T) < 4 && sizeof(T) * Count >= 4)>
struct Read {
  Vector<T, Count> vector;
  __device__ __forceinline__ void load(const T* from) { vector = load_vector<Count>(from); }
  __device__ __forceinline__ void set(int e, T value) { vector[e] = value; }
  __device__ __forceinline__ Wide<T> get(int e) const { return static_cast<Wide<T>>(vector[e]); }
};
template <class T, int Count>
struct Read<T, Count, true> {
  static constexpr int per_word = 4 / sizeof(T), words = Count / per_word;
  Vector<uint32_t, words> word;
  __device__ __forceinline__ void load(const T* from) {
    word = load_vector<words>(reinterpret_cast<const uint32_t*>(from));
  }
  __device__ __forceinline__ void set(int e, T value) {
    uint32_t shift = e % per_word * 8 * sizeof(T);
    uint32_t bits = 0;
    if constexpr (is_half<T>) bits = value.bits;
    else if constexpr (sizeof(T) == 1) bits = static_cast<uint8_t>(value);
    else bits = static_cast<uint16_t>(value);
    uint32_t mask = (sizeof(T) == 1 ? 0xffu : 0xffffu) << shift;
    word[e / per_word] = (word[e / per_word] & ~mask) | bits << shift;
  }
  __device__ __forceinline__ Wide<T> get(int e) const {
    uint32_t w = word[e / per_word];
    uint32_t shift = e % per_word * 8 * sizeof(T);
    if constexpr (is_same<T, bfloat_t>::value) {
      return float_of_bits(shift ? w & 0xffff0000u : w << 16);
    } else if constexpr (is_half<T>) {
      half_t value;
      value.bits = static_cast<uint16_t>(w >> shift);
      return static_cast<float>(value);
    } else if constexpr (is_boolean<T>) {
      return ((w >> shift) & 0xff) != 0;
    } else {
      return static_cast<T>(w >> shift);
    }
  }
};

// Writes what was read to a place that is aligned to one element, or one word.
template <class T, int Count>
__device__ __forceinline__ void store_words(T* to, const Read<T, Count, false>& read) {
#pragma unroll
  for (int e = 0; e < Count; ++e) to[e] = read.vector[e];
}
template <class T, int Count>
__device__ __forceinline__ void store_words(T* to, const Read<T, Count, true>& read) {
#pragma unroll
  for (int k = 0; k < Read<T, Count, true>::words; ++k) {
    reinterpret_cast<uint32_t*>(to)[k] = read.word[k];
  }
}

template <class T, int Count>
__device__ __forceinline__ void repeat(Read<T, Count>& into, T value) {
#pragma unroll
  for (int e = 0; e < Count; ++e) into.set(e, value);
}
template <class T, int Count>
__device__ __forceinline__ void gather_vector(Read<T, Count>& into, const T* from,
                                              int64_t stride) {
#pragma unroll
  for (int e = 0; e < Count; ++e) into.set(e, from[e * stride]);
}

namespace op {

// Within the precision of half types.
LAZULI_DEVICE float half_exp(float x) {
#ifdef LAZULI_EMULATED_GPU
  return ::expf(x);
#else
  float result;
  asm("ex2.approx.f32 %0, %1;" : "=f"(result) : "f"(x * 1.4426950408889634f));
  return result;
#endif
}
LAZULI_DEVICE float half_reciprocal(float x) {
#ifdef LAZULI_EMULATED_GPU
  return 1.0f / x;
#else
  float result;
  asm("rcp.approx.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
#endif
}
LAZULI_DEVICE float half_divide(float x, float y) { return x * half_reciprocal(y); }
LAZULI_DEVICE float half_sigmoid(float x) { return half_reciprocal(1.0f + half_exp(-x)); }
// Near zero, where the other form loses digits, an odd polynomial.
LAZULI_DEVICE float half_tanh(float x) {
  float square = x * x;
  if (square < 0.04f) {
    return x + x * square * (-0.33333334f + square * (0.13333334f - square * 0.05396825f));
  }
  return 1.0f - 2.0f * half_reciprocal(1.0f + half_exp(2.0f * x));
}

// x / y for many x: `inverse` is 1 / y. One correction makes the quotient as good as a division's;
// where the inverse is not a plain number, there is only the division.
LAZULI_DEVICE float divide_by(float x, float y, float inverse) {
  float size = fabsf(inverse);
  if (!(size < 1e30f && size > 1e-30f)) return x / y;
  float quotient = x * inverse;
  float corrected = fmaf(fmaf(-quotient, y, x), inverse, quotient);
  return fabsf(quotient) < 1e30f ? corrected : x / y;
}

}  // namespace op
