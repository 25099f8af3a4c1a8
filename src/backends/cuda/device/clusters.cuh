// Blocks of a cluster: they run at the same time and write into each other's shared memory (sm_90).
#pragma once

#include "rings.cuh"

#if !defined(LAZULI_EMULATED_GPU) && __CUDA_ARCH__ >= 900
#define LAZULI_CLUSTERS 1
// An attribute of kernels: that many blocks along y are a cluster.
#define LAZULI_CLUSTER_OF(blocks) __cluster_dims__(1, blocks, 1)

// All threads of all blocks of a cluster arrive, once, and know after waiting that all have.
__device__ __forceinline__ void arrive_at_cluster() {
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
}
__device__ __forceinline__ void wait_for_cluster() {
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}

// The address of what lies in block `block`'s shared memory where `here` does in one's own.
__device__ __forceinline__ uint32_t address_in_block(const void* here, int block) {
  uint32_t to;
  asm("mapa.shared::cluster.u32 %0, %1, %2;"
      : "=r"(to)
      : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(here))), "r"(block));
  return to;
}

// Writes where `to` lies in another block's shared memory; the bytes count at its barrier.
__device__ __forceinline__ void send_to_block(float4* to, int block, float4 value,
                                              const CopyBarrier& barrier) {
  asm volatile(
      "st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.f32 [%0], {%1, %2, %3, %4}, "
      "[%5];" ::"r"(address_in_block(to, block)),
      "f"(value.x), "f"(value.y), "f"(value.z), "f"(value.w), "r"(address_in_block(&barrier, block))
      : "memory");
}
__device__ __forceinline__ void send_to_block(void* to, int block, float2 value,
                                              const CopyBarrier& barrier) {
  asm volatile(
      "st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.f32 [%0], {%1, %2}, [%3];" ::"r"(
          address_in_block(to, block)),
      "f"(value.x), "f"(value.y), "r"(address_in_block(&barrier, block))
      : "memory");
}
#else
#define LAZULI_CLUSTER_OF(blocks)
#endif
