// Blocks of one launch that leave something for the last of them.
#pragma once

#include "types.cuh"

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

__device__ __forceinline__ float4 load_fresh_four(const float* from) {
#ifdef LAZULI_EMULATED_GPU
  return *reinterpret_cast<const float4*>(from);
#else
  float4 to;
  asm volatile("ld.global.cg.v4.f32 {%0, %1, %2, %3}, [%4];"
               : "=f"(to.x), "=f"(to.y), "=f"(to.z), "=f"(to.w)
               : "l"(from));
  return to;
#endif
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
