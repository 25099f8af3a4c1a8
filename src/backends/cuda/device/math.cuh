// The functions that the rows of the op tables name, for every element type: the meaning is that of
// backends/cpu/fused/scalar_math.h.
#pragma once

#include "types.cuh"

// ---- Complex arithmetic ----
__device__ __forceinline__ complex_t operator+(complex_t a, complex_t b) {
  return complex_t(a.re + b.re, a.im + b.im);
}
__device__ __forceinline__ complex_t operator-(complex_t a, complex_t b) {
  return complex_t(a.re - b.re, a.im - b.im);
}
__device__ __forceinline__ complex_t operator-(complex_t a) { return complex_t(-a.re, -a.im); }
__device__ __forceinline__ complex_t operator*(complex_t a, complex_t b) {
  return complex_t(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re);
}
// Scaled, so that neither square overflows.
__device__ inline complex_t operator/(complex_t a, complex_t b) {
  float scale = fmaxf(fabsf(b.re), fabsf(b.im));
  if (scale == 0 || isinf(scale)) {
    float d = b.re * b.re + b.im * b.im;
    return complex_t((a.re * b.re + a.im * b.im) / d, (a.im * b.re - a.re * b.im) / d);
  }
  float x = b.re / scale, y = b.im / scale, d = (x * x + y * y) * scale;
  return complex_t((a.re * x + a.im * y) / d, (a.im * x - a.re * y) / d);
}
__device__ __forceinline__ bool operator==(complex_t a, complex_t b) {
  return a.re == b.re && a.im == b.im;
}
__device__ __forceinline__ bool operator!=(complex_t a, complex_t b) { return !(a == b); }
__device__ __forceinline__ bool operator<(complex_t a, complex_t b) {
  return a.re < b.re || (a.re == b.re && a.im < b.im);
}
__device__ __forceinline__ bool operator>(complex_t a, complex_t b) { return b < a; }
__device__ __forceinline__ bool operator<=(complex_t a, complex_t b) { return a < b || a == b; }
__device__ __forceinline__ bool operator>=(complex_t a, complex_t b) { return b < a || a == b; }

namespace op {

#define LAZULI_DEVICE __device__ __forceinline__
template <class T>
LAZULI_DEVICE T not_a_number() {
  return static_cast<T>(__int_as_float(0x7fc00000));
}

// ---- Tests ----
template <class T>
LAZULI_DEVICE bool isnan(T a) {
  if constexpr (is_complex<T>) return a.re != a.re || a.im != a.im;
  else if constexpr (is_floating<T>) return a != a;
  else return false;
}
template <class T>
LAZULI_DEVICE bool isinf(T a) {
  if constexpr (is_complex<T>) return ::isinf(a.re) || ::isinf(a.im);
  else if constexpr (is_floating<T>) return ::isinf(a);
  else return false;
}
template <class T>
LAZULI_DEVICE bool isfinite(T a) {
  return !op::isnan(a) && !op::isinf(a);
}
template <class T>
LAZULI_DEVICE bool isposinf(T a) {
  if constexpr (is_integer<T> || is_boolean<T>) return false;
  else return a == T(__int_as_float(0x7f800000));
}
template <class T>
LAZULI_DEVICE bool isneginf(T a) {
  if constexpr (is_integer<T> || is_boolean<T>) return false;
  else return a == T(-__int_as_float(0x7f800000));
}
template <class T>
LAZULI_DEVICE bool nonzero(T a) {
  return a != T(0);
}
template <class T>
LAZULI_DEVICE bool logical_not(T a) {
  return !nonzero(a);
}
template <class T>
LAZULI_DEVICE bool logical_and(T a, T b) {
  return nonzero(a) && nonzero(b);
}
template <class T>
LAZULI_DEVICE bool logical_or(T a, T b) {
  return nonzero(a) || nonzero(b);
}
template <class T>
LAZULI_DEVICE bool logical_xor(T a, T b) {
  return nonzero(a) != nonzero(b);
}

// ---- Signs and parts ----
template <class T>
LAZULI_DEVICE auto abs(T a) {
  if constexpr (is_complex<T>) return hypotf(a.re, a.im);
  else if constexpr (is_floating<T>) return T(fabs(a));
  else if constexpr (is_signed_integer<T>) return a < 0 ? T(-a) : a;
  else return a;
}
template <class T>
LAZULI_DEVICE T sign(T a) {
  if constexpr (is_complex<T>) {
    float m = hypotf(a.re, a.im);
    return m == 0 ? a : complex_t(a.re / m, a.im / m);
  } else {
    if (op::isnan(a)) return a;
    return static_cast<T>((a > T(0)) - (a < T(0)));
  }
}
template <class T>
LAZULI_DEVICE T conj(T a) {
  if constexpr (is_complex<T>) return complex_t(a.re, -a.im);
  else return a;
}
template <class T>
LAZULI_DEVICE auto real(T a) {
  if constexpr (is_complex<T>) return a.re;
  else return a;
}
template <class T>
LAZULI_DEVICE auto imag(T a) {
  if constexpr (is_complex<T>) return a.im;
  else return T(0);
}

// ---- Rounding ----
#define LAZULI_ROUNDING(name)                                                       \
  template <class T>                                                                \
  LAZULI_DEVICE T name(T a) {                                                       \
    if constexpr (is_complex<T>) return complex_t(::name(a.re), ::name(a.im));      \
    else if constexpr (is_floating<T>) return ::name(a);                            \
    else return a;                                                                  \
  }
LAZULI_ROUNDING(ceil)
LAZULI_ROUNDING(floor)
LAZULI_ROUNDING(trunc)
LAZULI_ROUNDING(rint)
#undef LAZULI_ROUNDING

// ---- Elementary functions; complex ones from their definitions ----
#define LAZULI_LIBRARY(name) \
  LAZULI_DEVICE float name(float a) { return ::name##f(a); } \
  LAZULI_DEVICE double name(double a) { return ::name(a); }
LAZULI_LIBRARY(acos)
LAZULI_LIBRARY(acosh)
LAZULI_LIBRARY(asin)
LAZULI_LIBRARY(asinh)
LAZULI_LIBRARY(atan)
LAZULI_LIBRARY(atanh)
LAZULI_LIBRARY(cos)
LAZULI_LIBRARY(cosh)
LAZULI_LIBRARY(erf)
LAZULI_LIBRARY(erfinv)
LAZULI_LIBRARY(exp)
LAZULI_LIBRARY(expm1)
LAZULI_LIBRARY(log)
LAZULI_LIBRARY(log10)
LAZULI_LIBRARY(log1p)
LAZULI_LIBRARY(log2)
LAZULI_LIBRARY(rsqrt)
LAZULI_LIBRARY(sin)
LAZULI_LIBRARY(sinh)
LAZULI_LIBRARY(sqrt)
LAZULI_LIBRARY(tan)
LAZULI_LIBRARY(tanh)
#undef LAZULI_LIBRARY

// Numbers of two doubles: complex functions compute in them, since cancellation eats floats.
struct wide_complex {
  double re, im;
};
LAZULI_DEVICE wide_complex widened(complex_t a) { return {a.re, a.im}; }
LAZULI_DEVICE complex_t narrowed(wide_complex a) {
  return complex_t(static_cast<float>(a.re), static_cast<float>(a.im));
}
LAZULI_DEVICE wide_complex wide_multiply(wide_complex a, wide_complex b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
LAZULI_DEVICE wide_complex wide_divide(wide_complex a, wide_complex b) {
  double d = b.re * b.re + b.im * b.im;
  return {(a.re * b.re + a.im * b.im) / d, (a.im * b.re - a.re * b.im) / d};
}
__device__ inline wide_complex wide_exp(wide_complex a) {
  double m = ::exp(a.re);
  if (a.im == 0) return {m, a.im};
  if (m == 0) return {0, 0};
  double s, c;
  ::sincos(a.im, &s, &c);
  return {m * c, m * s};
}
__device__ inline wide_complex wide_log(wide_complex a) {
  return {::log(::hypot(a.re, a.im)), ::atan2(a.im, a.re)};
}
__device__ inline wide_complex wide_sqrt(wide_complex a) {
  double m = ::hypot(a.re, a.im);
  if (m == 0) return {0, a.im};
  double u = ::sqrt((m + ::fabs(a.re)) / 2), v = a.im / (2 * u);
  if (a.re >= 0) return {u, v};
  return {::fabs(v), ::copysign(u, a.im)};
}
LAZULI_DEVICE complex_t exp(complex_t a) { return narrowed(wide_exp(widened(a))); }
LAZULI_DEVICE complex_t log(complex_t a) { return narrowed(wide_log(widened(a))); }
LAZULI_DEVICE complex_t sqrt(complex_t a) { return narrowed(wide_sqrt(widened(a))); }
LAZULI_DEVICE complex_t rsqrt(complex_t a) {
  return narrowed(wide_divide({1, 0}, wide_sqrt(widened(a))));
}
LAZULI_DEVICE complex_t log2(complex_t a) {
  wide_complex l = wide_log(widened(a));
  return narrowed({l.re * 1.4426950408889634, l.im * 1.4426950408889634});
}
LAZULI_DEVICE complex_t log10(complex_t a) {
  wide_complex l = wide_log(widened(a));
  return narrowed({l.re * 0.4342944819032518, l.im * 0.4342944819032518});
}
__device__ inline complex_t log1p(complex_t a) {
  return narrowed(wide_log({1.0 + a.re, double(a.im)}));
}
__device__ inline complex_t expm1(complex_t a) {
  wide_complex e = wide_exp(widened(a));
  return narrowed({e.re - 1, e.im});
}
__device__ inline wide_complex wide_sinh(wide_complex a) {
  return {::sinh(a.re) * ::cos(a.im), ::cosh(a.re) * ::sin(a.im)};
}
__device__ inline wide_complex wide_cosh(wide_complex a) {
  return {::cosh(a.re) * ::cos(a.im), ::sinh(a.re) * ::sin(a.im)};
}
__device__ inline wide_complex wide_tanh(wide_complex a) {
  if (::fabs(a.re) > 20) return {::copysign(1.0, a.re), ::copysign(0.0, ::sin(2 * a.im))};
  return wide_divide(wide_sinh(a), wide_cosh(a));
}
// asinh(z) = log(z + sqrt(z^2 + 1)), with the sign moved out so that nothing cancels.
__device__ inline wide_complex wide_asinh(wide_complex a) {
  bool minus = ::signbit(a.re);
  wide_complex z = minus ? wide_complex{-a.re, -a.im} : a;
  wide_complex s = wide_multiply(z, z);
  s = wide_sqrt({s.re + 1, s.im});
  wide_complex r = wide_log({z.re + s.re, z.im + s.im});
  return minus ? wide_complex{-r.re, -r.im} : r;
}
__device__ inline wide_complex wide_atanh(wide_complex a) {
  wide_complex u = wide_log({1 + a.re, a.im}), v = wide_log({1 - a.re, -a.im});
  return {(u.re - v.re) / 2, (u.im - v.im) / 2};
}
__device__ inline wide_complex wide_acosh(wide_complex a) {
  wide_complex p = wide_sqrt({a.re + 1, a.im}), m = wide_sqrt({a.re - 1, a.im});
  wide_complex s = wide_multiply(p, m);
  return wide_log({a.re + s.re, a.im + s.im});
}
__device__ inline wide_complex wide_asin(wide_complex a) {
  wide_complex r = wide_asinh({-a.im, a.re});  // asin(z) = -i asinh(i z)
  return {r.im, -r.re};
}
LAZULI_DEVICE complex_t sinh(complex_t a) { return narrowed(wide_sinh(widened(a))); }
LAZULI_DEVICE complex_t cosh(complex_t a) { return narrowed(wide_cosh(widened(a))); }
LAZULI_DEVICE complex_t tanh(complex_t a) { return narrowed(wide_tanh(widened(a))); }
LAZULI_DEVICE complex_t sin(complex_t a) {
  wide_complex r = wide_sinh({-double(a.im), double(a.re)});
  return narrowed({r.im, -r.re});
}
LAZULI_DEVICE complex_t cos(complex_t a) {
  return narrowed(wide_cosh({-double(a.im), double(a.re)}));
}
LAZULI_DEVICE complex_t tan(complex_t a) {
  wide_complex r = wide_tanh({-double(a.im), double(a.re)});
  return narrowed({r.im, -r.re});
}
LAZULI_DEVICE complex_t asinh(complex_t a) { return narrowed(wide_asinh(widened(a))); }
LAZULI_DEVICE complex_t acosh(complex_t a) { return narrowed(wide_acosh(widened(a))); }
LAZULI_DEVICE complex_t atanh(complex_t a) { return narrowed(wide_atanh(widened(a))); }
LAZULI_DEVICE complex_t asin(complex_t a) { return narrowed(wide_asin(widened(a))); }
LAZULI_DEVICE complex_t acos(complex_t a) {
  wide_complex r = wide_asin(widened(a));
  return narrowed({1.5707963267948966 - r.re, -r.im});
}
LAZULI_DEVICE complex_t atan(complex_t a) {
  wide_complex r = wide_atanh({-double(a.im), double(a.re)});
  return narrowed({r.im, -r.re});
}
template <class T>
LAZULI_DEVICE T sigmoid(T a) {
  if constexpr (is_complex<T>) {
    wide_complex e = wide_exp({-double(a.re), -double(a.im)});
    return narrowed(wide_divide({1, 0}, {1 + e.re, e.im}));
  } else {
    return T(1) / (T(1) + op::exp(-a));
  }
}

LAZULI_DEVICE float atan2(float a, float b) { return ::atan2f(a, b); }
LAZULI_DEVICE double atan2(double a, double b) { return ::atan2(a, b); }

template <class T>
LAZULI_DEVICE T logaddexp(T a, T b) {
  if constexpr (is_complex<T>) {
    double shift = ::fmax(double(a.re), double(b.re));
    wide_complex x = wide_exp({a.re - shift, double(a.im)});
    wide_complex y = wide_exp({b.re - shift, double(b.im)});
    wide_complex l = wide_log({x.re + y.re, x.im + y.im});
    return narrowed({l.re + shift, l.im});
  } else {
    if (op::isnan(a) || op::isnan(b)) return a + b;
    T high = a > b ? a : b, low = a > b ? b : a;
    if (high == low) return high + T(0.6931471805599453094);
    if (op::isinf(high)) return high;
    return high + op::log1p(op::exp(low - high));
  }
}

// ---- Extremes, powers, integer division ----
#ifndef LAZULI_EMULATED_GPU
// One instruction each, which keeps NaN.
LAZULI_DEVICE float extreme_of(float a, float b, bool largest) {
  float result;
  if (largest) asm("max.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  else asm("min.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
}
#endif
template <class T>
LAZULI_DEVICE T maximum(T a, T b) {
#ifndef LAZULI_EMULATED_GPU
  if constexpr (is_same<T, float>::value) return extreme_of(a, b, true);
#endif
  if (op::isnan(a)) return a;
  if (op::isnan(b)) return b;
  return a < b ? b : a;
}
template <class T>
LAZULI_DEVICE T minimum(T a, T b) {
#ifndef LAZULI_EMULATED_GPU
  if constexpr (is_same<T, float>::value) return extreme_of(a, b, false);
#endif
  if (op::isnan(a)) return a;
  if (op::isnan(b)) return b;
  return b < a ? b : a;
}
template <class T>
__device__ inline T power(T a, T b) {
  if constexpr (is_boolean<T>) {
    return a || !b;
  } else if constexpr (is_integer<T>) {
    if constexpr (is_signed_integer<T>) {
      if (b < 0) return static_cast<T>(a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0);
    }
    uint64_t result = 1, base = static_cast<uint64_t>(a);
    for (uint64_t e = static_cast<uint64_t>(b); e; e >>= 1) {
      if (e & 1) result *= base;
      base *= base;
    }
    return static_cast<T>(result);
  } else if constexpr (is_complex<T>) {
    if (b == T(0)) return T(1);
    if (a == T(0)) return b.re > 0 ? T(0) : complex_t(not_a_number<float>(), not_a_number<float>());
    return narrowed(wide_exp(wide_multiply(widened(b), wide_log(widened(a)))));
  } else {
    return ::pow(a, b);
  }
}

// Division by zero gives 0 for integers, as it must give something. Rounds towards minus infinity:
// where the quotient was rounded up to a whole number, the rest has the wrong sign.
template <class T>
LAZULI_DEVICE T floor_divide(T a, T b) {
  if constexpr (is_floating<T>) {
    constexpr T whole = sizeof(T) == 8 ? T(0x1p53) : T(0x1p24);
    T q = ::floor(a / b), rest = q == 0 ? a : ::fma(-q, b, a);
    if (op::isinf(a) && b != 0) return not_a_number<T>();
    bool opposite = (rest < 0 && b > 0) || (rest > 0 && b < 0);
    return opposite && ::fabs(q) < whole ? q - 1 : q;
  } else if constexpr (is_boolean<T>) {
    return a && b;
  } else {
    if (b == 0) return T(0);
    if constexpr (is_signed_integer<T>) {
      if (b == -1) return static_cast<T>(0 - static_cast<uint64_t>(a));
      T q = static_cast<T>(a / b);
      return static_cast<T>(q - ((a % b != 0) && ((a < 0) != (b < 0))));
    }
    return static_cast<T>(a / b);
  }
}
// The sign of the divisor, as in Python; of integers what a quotient of 0 leaves if it is zero.
template <class T>
LAZULI_DEVICE T remainder(T a, T b) {
  if constexpr (is_floating<T>) {
    T r = ::fmod(a, b);
    if (r == 0) return ::copysign(r, b);
    return (r < 0) != (b < 0) ? r + b : r;
  } else if constexpr (is_boolean<T>) {
    return a && !b;
  } else {
    if (b == 0) return a;
    if constexpr (is_signed_integer<T>) {
      if (b == -1) return T(0);
      T r = static_cast<T>(a % b);
      return static_cast<T>(r != 0 && (r < 0) != (b < 0) ? r + b : r);
    }
    return static_cast<T>(a % b);
  }
}

// ---- Bits ----
template <class T>
LAZULI_DEVICE T invert(T a) {
  if constexpr (is_boolean<T>) return !a;
  else return static_cast<T>(~a);
}
template <class T>
LAZULI_DEVICE T bit_and(T a, T b) {
  return static_cast<T>(a & b);
}
template <class T>
LAZULI_DEVICE T bit_or(T a, T b) {
  return static_cast<T>(a | b);
}
template <class T>
LAZULI_DEVICE T bit_xor(T a, T b) {
  return static_cast<T>(a ^ b);
}
// By the lowest 5 bits of the count, by 6 for 64 bits, as on the CPU.
template <class T>
LAZULI_DEVICE int shift_count(T by) {
  return static_cast<int>(static_cast<uint64_t>(by) % (sizeof(T) < 8 ? 32 : 64));
}
template <class T>
LAZULI_DEVICE T shift_left(T a, T b) {
  return static_cast<T>(static_cast<uint64_t>(a) << shift_count(b));
}
template <class T>
LAZULI_DEVICE T shift_right(T a, T b) {
  return static_cast<T>(a >> shift_count(b));
}

// ---- Reductions: how two partial values become one, and the value of none ----
struct Sum {
  template <class T>
  static LAZULI_DEVICE T none() { return T(0); }
  template <class T>
  static LAZULI_DEVICE T join(T a, T b) { return static_cast<T>(a + b); }
};
struct Prod {
  template <class T>
  static LAZULI_DEVICE T none() { return T(1); }
  template <class T>
  static LAZULI_DEVICE T join(T a, T b) { return static_cast<T>(a * b); }
};
struct All {
  template <class T>
  static LAZULI_DEVICE T none() { return T(1); }
  template <class T>
  static LAZULI_DEVICE T join(T a, T b) { return T(nonzero(a) && nonzero(b)); }
};
struct Any {
  template <class T>
  static LAZULI_DEVICE T none() { return T(0); }
  template <class T>
  static LAZULI_DEVICE T join(T a, T b) { return T(nonzero(a) || nonzero(b)); }
};
// The least value of a type, and the greatest; the infinities where there are any.
template <class T>
LAZULI_DEVICE T lowest() {
  if constexpr (is_complex<T>) return complex_t(-__int_as_float(0x7f800000), -__int_as_float(0x7f800000));
  else if constexpr (is_floating<T>) return T(-__int_as_float(0x7f800000));
  else if constexpr (is_boolean<T>) return false;
  else if constexpr (is_signed_integer<T>) return static_cast<T>(T(1) << (sizeof(T) * 8 - 1));
  else return T(0);
}
template <class T>
LAZULI_DEVICE T highest() {
  if constexpr (is_complex<T>) return complex_t(__int_as_float(0x7f800000), __int_as_float(0x7f800000));
  else if constexpr (is_floating<T>) return T(__int_as_float(0x7f800000));
  else if constexpr (is_boolean<T>) return true;
  else return static_cast<T>(~lowest<T>());
}
struct Max {
  template <class T>
  static LAZULI_DEVICE T none() { return lowest<T>(); }
  template <class T>
  static LAZULI_DEVICE T join(T a, T b) { return maximum(a, b); }
};
struct Min {
  template <class T>
  static LAZULI_DEVICE T none() { return highest<T>(); }
  template <class T>
  static LAZULI_DEVICE T join(T a, T b) { return minimum(a, b); }
};

}  // namespace op

// Joins the values of a warp's lanes; every lane gets the result.
template <class Join, class T>
__device__ __forceinline__ T warp_reduce(T value) {
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) {
    value = Join::join(value, shuffle_xor(value, mask));
  }
  return value;
}

// Joins the values of all threads of a block (a multiple of 32, at most 1024); every thread gets
// the result. Uses `Slots` of static shared memory: kernels that call it twice in a row are safe.
template <class Join, class T>
__device__ __forceinline__ T block_reduce(T value) {
  __shared__ alignas(16) unsigned char memory[32 * sizeof(T)];
  T* slots = reinterpret_cast<T*>(memory);
  value = warp_reduce<Join>(value);
  if (blockDim.x <= 32) return value;
  __syncthreads();
  if (lane_index() == 0) slots[threadIdx.x / 32] = value;
  __syncthreads();
  int warps = blockDim.x / 32;
  value = lane_index() < warps ? slots[lane_index()] : Join::template none<T>();
  return warp_reduce<Join>(value);
}
