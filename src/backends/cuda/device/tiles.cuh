// What a warp does together: products of small matrices on tensor cores, matrices from shared
// memory in the layout that these products want, copies into shared memory that run in the
// background.
//
// A product of m16n8k16 takes a [16, 16] and b [16, 8] and adds to c [16, 8]. With g = lane / 4 and
// t = lane % 4 a lane holds, two halves a register:
//   a  (g, 2t..), (g + 8, 2t..), (g, 2t + 8..), (g + 8, 2t + 8..)
//   b  (2t.., g), (2t + 8.., g)
//   c  (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1)
// The order of the 16 terms of a sum does not matter as long as a and b agree on it.
#pragma once

#include "types.cuh"

// ---- Pairs of halves in one register, the first in the low bits ----
template <class T>
__device__ __forceinline__ uint32_t pack_pair(float first, float second) {
#ifdef LAZULI_EMULATED_GPU
  return T(first).bits | static_cast<uint32_t>(T(second).bits) << 16;
#else
  uint32_t pair;
  if constexpr (is_same<T, half_t>::value) {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
  } else {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
  }
  return pair;
#endif
}
template <class T>
__device__ __forceinline__ float first_of_pair(uint32_t pair) {
  T value;
  value.bits = static_cast<uint16_t>(pair);
  return value;
}
template <class T>
__device__ __forceinline__ float second_of_pair(uint32_t pair) {
  if constexpr (is_same<T, bfloat_t>::value) return float_of_bits(pair & 0xffff0000u);
  T value;
  value.bits = static_cast<uint16_t>(pair >> 16);
  return value;
}

// a * b + c for both halves, rounded once.
template <class T>
__device__ __forceinline__ uint32_t fma_pair(uint32_t a, uint32_t b, uint32_t c) {
#ifdef LAZULI_EMULATED_GPU
  return pack_pair<T>(first_of_pair<T>(a) * first_of_pair<T>(b) + first_of_pair<T>(c),
                      second_of_pair<T>(a) * second_of_pair<T>(b) + second_of_pair<T>(c));
#else
  uint32_t result;
  if constexpr (is_same<T, half_t>::value) {
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(c));
  } else {
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(c));
  }
  return result;
#endif
}

// ---- Products on tensor cores ----
template <class T>
__device__ __forceinline__ void multiply_tile(float (&c)[4], uint32_t a0, uint32_t a1, uint32_t a2,
                                              uint32_t a3, uint32_t b0, uint32_t b1) {
#ifdef LAZULI_EMULATED_GPU
  int quad = lane_index() & ~3, t = lane_index() & 3;
  auto dot = [](uint32_t x, uint32_t y) {
    return first_of_pair<T>(x) * first_of_pair<T>(y) + second_of_pair<T>(x) * second_of_pair<T>(y);
  };
  for (int s = 0; s < 4; ++s) {
    uint32_t x0 = __shfl_sync(all_lanes, a0, quad + s), x1 = __shfl_sync(all_lanes, a1, quad + s);
    uint32_t x2 = __shfl_sync(all_lanes, a2, quad + s), x3 = __shfl_sync(all_lanes, a3, quad + s);
    for (int j = 0; j < 2; ++j) {
      uint32_t y0 = __shfl_sync(all_lanes, b0, (2 * t + j) * 4 + s);
      uint32_t y1 = __shfl_sync(all_lanes, b1, (2 * t + j) * 4 + s);
      c[j] += dot(x0, y0) + dot(x2, y1);
      c[2 + j] += dot(x1, y0) + dot(x3, y1);
    }
  }
#else
  if constexpr (is_same<T, half_t>::value) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
  } else {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
  }
#endif
}

// The same of bytes: m16n8k32, a of bytes of either kind, b of signed ones, four a register, sums of
// integers. With g and t as above: a (g, 4t..), (g + 8, 4t..), (g, 4t + 16..), (g + 8, 4t + 16..);
// b (4t.., g), (4t + 16.., g).
template <bool Signed>
__device__ __forceinline__ void multiply_bytes(int (&c)[4], uint32_t a0, uint32_t a1, uint32_t a2,
                                               uint32_t a3, uint32_t b0, uint32_t b1) {
#ifdef LAZULI_EMULATED_GPU
  int quad = lane_index() & ~3, t = lane_index() & 3;
  auto dot = [](uint32_t x, uint32_t y) {
    int sum = 0;
    for (int i = 0; i < 32; i += 8) {
      int level = Signed ? static_cast<int8_t>(x >> i & 255) : static_cast<int>(x >> i & 255);
      sum += level * static_cast<int8_t>(y >> i & 255);
    }
    return sum;
  };
  for (int s = 0; s < 4; ++s) {
    uint32_t x0 = __shfl_sync(all_lanes, a0, quad + s), x1 = __shfl_sync(all_lanes, a1, quad + s);
    uint32_t x2 = __shfl_sync(all_lanes, a2, quad + s), x3 = __shfl_sync(all_lanes, a3, quad + s);
    for (int j = 0; j < 2; ++j) {
      uint32_t y0 = __shfl_sync(all_lanes, b0, (2 * t + j) * 4 + s);
      uint32_t y1 = __shfl_sync(all_lanes, b1, (2 * t + j) * 4 + s);
      c[j] += dot(x0, y0) + dot(x2, y1);
      c[2 + j] += dot(x1, y0) + dot(x3, y1);
    }
  }
#else
  if constexpr (Signed) {
    asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
  } else {
    asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
  }
#endif
}
// Half as many terms, all signed: m16n8k16, a (g, 4t..), (g + 8, 4t..); b (4t.., g).
__device__ __forceinline__ void multiply_few_bytes(int (&c)[4], uint32_t a0, uint32_t a1,
                                                   uint32_t b) {
#ifdef LAZULI_EMULATED_GPU
  multiply_bytes<true>(c, a0, a1, 0, 0, b, 0);
#else
  asm("mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5}, {%6}, "
      "{%0, %1, %2, %3};"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a0), "r"(a1), "r"(b));
#endif
}

// Four 8x8 matrices of halves from shared memory: lane i gives the address of row i % 8 of matrix
// i / 8. Register j gets matrix j: its row g, columns 2t and 2t + 1; transposed, its column g.
template <bool Transposed>
__device__ __forceinline__ void load_matrices(uint32_t (&to)[4], const void* row) {
#ifdef LAZULI_EMULATED_GPU
  int g = lane_index() / 4, t = lane_index() % 4;
  for (int j = 0; j < 4; ++j) {
    uint16_t parts[2];
    for (int i = 0; i < 2; ++i) {
      int from = Transposed ? 2 * t + i : g, column = Transposed ? g : 2 * t + i;
      uint64_t address = __shfl_sync(all_lanes, reinterpret_cast<uint64_t>(row), j * 8 + from);
      parts[i] = reinterpret_cast<const uint16_t*>(address)[column];
    }
    to[j] = parts[0] | static_cast<uint32_t>(parts[1]) << 16;
  }
#else
  uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  if constexpr (Transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address)
                 : "memory");
  }
#endif
}

// ---- Memory ----
// 16 bytes that are read once: they do not displace what is kept in the first cache. Not by `.nc`:
// such lines stay there when a kernel waits for earlier ones (overlap.cuh), and are out of date.
__device__ __forceinline__ uint4 load_once(const void* from) {
#ifdef LAZULI_EMULATED_GPU
  return *static_cast<const uint4*>(from);
#else
  uint4 to;
  asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(to.x), "=r"(to.y), "=r"(to.z), "=r"(to.w)
               : "l"(from));
  return to;
#endif
}

// Everything above has been asked of memory before anything below waits for it. Left alone, the
// compiler saves registers by asking piece by piece, and a warp has too little under way.
__device__ __forceinline__ void all_asked() { __syncwarp(); }

// Copies 16 bytes into shared memory in the background; only the first `bytes` are read, the rest
// become zero. Both addresses are 16-byte aligned.
__device__ __forceinline__ void copy_async(void* shared, const void* from, int bytes = 16) {
#ifdef LAZULI_EMULATED_GPU
  for (int i = 0; i < 16; ++i) {
    static_cast<char*>(shared)[i] = i < bytes ? static_cast<const char*>(from)[i] : 0;
  }
#else
  uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(bytes)
               : "memory");
#endif
}
// Ends a group of copies of this thread.
__device__ __forceinline__ void commit_copies() {
#ifndef LAZULI_EMULATED_GPU
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
// Waits until at most `Left` of the thread's groups are under way. Other threads see the bytes only
// after a barrier.
template <int Left>
__device__ __forceinline__ void wait_for_copies() {
#ifndef LAZULI_EMULATED_GPU
  asm volatile("cp.async.wait_group %0;" ::"n"(Left) : "memory");
#endif
}
