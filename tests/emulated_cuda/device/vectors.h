// CUDA's built-in vector types and their makers.
#pragma once

typedef emulated::Index3 uint3;
typedef emulated::Index3 dim3;

#define EMULATED_VECTOR_1_2_4(type, base)                                                  \
  struct base##1 { type x; };                                                              \
  struct __align__(2 * sizeof(type)) base##2 { type x, y; };                               \
  struct __align__(sizeof(type) < 4 ? 4 * sizeof(type) : 16) base##4 { type x, y, z, w; }; \
  inline base##1 make_##base##1(type x) { return {x}; }                                    \
  inline base##2 make_##base##2(type x, type y) { return {x, y}; }                         \
  inline base##4 make_##base##4(type x, type y, type z, type w) { return {x, y, z, w}; }
#define EMULATED_VECTOR_3(type, base) \
  struct base##3 { type x, y, z; };   \
  inline base##3 make_##base##3(type x, type y, type z) { return {x, y, z}; }

EMULATED_VECTOR_1_2_4(signed char, char)
EMULATED_VECTOR_1_2_4(unsigned char, uchar)
EMULATED_VECTOR_1_2_4(short, short)
EMULATED_VECTOR_1_2_4(unsigned short, ushort)
EMULATED_VECTOR_1_2_4(int, int)
EMULATED_VECTOR_1_2_4(unsigned, uint)
EMULATED_VECTOR_1_2_4(long long, longlong)
EMULATED_VECTOR_1_2_4(unsigned long long, ulonglong)
EMULATED_VECTOR_1_2_4(float, float)
EMULATED_VECTOR_1_2_4(double, double)
EMULATED_VECTOR_3(signed char, char)
EMULATED_VECTOR_3(unsigned char, uchar)
EMULATED_VECTOR_3(short, short)
EMULATED_VECTOR_3(unsigned short, ushort)
EMULATED_VECTOR_3(int, int)
EMULATED_VECTOR_3(float, float)
EMULATED_VECTOR_3(double, double)
#undef EMULATED_VECTOR_1_2_4
#undef EMULATED_VECTOR_3

inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
