// Unsigned keys in the order of values, NaN last: what sort and partition compare.
#pragma once

#include "math.cuh"

template <int Bytes>
struct KeyBits;
template <>
struct KeyBits<1> {
  typedef uint8_t type;
};
template <>
struct KeyBits<2> {
  typedef uint16_t type;
};
template <>
struct KeyBits<4> {
  typedef uint32_t type;
};
template <>
struct KeyBits<8> {
  typedef uint64_t type;
};

template <class T>
using Key = typename KeyBits<sizeof(T)>::type;

template <class T>
__device__ __forceinline__ Key<T> bits_of(T value) {
  return *reinterpret_cast<Key<T>*>(&value);
}

// `Equal`: values that compare as equal have equal keys (both zeros, all NaN). Without it the value
// can be had back from its key.
template <bool Equal, class T>
__device__ __forceinline__ Key<T> key_of(T value) {
  constexpr int last = sizeof(T) * 8 - 1;
  constexpr Key<T> sign = static_cast<Key<T>>(Key<T>(1) << last);
  if constexpr (is_complex<T>) {
    static_assert(Equal, "a complex key does not keep its value");
    if (op::isnan(value)) return ~Key<T>(0);
    return static_cast<Key<T>>(key_of<true>(value.re)) << 32 | key_of<true>(value.im);
  } else if constexpr (is_floating<T>) {
    Key<T> bits = bits_of(value);
    if (op::isnan(value)) {
      if (Equal) return static_cast<Key<T>>(~Key<T>(0));
      return static_cast<Key<T>>(bits | sign);  // which a key without sign becomes
    }
    if (Equal && value == T(0)) return sign;
    return bits & sign ? static_cast<Key<T>>(~bits) : static_cast<Key<T>>(bits | sign);
  } else if constexpr (is_signed_integer<T>) {
    return static_cast<Key<T>>(bits_of(value) ^ sign);
  } else {
    return bits_of(value);
  }
}

template <class T>
__device__ __forceinline__ T value_of(Key<T> key) {
  constexpr int last = sizeof(T) * 8 - 1;
  constexpr Key<T> sign = static_cast<Key<T>>(Key<T>(1) << last);
  if constexpr (is_floating<T>) {
    key = key & sign ? static_cast<Key<T>>(key ^ sign) : static_cast<Key<T>>(~key);
  } else if constexpr (is_signed_integer<T>) {
    key = static_cast<Key<T>>(key ^ sign);
  }
  return *reinterpret_cast<T*>(&key);
}

// What a sort is asked for.
enum class Sorted : int {
  values,        // from their keys
  indices,       // stable
  moved_values,  // through their indices: values that their keys do not keep
};

template <class T, Sorted output>
struct SortPlan {
  static constexpr bool indexed = output != Sorted::values;
  typedef typename choose<output == Sorted::indices, uint32_t, T>::type Result;
  static __device__ __forceinline__ Key<T> key(T value) { return key_of<indexed>(value); }
  // `row` are the values that are sorted.
  static __device__ __forceinline__ Result result(Key<T> key, uint32_t index, const T* row) {
    if constexpr (output == Sorted::indices) return index;
    else if constexpr (output == Sorted::moved_values) return row[index];
    else return value_of<T>(key);
  }
};
