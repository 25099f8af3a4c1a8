// Copies into shared memory that somebody else waits for: barriers in shared memory that count
// arrivals and, where copies of whole pieces are there (sm_90), bytes.
#pragma once

#include "tiles.cuh"

#if !defined(LAZULI_EMULATED_GPU) && __CUDA_ARCH__ >= 900
#define LAZULI_BULK_COPIES 1
#endif

// Completes a phase whenever as many have arrived as it was made for, and all the bytes that it was
// told of have come. Phases are told apart by their parity.
struct alignas(8) CopyBarrier {
  uint64_t state;

#ifdef LAZULI_EMULATED_GPU
  // Of 16 bits each: how many arrive in a phase, how many of this one are missing; the phase.
  __device__ void make(int count) { state = uint64_t(count) << 48 | uint64_t(count) << 32; }
  __device__ void arrive() {
    state -= uint64_t(1) << 32;
    if ((state >> 32 & 0xffff) == 0) state = (state | (state >> 48) << 32) ^ 1;
  }
  __device__ void arrive_if(bool condition) {
    if (condition) arrive();
  }
  __device__ void arrive_with_copies() { arrive(); }
  __device__ void expect(int) {}
  __device__ void wait(int parity) const {
    while ((*const_cast<const volatile uint64_t*>(&state) & 1) == uint64_t(parity)) {
      emulated::yield();
    }
  }
#else
  __device__ __forceinline__ uint32_t address() const {
    return static_cast<uint32_t>(__cvta_generic_to_shared(&state));
  }
  __device__ __forceinline__ void make(int count) {
    asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(address()), "r"(count) : "memory");
  }
  __device__ __forceinline__ void arrive() {
    uint64_t ignored;
    asm volatile("mbarrier.arrive.shared.b64 %0, [%1];"
                 : "=l"(ignored)
                 : "r"(address())
                 : "memory");
  }
  // Without a branch, which products that are under way (group_products.cuh) do not bear.
  __device__ __forceinline__ void arrive_if(bool condition) {
    asm volatile(
        "{\n.reg .pred p;\n"
        ".reg .b64 ignored;\n"
        "setp.ne.u32 p, %1, 0;\n"
        "@p mbarrier.arrive.shared.b64 ignored, [%0];\n}" ::"r"(address()),
        "r"(static_cast<uint32_t>(condition))
        : "memory");
  }
  // As soon as this thread's copies by copy_async have come.
  __device__ __forceinline__ void arrive_with_copies() {
    asm volatile("cp.async.mbarrier.arrive.noinc.shared.b64 [%0];" ::"r"(address()) : "memory");
  }
  // The phase at hand waits for so many bytes of copy_bulk too.
  __device__ __forceinline__ void expect(int bytes) {
#ifdef LAZULI_BULK_COPIES
    asm volatile("mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%0], %1;" ::"r"(address()),
                 "r"(bytes)
                 : "memory");
#endif
  }
  // Both at once, by the one thread that the barrier was made for.
  __device__ __forceinline__ void arrive_expecting(int bytes) {
#ifdef LAZULI_BULK_COPIES
    asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], %1;" ::"r"(address()), "r"(bytes)
                 : "memory");
#endif
  }
  // Until the phase of this parity is over; the first one's is 0.
  __device__ __forceinline__ void wait(int parity) const {
    uint32_t over;
    do {
#ifdef LAZULI_BULK_COPIES
      asm volatile(
          "{\n.reg .pred p;\n"
          "mbarrier.try_wait.parity.shared.b64 p, [%1], %2;\n"
          "selp.u32 %0, 1, 0, p;\n}"
          : "=r"(over)
          : "r"(address()), "r"(parity)
          : "memory");
#else
      asm volatile(
          "{\n.reg .pred p;\n"
          "mbarrier.test_wait.parity.shared.b64 p, [%1], %2;\n"
          "selp.u32 %0, 1, 0, p;\n}"
          : "=r"(over)
          : "r"(address()), "r"(parity)
          : "memory");
#endif
    } while (!over);
  }
#endif
};

// Barriers that were made may be used by all threads after this and a barrier of the block.
__device__ __forceinline__ void publish_barriers() {
#ifdef LAZULI_BULK_COPIES
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
}

#ifdef LAZULI_BULK_COPIES
// `bytes` and both addresses are multiples of 16.
__device__ __forceinline__ void copy_bulk(void* shared, const void* from, int bytes,
                                          CopyBarrier& barrier) {
  uint32_t to = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
          "r"(to),
      "l"(from), "r"(bytes), "r"(barrier.address())
      : "memory");
}
#endif

// Has `bytes` (a multiple of 16) in the second cache soon; what is written there meanwhile is kept.
__device__ __forceinline__ void touch_bulk(const void* from, int bytes) {
#ifdef LAZULI_BULK_COPIES
  asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(from), "r"(bytes) : "memory");
#endif
}

// A value that is known from here on: the compiler does not compute it later.
template <class T>
__device__ __forceinline__ void keep_here(const T*& value) {
#ifndef LAZULI_EMULATED_GPU
  asm volatile("" : "+l"(value));
#endif
}

// Whether this lane is the one of its warp that does what one has to do.
__device__ __forceinline__ bool is_elected() {
#ifdef LAZULI_BULK_COPIES
  uint32_t elected;
  asm volatile(
      "{\n.reg .pred p;\n"
      "elect.sync _|p, 0xffffffff;\n"
      "selp.u32 %0, 1, 0, p;\n}"
      : "=r"(elected));
  return elected;
#else
  return lane_index() == 0;
#endif
}

// Rows of `bytes` (a multiple of 16) each, by a whole warp; the barrier has been told of them.
__device__ __forceinline__ void copy_rows(uint8_t* to, int to_stride, const uint8_t* from,
                                          int64_t from_stride, int rows, int bytes,
                                          CopyBarrier& barrier) {
#ifdef LAZULI_BULK_COPIES
  if (!is_elected()) return;
#pragma unroll 1
  for (int row = 0; row < rows; ++row, to += to_stride, from += from_stride) {
    copy_bulk(to, from, bytes, barrier);
  }
#else
  to += lane_index() * 16;
  from += lane_index() * 16;
#pragma unroll 1
  for (int i = lane_index() * 16; i < bytes; i += 512, to += 512, from += 512) {
#pragma unroll 8
    for (int row = 0; row < rows; ++row) {
      copy_async(to + row * to_stride, from + row * from_stride);
    }
  }
#endif
}

// The same for rows that begin at even addresses, by the pieces of 16 bytes that hold them; it tells
// the barrier. As many pieces are copied of each but the last as if it began at the end of one.
__device__ __forceinline__ void copy_ragged_rows(uint8_t* to, int to_stride, const uint8_t* from,
                                                 int64_t from_stride, int rows, int bytes,
                                                 CopyBarrier& barrier) {
  auto address = reinterpret_cast<uint64_t>(from);
  int whole = (bytes + 29) & ~15;
  int last = (static_cast<int>(address + (rows - 1) * from_stride & 15) + bytes + 15) & ~15;
#ifdef LAZULI_BULK_COPIES
  if (!is_elected()) return;
  barrier.expect((rows - 1) * whole + last);
#pragma unroll 4
  for (int row = 0; row < rows; ++row, to += to_stride, address += from_stride) {
    copy_bulk(to, reinterpret_cast<const void*>(address & ~uint64_t(15)),
              row + 1 < rows ? whole : last, barrier);
  }
#else
#pragma unroll 1
  for (int row = 0; row < rows; ++row, to += to_stride, from += from_stride) {
    copy_rows(to, 0, from - (reinterpret_cast<uint64_t>(from) & 15), 0, 1,
              row + 1 < rows ? whole : last, barrier);
  }
#endif
}

// A barrier of `threads` threads of a block, numbered from 1.
__device__ __forceinline__ void meet_some(int number, int threads) {
#ifdef LAZULI_EMULATED_GPU
  emulated::named_barrier(number, threads);
#else
  asm volatile("barrier.sync %0, %1;" ::"r"(number), "r"(threads) : "memory");
#endif
}
// Counts among those threads and goes on: what was written before is seen by those that meet.
__device__ __forceinline__ void arrive_among(int number, int threads) {
#ifdef LAZULI_EMULATED_GPU
  emulated::named_arrive(number, threads);
#else
  asm volatile("barrier.arrive %0, %1;" ::"r"(number), "r"(threads) : "memory");
#endif
}
