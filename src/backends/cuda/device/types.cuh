// Element types of device code: integers of known width, half types, complex numbers, and vectors
// of them that are read and written in one access.
#pragma once

typedef signed char int8_t;
typedef short int16_t;
typedef int int32_t;
typedef long long int64_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;

#include "overlap.cuh"

template <class A, class B>
struct is_same {
  static constexpr bool value = false;
};
template <class A>
struct is_same<A, A> {
  static constexpr bool value = true;
};
template <bool Condition, class A, class B>
struct choose {
  typedef A type;
};
template <class A, class B>
struct choose<false, A, B> {
  typedef B type;
};

__device__ __forceinline__ float float_of_bits(uint32_t bits) { return __uint_as_float(bits); }
__device__ __forceinline__ uint32_t bits_of_float(float value) { return __float_as_uint(value); }

// IEEE half precision. Kept in memory; computed with as float.
struct half_t {
  uint16_t bits;
  half_t() = default;
  __device__ __forceinline__ half_t(float value) {
#ifdef LAZULI_EMULATED_GPU
    bits = emulated::half_bits(value);
#else
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
#endif
  }
  __device__ __forceinline__ operator float() const {
#ifdef LAZULI_EMULATED_GPU
    return emulated::float_of_half(bits);
#else
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
#endif
  }
};

// The upper half of a float.
struct bfloat_t {
  uint16_t bits;
  bfloat_t() = default;
  __device__ __forceinline__ bfloat_t(float value) {
#ifdef LAZULI_EMULATED_GPU
    bits = emulated::bfloat_bits(value);
#else
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
#endif
  }
  __device__ __forceinline__ operator float() const {
    return float_of_bits(static_cast<uint32_t>(bits) << 16);
  }
};

// A float rounded to a half type and widened again.
template <class Half>
__device__ __forceinline__ float rounded(float value) {
#ifndef LAZULI_EMULATED_GPU
  if constexpr (is_same<Half, bfloat_t>::value) {
    // The upper half of the pair: what a float has there. A conversion of one number is slow.
    uint32_t pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(value), "f"(0.0f));
    return float_of_bits(pair);
  }
#endif
  return Half(value);
}

struct alignas(8) complex_t {
  float re, im;
  complex_t() = default;
  __device__ __forceinline__ complex_t(float real, float imaginary = 0) : re(real), im(imaginary) {}
};

template <class T>
constexpr bool is_half = is_same<T, half_t>::value || is_same<T, bfloat_t>::value;
template <class T>
constexpr bool is_complex = is_same<T, complex_t>::value;
template <class T>
constexpr bool is_floating = is_same<T, float>::value || is_same<T, double>::value || is_half<T>;
template <class T>
constexpr bool is_boolean = is_same<T, bool>::value;
template <class T>
constexpr bool is_integer = !is_floating<T> && !is_complex<T> && !is_boolean<T>;
template <class T>
constexpr bool is_signed_integer = is_same<T, int8_t>::value || is_same<T, int16_t>::value ||
                                   is_same<T, int32_t>::value || is_same<T, int64_t>::value;

// What a value is computed with: float for half types.
template <class T>
using Wide = typename choose<is_half<T>, float, T>::type;

// A value of one element type as another, as the CPU converts (core/visit.h): complex to real takes
// the real part, anything to bool asks whether it differs from zero, floats to integers truncate
// and stop at the ends of the range; NaN becomes 0.
template <class To, class From>
__device__ __forceinline__ To convert(From value) {
  if constexpr (is_same<To, From>::value) {
    return value;
  } else if constexpr (is_half<From>) {
    return convert<To>(static_cast<float>(value));
  } else if constexpr (is_complex<From>) {
    if constexpr (is_boolean<To>) return value.re != 0 || value.im != 0;
    else return convert<To>(value.re);
  } else if constexpr (is_boolean<To>) {
    return value != From(0);
  } else if constexpr (is_complex<To> || is_half<To>) {
    return To(static_cast<float>(value));
  } else if constexpr (is_floating<From> && is_integer<To>) {
    constexpr int digits = static_cast<int>(sizeof(To) * 8) - is_signed_integer<To>;
    constexpr To most = static_cast<To>(~uint64_t(0) >> (64 - digits));
    constexpr To least = is_signed_integer<To> ? static_cast<To>(-most - 1) : To(0);
    constexpr From low = static_cast<From>(least);
    constexpr From high = static_cast<From>(uint64_t(1) << (digits - 1)) * 2;
    if (value >= high) return most;
    if (value > low) return static_cast<To>(value);
    return value == value ? least : To(0);
  } else {
    return static_cast<To>(value);
  }
}

// `Count` neighbours, moved in one access of up to 16 bytes.
template <class T, int Count>
struct alignas(sizeof(T) * Count > 16 ? 16 : sizeof(T) * Count) Vector {
  T value[Count];
  __device__ __forceinline__ T& operator[](int i) { return value[i]; }
  __device__ __forceinline__ const T& operator[](int i) const { return value[i]; }
};

template <int Count, class T>
__device__ __forceinline__ Vector<T, Count> load_vector(const T* from) {
  return *reinterpret_cast<const Vector<T, Count>*>(from);
}
template <class T, int Count>
__device__ __forceinline__ void store_vector(T* to, const Vector<T, Count>& vector) {
  *reinterpret_cast<Vector<T, Count>*>(to) = vector;
}

constexpr unsigned all_lanes = 0xffffffffu;

__device__ __forceinline__ int lane_index() { return threadIdx.x & 31; }

template <class T>
__device__ __forceinline__ T shuffle_xor(T value, int mask) {
  if constexpr (is_half<T>) {
    T result;
    result.bits =
        static_cast<uint16_t>(__shfl_xor_sync(all_lanes, static_cast<unsigned>(value.bits), mask));
    return result;
  } else if constexpr (is_complex<T>) {
    return complex_t(__shfl_xor_sync(all_lanes, value.re, mask),
                     __shfl_xor_sync(all_lanes, value.im, mask));
  } else if constexpr (sizeof(T) < 4) {
    return static_cast<T>(__shfl_xor_sync(all_lanes, static_cast<int>(value), mask));
  } else {
    return __shfl_xor_sync(all_lanes, value, mask);
  }
}
