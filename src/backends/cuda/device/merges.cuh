// How updates of a scatter meet the value in their place, when several meet there at once.
//
// One hardware instruction where there is one for the type and mode, else compare-and-swap of the
// aligned word around the element.
#pragma once

#include "math.cuh"

enum class Merge : int { replace, add, multiply, maximum, minimum };

// What the place holds after the update; as the CPU merges.
template <Merge mode, class T>
__device__ __forceinline__ T merged(T old, T update) {
  if constexpr (is_half<T>) {
    return T(merged<mode>(static_cast<float>(old), static_cast<float>(update)));
  } else if constexpr (mode == Merge::add) {
    return static_cast<T>(old + update);
  } else if constexpr (mode == Merge::multiply) {
    return static_cast<T>(old * update);
  } else if constexpr (mode == Merge::maximum) {
    if constexpr (is_complex<T>) return old < update ? update : old;
    else return op::isnan(old) || old > update ? old : update;
  } else if constexpr (mode == Merge::minimum) {
    if constexpr (is_complex<T>) return update < old ? update : old;
    else return op::isnan(old) || old < update ? old : update;
  } else {
    return update;
  }
}

template <class Word, class T>
__device__ __forceinline__ Word bits_as(T value) {
  static_assert(sizeof(Word) == sizeof(T), "one value in one word");
  return *reinterpret_cast<Word*>(&value);
}

// Elements of a whole word.
template <Merge mode, class Word, class T>
__device__ __forceinline__ void swap_until_merged(T* place, T update) {
  Word* word = reinterpret_cast<Word*>(place);
  Word seen = *static_cast<volatile Word*>(word);
  while (true) {
    const Word next = bits_as<Word>(merged<mode>(bits_as<T>(seen), update));
    if (next == seen) return;
    const Word before = atomicCAS(word, seen, next);
    if (before == seen) return;
    seen = before;
  }
}

// Elements of one or two bytes, in the word of four around them.
template <Merge mode, class T>
__device__ __forceinline__ void swap_part_until_merged(T* place, T update) {
  typedef typename choose<sizeof(T) == 1, uint8_t, uint16_t>::type Part;
  const uint64_t address = reinterpret_cast<uint64_t>(place);
  uint32_t* word = reinterpret_cast<uint32_t*>(address & ~uint64_t(3));
  const int shift = static_cast<int>(address & 3) * 8;
  const uint32_t mask = static_cast<uint32_t>(static_cast<Part>(~Part(0))) << shift;
  uint32_t seen = *static_cast<volatile uint32_t*>(word);
  while (true) {
    const T old = bits_as<T>(static_cast<Part>((seen & mask) >> shift));
    const uint32_t part = bits_as<Part>(merged<mode>(old, update));
    const uint32_t next = (seen & ~mask) | part << shift;
    if (next == seen) return;
    const uint32_t before = atomicCAS(word, seen, next);
    if (before == seen) return;
    seen = before;
  }
}

// The type that the hardware's integer atomics know.
template <class T>
struct AtomicInteger {
  typedef T type;
};
template <>
struct AtomicInteger<int64_t> {
  typedef uint64_t type;
};

template <Merge mode, class T>
__device__ __forceinline__ void merge_into(T* place, T update) {
  if constexpr (is_boolean<T>) {
    // The only change there can be: several make the same one.
    constexpr bool raises = mode == Merge::add || mode == Merge::maximum;
    if (update == raises) *place = raises;
  } else if constexpr (is_complex<T> && mode == Merge::add) {
    atomicAdd(&place->re, update.re);
    atomicAdd(&place->im, update.im);
  } else if constexpr (mode == Merge::add && sizeof(T) >= 4) {
    typedef typename AtomicInteger<T>::type Word;
    atomicAdd(reinterpret_cast<Word*>(place), static_cast<Word>(update));
  } else if constexpr (mode == Merge::maximum && is_integer<T> && sizeof(T) >= 4) {
    atomicMax(place, update);
  } else if constexpr (mode == Merge::minimum && is_integer<T> && sizeof(T) >= 4) {
    atomicMin(place, update);
  } else if constexpr (sizeof(T) == 8) {
    swap_until_merged<mode, uint64_t>(place, update);
  } else if constexpr (sizeof(T) == 4) {
    swap_until_merged<mode, uint32_t>(place, update);
  } else {
    swap_part_until_merged<mode>(place, update);
  }
}
