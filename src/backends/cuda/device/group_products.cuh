// Products of four warps, a warpgroup: 64 rows of weights in their registers by some tens of
// columns of x in shared memory, 16 of k at a time. Where the chip has them (sm_90a) they run in
// the background (PTX ISA, wgmma.mma_async); elsewhere each warp multiplies its 16 rows.
//
// x lies in units of 8 of k: [unit][column][8] halves. A warp's weights and sums, [tile of 8
// columns], are the a and c of tiles.cuh.
#pragma once

#include "tiles.cuh"

#ifdef __CUDA_ARCH_FEAT_SM90_ALL
#define LAZULI_GROUP_PRODUCTS 1
#endif

// x of a stage; units lie so many bytes apart, a multiple of 16.
template <int UnitBytes>
struct GroupColumns {
#ifdef LAZULI_GROUP_PRODUCTS
  // A descriptor's lower half, in sixteenths: where x begins, 14 bits; from bit 16 on the bytes
  // between units. The upper half has those between tiles of columns; nothing is swizzled.
  uint32_t low;
  __device__ __forceinline__ explicit GroupColumns(const uint8_t* x)
      : low((static_cast<uint32_t>(__cvta_generic_to_shared(x)) >> 4 & 0x3fff) | UnitBytes / 16
                                                                                     << 16) {}
  __device__ __forceinline__ uint64_t at(int unit) const {
    return uint64_t(8) << 32 | (low + unit * (UnitBytes / 16));
  }
#else
  // The lane's row of the matrices of two units and two tiles.
  const uint8_t* row;
  __device__ __forceinline__ explicit GroupColumns(const uint8_t* x)
      : row(x + lane_index() / 8 % 2 * UnitBytes + lane_index() / 16 * 128 +
            lane_index() % 8 * 16) {}
  __device__ __forceinline__ const uint8_t* at(int unit) const { return row + unit * UnitBytes; }
#endif
};

// Products with these weights follow, which are in their registers from here on.
__device__ __forceinline__ void begin_group_products(uint32_t (&a)[2][4]) {
#ifdef LAZULI_GROUP_PRODUCTS
#pragma unroll
  for (int i = 0; i < 8; ++i) asm volatile("" : "+r"(a[i / 4][i % 4])::"memory");
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}
// The same of shared memory that others have written, once it is known that they have.
__device__ __forceinline__ void show_to_group_products() {
#ifdef LAZULI_GROUP_PRODUCTS
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}
__device__ __forceinline__ void end_group_products() {
#ifdef LAZULI_GROUP_PRODUCTS
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}
// Until at most `Left` of the groups of products that have ended above are under way.
template <int Left>
__device__ __forceinline__ void wait_for_group_products() {
#ifdef LAZULI_GROUP_PRODUCTS
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Left) : "memory");
#endif
}

#ifdef LAZULI_GROUP_PRODUCTS
#define LAZULI_SUMS(n) "+f"(sum[n][0]), "+f"(sum[n][1]), "+f"(sum[n][2]), "+f"(sum[n][3])
#define LAZULI_FACTORS "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(x)
#define LAZULI_GROUP_PRODUCT(columns, type, operands, ...)                                         \
  asm volatile("{\n.reg .pred p;\nsetp.eq.u32 p, 0, 0;\nwgmma.mma_async.sync.aligned.m64n" columns \
               "k16.f32." type "." type " " operands ", p, 1, 1, 0;\n}"                            \
               : __VA_ARGS__)
#define LAZULI_OF_32                                                                               \
  "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15}, {%16, %17, %18, %19}, " \
  "%20"
#define LAZULI_OF_64                                                                            \
  "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, " \
  "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, {%32, %33, %34, %35}, %36"

template <class T>
__device__ __forceinline__ void multiply_group(float (&sum)[4][4], const uint32_t (&a)[4],
                                               uint64_t x) {
  if constexpr (is_same<T, half_t>::value) {
    LAZULI_GROUP_PRODUCT("32", "f16", LAZULI_OF_32, LAZULI_SUMS(0), LAZULI_SUMS(1), LAZULI_SUMS(2),
                         LAZULI_SUMS(3) : LAZULI_FACTORS);
  } else {
    LAZULI_GROUP_PRODUCT("32", "bf16", LAZULI_OF_32, LAZULI_SUMS(0), LAZULI_SUMS(1), LAZULI_SUMS(2),
                         LAZULI_SUMS(3) : LAZULI_FACTORS);
  }
}
template <class T>
__device__ __forceinline__ void multiply_group(float (&sum)[8][4], const uint32_t (&a)[4],
                                               uint64_t x) {
  if constexpr (is_same<T, half_t>::value) {
    LAZULI_GROUP_PRODUCT("64", "f16", LAZULI_OF_64, LAZULI_SUMS(0), LAZULI_SUMS(1), LAZULI_SUMS(2),
                         LAZULI_SUMS(3), LAZULI_SUMS(4), LAZULI_SUMS(5), LAZULI_SUMS(6),
                         LAZULI_SUMS(7) : LAZULI_FACTORS);
  } else {
    LAZULI_GROUP_PRODUCT("64", "bf16", LAZULI_OF_64, LAZULI_SUMS(0), LAZULI_SUMS(1), LAZULI_SUMS(2),
                         LAZULI_SUMS(3), LAZULI_SUMS(4), LAZULI_SUMS(5), LAZULI_SUMS(6),
                         LAZULI_SUMS(7) : LAZULI_FACTORS);
  }
}
#else
template <class T, int Tiles>
__device__ __forceinline__ void multiply_group(float (&sum)[Tiles][4], const uint32_t (&a)[4],
                                               const uint8_t* x) {
#pragma unroll
  for (int n = 0; n < Tiles; n += 2) {
    uint32_t b[4];
    load_matrices<false>(b, x + n * 128);
    multiply_tile<T>(sum[n], a[0], a[1], a[2], a[3], b[0], b[1]);
    multiply_tile<T>(sum[n + 1], a[0], a[1], a[2], a[3], b[2], b[3]);
  }
}
#endif

// All products are over; the sums may be used from here on.
template <int Tiles>
__device__ __forceinline__ void take_sums(float (&sum)[Tiles][4]) {
  wait_for_group_products<0>();
#ifdef LAZULI_GROUP_PRODUCTS
#pragma unroll
  for (int n = 0; n < Tiles; ++n) asm volatile("" : LAZULI_SUMS(n)::"memory");
#endif
}
