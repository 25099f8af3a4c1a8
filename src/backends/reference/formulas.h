// What the reference column of the elementwise tables may use: std's functions on double and pairs
// of doubles, integers of any dtype in 64 bits, and the functions below on all three.
#pragma once

#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>

#include "backends/reference/tensor.h"
#include "core/visit.h"

namespace lazuli::reference {

// An integer or boolean: 64 bits, and the dtype that tells signed from unsigned.
struct Integer {
  int64_t value;
  Dtype::Val dtype;

  bool is_unsigned() const { return dtype == Dtype::Val::uint64; }  // narrower ones fit int64
  uint64_t bits() const { return static_cast<uint64_t>(value); }
  Integer with(uint64_t other) const { return {static_cast<int64_t>(other), dtype}; }
  int64_t width() const {
    return static_cast<int64_t>(visit(dtype, []<class T>() { return sizeof(T) * 8; }));
  }
};

inline Integer operator+(Integer x, Integer y) { return x.with(x.bits() + y.bits()); }
inline Integer operator-(Integer x, Integer y) { return x.with(x.bits() - y.bits()); }
inline Integer operator*(Integer x, Integer y) { return x.with(x.bits() * y.bits()); }
inline Integer operator&(Integer x, Integer y) { return x.with(x.bits() & y.bits()); }
inline Integer operator|(Integer x, Integer y) { return x.with(x.bits() | y.bits()); }
inline Integer operator^(Integer x, Integer y) { return x.with(x.bits() ^ y.bits()); }
inline Integer operator-(Integer x) { return x.with(0 - x.bits()); }
inline Integer operator~(Integer x) {
  return x.dtype == Dtype::Val::bool_ ? x.with(x.value == 0) : x.with(~x.bits());
}
inline bool operator==(Integer x, Integer y) { return x.value == y.value; }
inline bool operator<(Integer x, Integer y) {
  return x.is_unsigned() ? x.bits() < y.bits() : x.value < y.value;
}
// By real parts, then by imaginary ones.
inline bool operator<(const Complex& x, const Complex& y) {
  return x.real() < y.real() || (x.real() == y.real() && x.imag() < y.imag());
}

namespace formula {

using std::acos, std::acosh, std::asin, std::asinh, std::atan, std::atan2, std::atanh, std::ceil,
    std::cos, std::cosh, std::erf, std::exp, std::floor, std::log, std::log10, std::pow, std::sin,
    std::sinh, std::sqrt, std::tan, std::tanh, std::trunc;

constexpr double infinity = std::numeric_limits<double>::infinity();

inline Integer ceil(Integer x) { return x; }
inline Integer floor(Integer x) { return x; }
inline Integer trunc(Integer x) { return x; }
inline double nearest(double x) { return std::nearbyint(x); }
inline Integer nearest(Integer x) { return x; }
inline Complex nearest(const Complex& x) { return {nearest(x.real()), nearest(x.imag())}; }

inline double magnitude(double x) { return std::fabs(x); }
inline Integer magnitude(Integer x) { return x.is_unsigned() || x.value >= 0 ? x : -x; }
inline double magnitude(const Complex& x) { return std::abs(x); }
inline double signum(double x) { return std::isnan(x) ? x : (x > 0) - (x < 0); }
inline Integer signum(Integer x) {
  return {x.is_unsigned() ? x.value != 0 : (x.value > 0) - (x.value < 0), x.dtype};
}
inline Complex signum(const Complex& x) { return x == Complex() ? x : x / std::abs(x); }

template <class T>
T real_part(T x) {
  return x;
}
inline double real_part(const Complex& x) { return x.real(); }
inline double imaginary_part(double) { return 0; }
inline Integer imaginary_part(Integer x) { return x.with(0); }
inline double imaginary_part(const Complex& x) { return x.imag(); }
template <class T>
T conjugated(T x) {
  return x;
}
inline Complex conjugated(const Complex& x) { return std::conj(x); }

inline double exp_less_one(double x) { return std::expm1(x); }
inline Complex exp_less_one(const Complex& x) { return std::exp(x) - 1.0; }
inline double log_of_one_more(double x) { return std::log1p(x); }
inline Complex log_of_one_more(const Complex& x) { return std::log(1.0 + x); }
inline double binary_log(double x) { return std::log2(x); }
inline Complex binary_log(const Complex& x) { return std::log(x) / std::log(2.0); }
inline double logistic(double x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}
inline Complex logistic(const Complex& x) { return 1.0 / (1.0 + std::exp(-x)); }
double inverse_erf(double x);

inline bool not_a_number(double x) { return std::isnan(x); }
inline bool not_a_number(Integer) { return false; }
inline bool not_a_number(const Complex& x) { return std::isnan(x.real()) || std::isnan(x.imag()); }
inline bool infinite(double x) { return std::isinf(x); }
inline bool infinite(Integer) { return false; }
inline bool infinite(const Complex& x) { return std::isinf(x.real()) || std::isinf(x.imag()); }
template <class T>
bool finite(const T& x) {
  return !infinite(x) && !not_a_number(x);
}
inline bool equals(double x, double y) { return x == y; }
inline bool equals(Integer, double) { return false; }
inline bool equals(const Complex& x, double y) { return x == Complex(y); }
inline bool truth(double x) { return x != 0; }
inline bool truth(Integer x) { return x.value != 0; }
inline bool truth(const Complex& x) { return x != Complex(); }

template <class T>
T larger(const T& x, const T& y) {
  if (not_a_number(x) || not_a_number(y)) return not_a_number(x) ? x : y;
  return x < y ? y : x;
}
template <class T>
T smaller(const T& x, const T& y) {
  if (not_a_number(x) || not_a_number(y)) return not_a_number(x) ? x : y;
  return y < x ? y : x;
}
double log_of_sum(double x, double y);
inline Complex log_of_sum(const Complex& x, const Complex& y) {
  return std::log(std::exp(x) + std::exp(y));
}

double floor_quotient(double x, double y);
Integer floor_quotient(Integer x, Integer y);
double python_remainder(double x, double y);
inline Integer python_remainder(Integer x, Integer y) { return x - floor_quotient(x, y) * y; }
Integer pow(Integer x, Integer y);
Complex pow(const Complex& x, const Complex& y);
Integer shifted_left(Integer x, Integer y);
Integer shifted_right(Integer x, Integer y);

}  // namespace formula
}  // namespace lazuli::reference
