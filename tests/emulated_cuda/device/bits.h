// Integer intrinsics, conversions with a stated rounding, and values as bits.
#pragma once

inline float __uint_as_float(unsigned bits) { return __builtin_bit_cast(float, bits); }
inline float __int_as_float(int bits) { return __builtin_bit_cast(float, bits); }
inline unsigned __float_as_uint(float value) { return __builtin_bit_cast(unsigned, value); }
inline int __float_as_int(float value) { return __builtin_bit_cast(int, value); }
inline double __longlong_as_double(long long bits) { return __builtin_bit_cast(double, bits); }
inline long long __double_as_longlong(double value) { return __builtin_bit_cast(long long, value); }
inline int __double2hiint(double value) {
  return static_cast<int>(__double_as_longlong(value) >> 32);
}
inline int __double2loint(double value) { return static_cast<int>(__double_as_longlong(value)); }
inline double __hiloint2double(int high, int low) {
  return __longlong_as_double(static_cast<long long>(high) << 32 | static_cast<unsigned>(low));
}

inline int __popc(unsigned a) { return __builtin_popcount(a); }
inline int __popcll(unsigned long long a) { return __builtin_popcountll(a); }
inline int __clz(int a) { return a ? __builtin_clz(static_cast<unsigned>(a)) : 32; }
inline int __clzll(long long a) {
  return a ? __builtin_clzll(static_cast<unsigned long long>(a)) : 64;
}
inline int __ffs(int a) { return __builtin_ffs(a); }
inline int __ffsll(long long a) { return __builtin_ffsll(a); }
inline unsigned long long __brevll(unsigned long long a) {
  unsigned long long reversed = 0;
  for (int k = 0; k < 64; ++k) reversed |= (a >> k & 1) << (63 - k);
  return reversed;
}
inline unsigned __brev(unsigned a) { return static_cast<unsigned>(__brevll(a) >> 32); }

// Four bytes chosen from the eight of high:low; bit 3 of a choice repeats the byte's sign.
inline unsigned __byte_perm(unsigned low, unsigned high, unsigned choice) {
  unsigned long long bytes = static_cast<unsigned long long>(high) << 32 | low;
  unsigned result = 0;
  for (int k = 0; k < 4; ++k) {
    unsigned which = choice >> (4 * k) & 0xf;
    unsigned byte = static_cast<unsigned>(bytes >> (8 * (which & 7))) & 0xff;
    if (which & 8) byte = byte & 0x80 ? 0xff : 0;
    result |= byte << (8 * k);
  }
  return result;
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned by) {
  unsigned long long both = static_cast<unsigned long long>(high) << 32 | low;
  return static_cast<unsigned>((both << (by & 31)) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned by) {
  unsigned long long both = static_cast<unsigned long long>(high) << 32 | low;
  return static_cast<unsigned>(both >> (by & 31));
}

inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(static_cast<unsigned long long>(a) * b >> 32);
}
inline int __mulhi(int a, int b) { return static_cast<int>(static_cast<long long>(a) * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>(static_cast<unsigned __int128>(a) * b >> 64);
}
inline long long __mul64hi(long long a, long long b) {
  return static_cast<long long>(static_cast<__int128>(a) * b >> 64);
}
inline unsigned __usad(unsigned a, unsigned b, unsigned c) { return (a > b ? a - b : b - a) + c; }
inline unsigned __sad(int a, int b, unsigned c) {
  return (a > b ? static_cast<unsigned>(a) - b : static_cast<unsigned>(b) - a) + c;
}

namespace emulated {
template <class Byte, class A, class Sum>
Sum dot_of_bytes(A a, A b, Sum sum) {
  for (int k = 0; k < 4; ++k) {
    sum += static_cast<Byte>(a >> (8 * k)) * static_cast<Byte>(b >> (8 * k));
  }
  return sum;
}
template <class Byte, class Act>
unsigned each_byte(unsigned a, unsigned b, Act act) {
  unsigned result = 0;
  for (int k = 0; k < 32; k += 8) {
    result |=
        (static_cast<unsigned>(act(static_cast<Byte>(a >> k), static_cast<Byte>(b >> k))) & 0xff)
        << k;
  }
  return result;
}
}  // namespace emulated

inline int __dp4a(int a, int b, int c) { return emulated::dot_of_bytes<signed char>(a, b, c); }
inline unsigned __dp4a(unsigned a, unsigned b, unsigned c) {
  return emulated::dot_of_bytes<unsigned char>(a, b, c);
}
inline unsigned __vadd4(unsigned a, unsigned b) {
  return emulated::each_byte<signed char>(a, b, [](int x, int y) { return x + y; });
}
inline unsigned __vsub4(unsigned a, unsigned b) {
  return emulated::each_byte<signed char>(a, b, [](int x, int y) { return x - y; });
}

namespace emulated {
// As the GPU converts: NaN gives 0 for 32 bits, and what is out of range the nearest end.
template <class To>
To saturated(double value, To least, To greatest) {
  if (value != value) return sizeof(To) == 8 ? static_cast<To>(1ull << 63) : To(0);
  if (value <= static_cast<double>(least)) return least;
  if (value >= static_cast<double>(greatest)) return greatest;
  return static_cast<To>(value);
}
inline int to_int(double value) { return saturated(value, -2147483647 - 1, 2147483647); }
inline unsigned to_unsigned(double value) { return saturated(value, 0u, 4294967295u); }
inline long long to_long(double value) {
  return saturated(value, -9223372036854775807LL - 1, 9223372036854775807LL);
}
inline unsigned long long to_unsigned_long(double value) {
  return saturated(value, 0ull, 18446744073709551615ull);
}
}  // namespace emulated

#define EMULATED_CONVERSIONS(from, prefix)                                                       \
  inline int prefix##2int_rn(from a) { return emulated::to_int(__builtin_rint(a)); }             \
  inline int prefix##2int_rz(from a) { return emulated::to_int(__builtin_trunc(a)); }            \
  inline int prefix##2int_rd(from a) { return emulated::to_int(__builtin_floor(a)); }            \
  inline int prefix##2int_ru(from a) { return emulated::to_int(__builtin_ceil(a)); }             \
  inline unsigned prefix##2uint_rn(from a) { return emulated::to_unsigned(__builtin_rint(a)); }  \
  inline unsigned prefix##2uint_rz(from a) { return emulated::to_unsigned(__builtin_trunc(a)); } \
  inline long long prefix##2ll_rn(from a) { return emulated::to_long(__builtin_rint(a)); }       \
  inline long long prefix##2ll_rz(from a) { return emulated::to_long(__builtin_trunc(a)); }      \
  inline unsigned long long prefix##2ull_rn(from a) {                                            \
    return emulated::to_unsigned_long(__builtin_rint(a));                                        \
  }                                                                                              \
  inline unsigned long long prefix##2ull_rz(from a) {                                            \
    return emulated::to_unsigned_long(__builtin_trunc(a));                                       \
  }
EMULATED_CONVERSIONS(float, __float)
EMULATED_CONVERSIONS(double, __double)
#undef EMULATED_CONVERSIONS
inline float __int2float_rn(int a) { return static_cast<float>(a); }
inline float __uint2float_rn(unsigned a) { return static_cast<float>(a); }
inline float __ll2float_rn(long long a) { return static_cast<float>(a); }
inline float __ull2float_rn(unsigned long long a) { return static_cast<float>(a); }
inline double __int2double_rn(int a) { return a; }
inline double __uint2double_rn(unsigned a) { return a; }
inline double __ll2double_rn(long long a) { return static_cast<double>(a); }
inline double __ull2double_rn(unsigned long long a) { return static_cast<double>(a); }
inline float __double2float_rn(double a) { return static_cast<float>(a); }
