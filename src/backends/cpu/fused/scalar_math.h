// The functions of the op tables for scalars: integers, bool, double and complex.
#pragma once

#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace lazuli::cpu::scalar {

using Complex = std::complex<float>;

template <class T>
inline constexpr bool is_complex = std::is_same_v<T, Complex>;

// Integers wrap: they are computed without sign and as wide as int at least.
template <class T>
using Wide = std::conditional_t<(sizeof(T) < 8), uint32_t, uint64_t>;

// One element. Operators follow the tables' meaning instead of C++'s promotions.
template <class T>
struct Scalar {
  T v;
  Scalar(T x) : v(x) {}
  template <class N, class = std::enable_if_t<std::is_arithmetic_v<N> && !std::is_same_v<N, T>>>
  Scalar(N x) : v(static_cast<T>(x)) {}
};

template <class T>
inline constexpr bool wraps = std::is_integral_v<T> && !std::is_same_v<T, bool>;

#define LAZULI_ARITHMETIC(sign)                                                        \
  template <class T>                                                                   \
  Scalar<T> operator sign(Scalar<T> a, Scalar<T> b) {                                  \
    if constexpr (wraps<T>) {                                                          \
      return static_cast<T>(static_cast<Wide<T>>(a.v) sign static_cast<Wide<T>>(b.v)); \
    } else {                                                                           \
      return static_cast<T>(a.v sign b.v);                                             \
    }                                                                                  \
  }
LAZULI_ARITHMETIC(+)
LAZULI_ARITHMETIC(-)
LAZULI_ARITHMETIC(*)
#undef LAZULI_ARITHMETIC
template <class T>
Scalar<T> operator/(Scalar<T> a, Scalar<T> b) {
  return a.v / b.v;  // inexact types alone
}
template <class T>
Scalar<T> operator-(Scalar<T> a) {
  if constexpr (wraps<T>) return static_cast<T>(Wide<T>(0) - static_cast<Wide<T>>(a.v));
  else return static_cast<T>(-a.v);
}

// Complex numbers compare by real part, then imaginary part.
template <class T>
bool less(T a, T b) {
  if constexpr (is_complex<T>) {
    return a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
  } else {
    return a < b;
  }
}
template <class T>
bool operator==(Scalar<T> a, Scalar<T> b) {
  return a.v == b.v;
}
template <class T>
bool operator!=(Scalar<T> a, Scalar<T> b) {
  return !(a.v == b.v);
}
template <class T>
bool operator<(Scalar<T> a, Scalar<T> b) {
  return less(a.v, b.v);
}
template <class T>
bool operator>(Scalar<T> a, Scalar<T> b) {
  return less(b.v, a.v);
}
template <class T>
bool operator<=(Scalar<T> a, Scalar<T> b) {
  return less(a.v, b.v) || a.v == b.v;
}
template <class T>
bool operator>=(Scalar<T> a, Scalar<T> b) {
  return less(b.v, a.v) || a.v == b.v;
}

template <class T>
bool nonzero(Scalar<T> a) {
  return a.v != T{};
}
template <class T>
bool logical_not(Scalar<T> a) {
  return !nonzero(a);
}
template <class T>
bool logical_and(Scalar<T> a, Scalar<T> b) {
  return nonzero(a) && nonzero(b);
}
template <class T>
bool logical_or(Scalar<T> a, Scalar<T> b) {
  return nonzero(a) || nonzero(b);
}
template <class T>
bool logical_xor(Scalar<T> a, Scalar<T> b) {
  return nonzero(a) != nonzero(b);
}

// ---- Tests ----
template <class T>
bool isnan(Scalar<T> a) {
  if constexpr (is_complex<T>) return std::isnan(a.v.real()) || std::isnan(a.v.imag());
  else if constexpr (std::is_floating_point_v<T>) return std::isnan(a.v);
  else return false;
}
template <class T>
bool isinf(Scalar<T> a) {
  if constexpr (is_complex<T>) return std::isinf(a.v.real()) || std::isinf(a.v.imag());
  else if constexpr (std::is_floating_point_v<T>) return std::isinf(a.v);
  else return false;
}
template <class T>
bool isfinite(Scalar<T> a) {
  return !isnan(a) && !isinf(a);
}
template <class T>
bool isposinf(Scalar<T> a) {
  if constexpr (std::is_integral_v<T>) return false;
  else return a.v == T(HUGE_VALF);
}
template <class T>
bool isneginf(Scalar<T> a) {
  if constexpr (std::is_integral_v<T>) return false;
  else return a.v == T(-HUGE_VALF);
}

// ---- Signs and parts ----
template <class T>
auto abs(Scalar<T> a) {
  if constexpr (is_complex<T>) return Scalar<float>(std::abs(a.v));
  else if constexpr (std::is_unsigned_v<T>) return a;
  else if constexpr (std::is_floating_point_v<T>) return Scalar<T>(std::fabs(a.v));
  else return a.v < 0 ? -a : a;
}
template <class T>
Scalar<T> sign(Scalar<T> a) {
  if constexpr (is_complex<T>) {
    float m = std::abs(a.v);
    return m == 0 ? a.v : a.v / m;
  } else {
    if (isnan(a)) return a;
    return static_cast<T>((a.v > T(0)) - (a.v < T(0)));
  }
}
template <class T>
Scalar<T> conj(Scalar<T> a) {
  if constexpr (is_complex<T>) return std::conj(a.v);
  else return a;
}
template <class T>
auto real(Scalar<T> a) {
  if constexpr (is_complex<T>) return Scalar<float>(a.v.real());
  else return a;
}
template <class T>
auto imag(Scalar<T> a) {
  if constexpr (is_complex<T>) return Scalar<float>(a.v.imag());
  else return Scalar<T>(T{});
}

// ---- Rounding ----
#define LAZULI_ROUNDING(name)                                                                  \
  template <class T>                                                                           \
  Scalar<T> name(Scalar<T> a) {                                                                \
    if constexpr (is_complex<T>) return Complex(std::name(a.v.real()), std::name(a.v.imag())); \
    else if constexpr (std::is_floating_point_v<T>) return std::name(a.v);                     \
    else return a;                                                                             \
  }
LAZULI_ROUNDING(ceil)
LAZULI_ROUNDING(floor)
LAZULI_ROUNDING(trunc)
LAZULI_ROUNDING(rint)
#undef LAZULI_ROUNDING

// ---- Functions of the C library, for double and complex ----
#define LAZULI_LIBRARY(name)    \
  template <class T>            \
  Scalar<T> name(Scalar<T> a) { \
    return std::name(a.v);      \
  }
LAZULI_LIBRARY(acos)
LAZULI_LIBRARY(acosh)
LAZULI_LIBRARY(asin)
LAZULI_LIBRARY(asinh)
LAZULI_LIBRARY(atan)
LAZULI_LIBRARY(atanh)
LAZULI_LIBRARY(cos)
LAZULI_LIBRARY(cosh)
LAZULI_LIBRARY(erf)
LAZULI_LIBRARY(exp)
LAZULI_LIBRARY(log)
LAZULI_LIBRARY(log10)
LAZULI_LIBRARY(sin)
LAZULI_LIBRARY(sinh)
LAZULI_LIBRARY(sqrt)
LAZULI_LIBRARY(tan)
LAZULI_LIBRARY(tanh)
#undef LAZULI_LIBRARY
template <class T>
Scalar<T> rsqrt(Scalar<T> a) {
  return T(1) / std::sqrt(a.v);
}
template <class T>
Scalar<T> sigmoid(Scalar<T> a) {
  return T(1) / (T(1) + std::exp(-a.v));
}
template <class T>
Scalar<T> log2(Scalar<T> a) {
  if constexpr (is_complex<T>) return std::log(a.v) * 1.4426950408889634f;
  else return std::log2(a.v);
}
template <class T>
Scalar<T> expm1(Scalar<T> a) {
  if constexpr (is_complex<T>) {
    std::complex<double> z(a.v);
    return Complex(std::exp(z) - 1.0);
  } else {
    return std::expm1(a.v);
  }
}
template <class T>
Scalar<T> log1p(Scalar<T> a) {
  if constexpr (is_complex<T>) {
    std::complex<double> z(a.v);
    return Complex(std::log(1.0 + z));
  } else {
    return std::log1p(a.v);
  }
}
template <class T>
Scalar<T> logaddexp(Scalar<T> a, Scalar<T> b) {
  if constexpr (is_complex<T>) {
    // Shifted by a real number, so that the logarithm stays on its principal branch.
    double shift = std::fmax(a.v.real(), b.v.real());
    std::complex<double> x(a.v), y(b.v);
    return Complex(std::log(std::exp(x - shift) + std::exp(y - shift)) + shift);
  } else {
    if (std::isnan(a.v) || std::isnan(b.v)) return a.v + b.v;
    T high = std::fmax(a.v, b.v), low = std::fmin(a.v, b.v);
    if (high == low) return high + T(0.6931471805599453094);
    if (std::isinf(high)) return high;
    return high + std::log1p(std::exp(low - high));
  }
}
template <class T>
Scalar<T> atan2(Scalar<T> a, Scalar<T> b) {
  return std::atan2(a.v, b.v);
}

// Newton's method on erf, from Giles' approximation (see float_math-inl.h).
inline double erfinv_estimate(double x) {
  double w = -std::log((1 - x) * (1 + x)), p;
  if (w < 5) {
    double c = w - 2.5;
    p = 1.50140941 +
        c * (0.246640727 + c * (-0.00417768164 + c * (-0.00125372503 + c * 0.00021858087)));
  } else {
    double t = std::sqrt(w) - 3;
    p = 2.83297682 +
        t * (1.00167406 + t * (0.00943887047 + t * (-0.0076224613 + t * 0.00573950773)));
  }
  return p * x;
}
template <class T>
Scalar<T> erfinv(Scalar<T> a) {
  double x = static_cast<double>(a.v);
  if (!(std::fabs(x) < 1)) return std::fabs(x) == 1 ? x * HUGE_VAL : NAN;
  double y = erfinv_estimate(x);
  for (int k = 0; k < 4; ++k) {
    y -= (std::erf(y) - x) / (1.1283791670955125739 * std::exp(-y * y));
  }
  return static_cast<T>(y);
}

// ---- Extremes, powers, integer division ----
template <class T>
Scalar<T> maximum(Scalar<T> a, Scalar<T> b) {
  if (isnan(a)) return a;
  if (isnan(b)) return b;
  return a < b ? b : a;
}
template <class T>
Scalar<T> minimum(Scalar<T> a, Scalar<T> b) {
  if (isnan(a)) return a;
  if (isnan(b)) return b;
  return b < a ? b : a;
}
template <class T>
Scalar<T> power(Scalar<T> a, Scalar<T> b) {
  if constexpr (std::is_same_v<T, bool>) {
    return a.v || !b.v;
  } else if constexpr (std::is_integral_v<T>) {
    if constexpr (std::is_signed_v<T>) {
      if (b.v < 0) return static_cast<T>(a.v == 1 ? 1 : a.v == -1 ? (b.v & 1 ? -1 : 1) : 0);
    }
    Wide<T> result = 1, base = static_cast<Wide<T>>(a.v);
    for (auto e = static_cast<uint64_t>(b.v); e; e >>= 1) {
      if (e & 1) result *= base;
      base *= base;
    }
    return static_cast<T>(result);
  } else {
    if constexpr (is_complex<T>) {
      if (b.v == T(0)) return T(1);
      if (a.v == T(0)) return b.v.real() > 0 ? T(0) : T(NAN, NAN);
    }
    return std::pow(a.v, b.v);
  }
}

// Division by zero gives 0 for integers, as it must give something. Rounds towards minus infinity:
// where the quotient was rounded up to a whole number, the rest has the wrong sign.
template <class T>
Scalar<T> floor_divide(Scalar<T> a, Scalar<T> b) {
  if constexpr (std::is_floating_point_v<T>) {
    T q = std::floor(a.v / b.v), rest = q == 0 ? a.v : std::fma(-q, b.v, a.v);
    if (std::isinf(a.v) && b.v != 0) return std::numeric_limits<T>::quiet_NaN();
    bool opposite = (rest < 0 && b.v > 0) || (rest > 0 && b.v < 0);
    return opposite && std::fabs(q) < 2 / std::numeric_limits<T>::epsilon() ? q - 1 : q;
  } else if constexpr (std::is_same_v<T, bool>) {
    return a.v && b.v;
  } else {
    if (b.v == 0) return T(0);
    if constexpr (std::is_signed_v<T>) {
      if (b.v == -1) return -a;
      T q = static_cast<T>(a.v / b.v);
      return static_cast<T>(q - ((a.v % b.v != 0) && ((a.v < 0) != (b.v < 0))));
    }
    return static_cast<T>(a.v / b.v);
  }
}
// The sign of the divisor, as in Python; of integers what a quotient of 0 leaves if it is zero.
template <class T>
Scalar<T> remainder(Scalar<T> a, Scalar<T> b) {
  if constexpr (std::is_floating_point_v<T>) {
    T r = std::fmod(a.v, b.v);
    if (r == 0) return std::copysign(r, b.v);
    return (r < 0) != (b.v < 0) ? r + b.v : r;
  } else if constexpr (std::is_same_v<T, bool>) {
    return a.v && !b.v;
  } else {
    if (b.v == 0) return a;
    if constexpr (std::is_signed_v<T>) {
      if (b.v == -1) return T(0);
      T r = static_cast<T>(a.v % b.v);
      return static_cast<T>(r != 0 && (r < 0) != (b.v < 0) ? r + b.v : r);
    }
    return static_cast<T>(a.v % b.v);
  }
}

// ---- Bits ----
template <class T>
Scalar<T> invert(Scalar<T> a) {
  if constexpr (std::is_same_v<T, bool>) return !a.v;
  else return static_cast<T>(~a.v);
}
template <class T>
Scalar<T> bit_and(Scalar<T> a, Scalar<T> b) {
  return static_cast<T>(a.v & b.v);
}
template <class T>
Scalar<T> bit_or(Scalar<T> a, Scalar<T> b) {
  return static_cast<T>(a.v | b.v);
}
template <class T>
Scalar<T> bit_xor(Scalar<T> a, Scalar<T> b) {
  return static_cast<T>(a.v ^ b.v);
}
// By the lowest 5 bits of the count, by 6 for 64 bits, as processors shift.
template <class T>
int shift_count(Scalar<T> by) {
  return static_cast<int>(static_cast<uint64_t>(by.v) % (sizeof(T) < 8 ? 32 : 64));
}
template <class T>
Scalar<T> shift_left(Scalar<T> a, Scalar<T> b) {
  return static_cast<T>(static_cast<Wide<T>>(a.v) << shift_count(b));
}
template <class T>
Scalar<T> shift_right(Scalar<T> a, Scalar<T> b) {
  return static_cast<T>(a.v >> shift_count(b));
}

}  // namespace lazuli::cpu::scalar
