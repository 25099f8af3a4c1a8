// Elementwise ops in double, 64-bit integers and pairs of doubles.
#include <cmath>
#include <limits>

#include "backends/reference/interpreter.h"
#include "core/visit.h"
#include "ops/table/op.h"

namespace lazuli::reference {
namespace {

// ---- Wrapping and rounding to a dtype ----
int64_t wrapped(int64_t v, Dtype::Val dtype) {
  return visit(dtype, [&]<class T>() -> int64_t {
    if constexpr (std::is_same_v<T, bool>) return v != 0;
    else if constexpr (std::is_integral_v<T>) return static_cast<int64_t>(static_cast<T>(v));
    else return v;
  });
}
double rounded(double v, Dtype::Val dtype) {
  switch (dtype) {
    case Dtype::Val::float16: return static_cast<float>(float16_t(static_cast<float>(v)));
    case Dtype::Val::bfloat16: return static_cast<float>(bfloat16_t(static_cast<float>(v)));
    case Dtype::Val::float32: return static_cast<float>(v);
    default: return v;
  }
}

// ---- Floats ----
double python_remainder(double a, double b) { return a - b * std::floor(a / b); }

double inverse_erf(double x) {
  if (std::isnan(x)) return x;
  if (std::fabs(x) >= 1) return std::fabs(x) == 1 ? std::copysign(HUGE_VAL, x) : NAN;
  double low = -6, high = 6;  // erf(6) is 1 in double
  for (int k = 0; k < 200; ++k) {
    double middle = (low + high) / 2;
    (std::erf(middle) < x ? low : high) = middle;
  }
  return (low + high) / 2;
}

double real_unary(Op op, double x) {
  switch (op) {
    case Op::abs: return std::fabs(x);
    case Op::arccos: return std::acos(x);
    case Op::arccosh: return std::acosh(x);
    case Op::arcsin: return std::asin(x);
    case Op::arcsinh: return std::asinh(x);
    case Op::arctan: return std::atan(x);
    case Op::arctanh: return std::atanh(x);
    case Op::ceil: return std::ceil(x);
    case Op::cos: return std::cos(x);
    case Op::cosh: return std::cosh(x);
    case Op::erf: return std::erf(x);
    case Op::erfinv: return inverse_erf(x);
    case Op::exp: return std::exp(x);
    case Op::expm1: return std::expm1(x);
    case Op::floor: return std::floor(x);
    case Op::imag: return 0;
    case Op::log: return std::log(x);
    case Op::log10: return std::log10(x);
    case Op::log1p: return std::log1p(x);
    case Op::log2: return std::log2(x);
    case Op::negative: return -x;
    case Op::conjugate:
    case Op::real: return x;
    case Op::rint: return std::nearbyint(x);
    case Op::rsqrt: return 1 / std::sqrt(x);
    case Op::sigmoid: return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
    case Op::sign: return std::isnan(x) ? x : (x > 0) - (x < 0);
    case Op::sin: return std::sin(x);
    case Op::sinh: return std::sinh(x);
    case Op::sqrt: return std::sqrt(x);
    case Op::square: return x * x;
    case Op::tan: return std::tan(x);
    case Op::tanh: return std::tanh(x);
    case Op::trunc: return std::trunc(x);
    default: throw RuntimeError("[reference] No real formula.");
  }
}

double real_binary(Op op, double x, double y) {
  switch (op) {
    case Op::add: return x + y;
    case Op::arctan2: return std::atan2(x, y);
    case Op::divide: return x / y;
    case Op::floor_divide: return std::floor(x / y);
    case Op::logaddexp: {
      double high = std::fmax(x, y);
      if (std::isnan(x) || std::isnan(y)) return NAN;
      return std::isinf(high) ? high : high + std::log1p(std::exp(-std::fabs(x - y)));
    }
    case Op::maximum: return std::isnan(x) || std::isnan(y) ? NAN : std::fmax(x, y);
    case Op::minimum: return std::isnan(x) || std::isnan(y) ? NAN : std::fmin(x, y);
    case Op::multiply: return x * y;
    case Op::power: return std::pow(x, y);
    case Op::remainder: return python_remainder(x, y);
    case Op::subtract: return x - y;
    default: throw RuntimeError("[reference] No real formula.");
  }
}

// ---- Integers; `dtype` tells signed from unsigned ----
bool is_unsigned(Dtype::Val d) { return d == Dtype::Val::uint64; }

int64_t integer_power(int64_t x, int64_t y, bool unsigned_y) {
  if (!unsigned_y && y < 0) return x == 1 ? 1 : x == -1 ? (y % 2 ? -1 : 1) : 0;
  uint64_t result = 1, base = static_cast<uint64_t>(x);
  for (uint64_t e = static_cast<uint64_t>(y); e; e /= 2) {
    if (e % 2) result *= base;
    base *= base;
  }
  return static_cast<int64_t>(result);
}

int64_t floor_quotient(int64_t x, int64_t y, bool is_u) {
  if (y == 0) return 0;
  if (is_u) return static_cast<int64_t>(static_cast<uint64_t>(x) / static_cast<uint64_t>(y));
  if (y == -1) return static_cast<int64_t>(0 - static_cast<uint64_t>(x));
  return x / y - ((x % y != 0) && ((x < 0) != (y < 0)));
}

int64_t whole_unary(Op op, int64_t x, Dtype::Val dtype) {
  switch (op) {
    case Op::abs:
      return is_unsigned(dtype) || x >= 0 ? x : static_cast<int64_t>(0 - static_cast<uint64_t>(x));
    case Op::bitwise_invert: return dtype == Dtype::Val::bool_ ? !x : ~x;
    case Op::negative:
      return dtype == Dtype::Val::bool_ ? x : static_cast<int64_t>(0 - static_cast<uint64_t>(x));
    case Op::sign: return is_unsigned(dtype) ? x != 0 : (x > 0) - (x < 0);
    case Op::square:
      return static_cast<int64_t>(static_cast<uint64_t>(x) * static_cast<uint64_t>(x));
    case Op::imag: return 0;
    default: return x;  // rounding, real, conjugate
  }
}

int64_t whole_binary(Op op, int64_t x, int64_t y, Dtype::Val dtype) {
  bool is_u = is_unsigned(dtype);
  auto u = [](int64_t v) { return static_cast<uint64_t>(v); };
  bool less = is_u ? u(x) < u(y) : x < y;
  int64_t bits = static_cast<int64_t>(visit(dtype, []<class T>() { return sizeof(T) * 8; }));
  bool out = (!is_u && y < 0) || (is_u ? u(y) >= 64 : y >= bits);
  switch (op) {
    case Op::add: return static_cast<int64_t>(u(x) + u(y));
    case Op::subtract: return static_cast<int64_t>(u(x) - u(y));
    case Op::multiply: return static_cast<int64_t>(u(x) * u(y));
    case Op::bitwise_and: return x & y;
    case Op::bitwise_or: return x | y;
    case Op::bitwise_xor: return x ^ y;
    case Op::floor_divide: return floor_quotient(x, y, is_u);
    case Op::remainder:
      return y == 0 ? 0 : static_cast<int64_t>(u(x) - u(floor_quotient(x, y, is_u)) * u(y));
    case Op::left_shift: return out ? 0 : static_cast<int64_t>(u(x) << y);
    case Op::right_shift:
      return out ? (!is_u && x < 0 ? -1 : 0) : is_u ? static_cast<int64_t>(u(x) >> y) : x >> y;
    case Op::maximum: return less ? y : x;
    case Op::minimum: return less ? x : y;
    case Op::power: return integer_power(x, y, is_u);
    default: throw RuntimeError("[reference] No integer formula.");
  }
}

// ---- Complex ----
bool complex_less(Complex x, Complex y) {
  return x.real() < y.real() || (x.real() == y.real() && x.imag() < y.imag());
}

Complex complex_unary(Op op, Complex x) {
  switch (op) {
    case Op::arccos: return std::acos(x);
    case Op::arccosh: return std::acosh(x);
    case Op::arcsin: return std::asin(x);
    case Op::arcsinh: return std::asinh(x);
    case Op::arctan: return std::atan(x);
    case Op::arctanh: return std::atanh(x);
    case Op::conjugate: return std::conj(x);
    case Op::cos: return std::cos(x);
    case Op::cosh: return std::cosh(x);
    case Op::exp: return std::exp(x);
    case Op::expm1: return std::exp(x) - 1.0;
    case Op::log: return std::log(x);
    case Op::log10: return std::log10(x);
    case Op::log1p: return std::log(1.0 + x);
    case Op::log2: return std::log(x) / std::log(2.0);
    case Op::negative: return -x;
    case Op::rint: return {std::nearbyint(x.real()), std::nearbyint(x.imag())};
    case Op::rsqrt: return 1.0 / std::sqrt(x);
    case Op::sigmoid: return 1.0 / (1.0 + std::exp(-x));
    case Op::sign: return x == Complex() ? x : x / std::abs(x);
    case Op::sin: return std::sin(x);
    case Op::sinh: return std::sinh(x);
    case Op::sqrt: return std::sqrt(x);
    case Op::square: return x * x;
    case Op::tan: return std::tan(x);
    case Op::tanh: return std::tanh(x);
    default: throw RuntimeError("[reference] No complex formula.");
  }
}

Complex complex_binary(Op op, Complex x, Complex y) {
  switch (op) {
    case Op::add: return x + y;
    case Op::divide: return x / y;
    case Op::logaddexp: return std::log(std::exp(x) + std::exp(y));
    case Op::maximum: return complex_less(x, y) ? y : x;
    case Op::minimum: return complex_less(y, x) ? y : x;
    case Op::multiply: return x * y;
    case Op::power: return std::pow(x, y);
    case Op::subtract: return x - y;
    default: throw RuntimeError("[reference] No complex formula.");
  }
}

// ---- Tests and comparisons ----
template <class T>
bool test(Op op, T x) {
  if constexpr (std::is_same_v<T, int64_t>) {
    return op == Op::isfinite || (op == Op::logical_not && x == 0);
  } else {
    double a, b = 0;
    if constexpr (std::is_same_v<T, Complex>) a = x.real(), b = x.imag();
    else a = x;
    switch (op) {
      case Op::isnan: return std::isnan(a) || std::isnan(b);
      case Op::isinf: return std::isinf(a) || std::isinf(b);
      case Op::isfinite: return std::isfinite(a) && std::isfinite(b);
      case Op::isposinf: return a == HUGE_VAL;
      case Op::isneginf: return a == -HUGE_VAL;
      default: return a == 0 && b == 0;
    }
  }
}

template <class T>
bool compare(Op op, T x, T y, Dtype::Val dtype) {
  bool less, greater;
  if constexpr (std::is_same_v<T, Complex>) {
    less = complex_less(x, y), greater = complex_less(y, x);
  } else if (std::is_same_v<T, int64_t> && is_unsigned(dtype)) {
    less = static_cast<uint64_t>(x) < static_cast<uint64_t>(y);
    greater = static_cast<uint64_t>(y) < static_cast<uint64_t>(x);
  } else {
    less = x < y, greater = y < x;
  }
  switch (op) {
    case Op::equal: return x == y;
    case Op::not_equal: return !(x == y);
    case Op::less: return less;
    case Op::less_equal: return less || x == y;
    case Op::greater: return greater;
    case Op::greater_equal: return greater || x == y;
    case Op::logical_and: return x != T{} && y != T{};
    case Op::logical_or: return x != T{} || y != T{};
    default: return (x != T{}) != (y != T{});
  }
}

// ---- Conversions ----
template <class From>
void convert_to(From x, Tensor& out, size_t i) {
  if (out.dtype == bool_) {
    out.whole[i] = x != From{};
  } else if (out.is_complex()) {
    if constexpr (std::is_same_v<From, Complex>) out.complex[i] = x;
    else out.complex[i] = static_cast<double>(x);
  } else if constexpr (std::is_same_v<From, Complex>) {
    convert_to(x.real(), out, i);
  } else if (out.is_real()) {
    out.real[i] = rounded(static_cast<double>(x), out.dtype);
  } else if constexpr (std::is_same_v<From, double>) {
    out.whole[i] = wrapped(convert_value<int64_t>(x), out.dtype);
    if (x >= 0x1p63)
      out.whole[i] = wrapped(static_cast<int64_t>(convert_value<uint64_t>(x)), out.dtype);
  } else {
    out.whole[i] = wrapped(x, out.dtype);
  }
}

void convert(const Tensor& x, size_t from, Tensor& out, size_t i) {
  if (x.is_complex()) convert_to(x.complex[from], out, i);
  else if (x.is_real()) convert_to(x.real[from], out, i);
  else if (x.dtype == uint64 && out.is_real()) {
    out.real[i] = rounded(static_cast<double>(static_cast<uint64_t>(x.whole[from])), out.dtype);
  } else if (x.dtype == uint64 && out.is_complex()) {
    out.complex[i] = static_cast<double>(static_cast<uint64_t>(x.whole[from]));
  } else convert_to(x.whole[from], out, i);
}

// ---- One element ----
void unary_element(Op op, const Tensor& x, size_t from, Tensor& out, size_t i) {
  if (op == Op::astype || op == Op::copy) return convert(x, from, out, i);
  if (op_info(op).result == Result::Boolean) {
    out.whole[i] = with_values(x, [&](const auto& v) { return test(op, v[from]); });
  } else if (x.is_complex() && out.is_real()) {
    Complex z = x.complex[from];
    out.real[i] = op == Op::abs ? std::abs(z) : op == Op::real ? z.real() : z.imag();
  } else if (x.is_complex()) {
    out.complex[i] = complex_unary(op, x.complex[from]);
  } else if (x.is_real()) {
    out.real[i] = real_unary(op, x.real[from]);
  } else {
    out.whole[i] = wrapped(whole_unary(op, x.whole[from], x.dtype), out.dtype);
  }
}

void binary_element(Op op, const Tensor& x, size_t a, const Tensor& y, size_t b, Tensor& out,
                    size_t i) {
  if (op_info(op).result == Result::Boolean) {
    out.whole[i] = with_values(x, [&](const auto& v) {
      using T = typename std::decay_t<decltype(v)>::value_type;
      const std::vector<T>* w;
      if constexpr (std::is_same_v<T, Complex>) w = &y.complex;
      else if constexpr (std::is_same_v<T, double>) w = &y.real;
      else w = &y.whole;
      return compare(op, v[a], (*w)[b], x.dtype);
    });
  } else if (x.is_complex()) {
    out.complex[i] = complex_binary(op, x.complex[a], y.complex[b]);
  } else if (x.is_real()) {
    out.real[i] = real_binary(op, x.real[a], y.real[b]);
  } else {
    out.whole[i] = wrapped(whole_binary(op, x.whole[a], y.whole[b], x.dtype), out.dtype);
  }
}

Strides broadcast_strides(const Shape& shape, const Shape& to) {
  Strides own = dense_strides(shape), result(to.size(), 0);
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] != 1) result[to.size() - shape.size() + d] = own[d];
  }
  return result;
}

}  // namespace

Tensor apply_elementwise(const Node* node, const std::vector<const Tensor*>& in) {
  Tensor out(node->shape, node->type());
  std::vector<Strides> strides;
  for (const Tensor* x : in) strides.push_back(broadcast_strides(x->shape, out.shape));
  Counter at(out.shape);
  for (size_t i = 0; i < static_cast<size_t>(out.size()); ++i, at.next()) {
    size_t from[3] = {};
    for (size_t k = 0; k < in.size(); ++k)
      from[k] = static_cast<size_t>(offset_of(*at, strides[k]));
    if (node->op == Op::select) {
      size_t chosen = in[0]->whole[from[0]] ? 1 : 2;
      convert(*in[chosen], from[chosen], out, i);
    } else if (in.size() == 1) {
      unary_element(node->op, *in[0], from[0], out, i);
    } else {
      binary_element(node->op, *in[0], from[0], *in[1], from[1], out, i);
    }
  }
  return out;
}

}  // namespace lazuli::reference
