#include "ops/elementwise.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>

#include "lazuli/ops.h"
#include "ops/record.h"

namespace lazuli {
namespace {

[[noreturn]] void refuse(const OpInfo& info, Dtype dtype, const char* wanted) {
  throw TypeError("[" + std::string(info.name) + "] Not supported for " + dtype_name(dtype) +
                  "; it takes " + wanted + ".");
}

// The dtype the op computes an operand of this dtype in.
Dtype accepted(const OpInfo& info, Dtype dtype) {
  bool is_complex = dtype == complex64;
  switch (info.accepts) {
    case Accepts::Number:
    case Accepts::Complex: return dtype;
    case Accepts::Signed:
      if (dtype == bool_) refuse(info, dtype, "numbers; logical_not inverts booleans");
      return dtype;
    case Accepts::Ordered:
      if (is_complex) refuse(info, dtype, "real dtypes");
      return dtype;
    case Accepts::Integral:
    case Accepts::Whole:
      if (issubdtype(dtype, inexact)) refuse(info, dtype, "integers and booleans");
      return info.accepts == Accepts::Whole && dtype == bool_ ? uint8 : dtype;
    case Accepts::Float:
      if (is_complex) refuse(info, dtype, "real dtypes");
      return at_least_float(dtype);
    case Accepts::Inexact: return at_least_float(dtype);
  }
  return dtype;
}

Dtype result_of(const OpInfo& info, Dtype computed) {
  if (info.result == Result::Boolean) return bool_;
  if (info.result == Result::Real && computed == complex64) return float32;
  return computed;
}

bool is_comparison(Op op) {
  return op == Op::equal || op == Op::not_equal || op == Op::less || op == Op::less_equal ||
         op == Op::greater || op == Op::greater_equal;
}

// int64 beside uint64: no dtype holds both, but they have an order.
array compare_integers(Op op, const array& x, const array& y, const Stream& s) {
  bool left = x.dtype() == int64;
  array negative = less(left ? x : y, array(0, int64), s);
  array plain = binary(op, astype(x, uint64, s), astype(y, uint64, s), s);
  bool holds = op == Op::not_equal || (left ? op == Op::less || op == Op::less_equal
                                            : op == Op::greater || op == Op::greater_equal);
  if (holds) return logical_or(negative, plain, s);
  return logical_and(logical_not(negative, s), plain, s);
}

// The imaginary unit times a real gradient.
array as_imaginary(const array& g) {
  return multiply(astype(g, complex64), array(complex64_t(0, 1)));
}

// ---- What the columns of gradients call ---------------------------------------------------------
// About 1 / x where x is above 1 in size, else 1: a factor that keeps squares in range. Its own
// reciprocal is in range too.
array down_scale_of(const array& x) {
  array size = abs(x);
  double largest = size.dtype() == float64 ? 0x1p1022 : size.dtype() == float16 ? 0x1p14 : 0x1p126;
  array one = array(1, size.dtype());
  size = minimum(maximum(size, one), array(largest, size.dtype()));
  return stop_gradient(reciprocal(size));
}

// 1 / (1 + x^2) and 1 / sqrt(1 + x^2). A complex square that overflows is NaN.
array inverse_of_one_plus_square(const array& x) {
  if (x.dtype() != complex64) return reciprocal(add(array(1, x.dtype()), square(x)));
  array scale = down_scale_of(x);
  array scaled = add(square(multiply(x, scale)), square(scale));
  return multiply(multiply(reciprocal(scaled), scale), scale);
}
array rsqrt_of_one_plus_square(const array& x) {
  array scale = down_scale_of(x);
  return multiply(rsqrt(add(square(multiply(x, scale)), square(scale))), scale);
}

// The derivatives of the angle of (y, x), by the quotient that is at most 1.
array angle_gradient(const array& x, const array& y, bool for_x) {
  array steep = greater(abs(x), abs(y));
  array large = where(steep, x, y), quotient = divide(where(steep, y, x), large);
  array factor = reciprocal(multiply(large, add(array(1, x.dtype()), square(quotient))));
  array one = array(1, x.dtype());
  return for_x ? multiply(where(steep, quotient, one), factor)
               : negative(multiply(where(steep, one, quotient), factor));
}

// The part of x in log(exp(x) + exp(y)); equal infinities share.
array share_of_sum(const array& x, const array& y) {
  array difference = subtract(x, y);
  array endless = logical_and(isinf(x), equal(x, y));
  return sigmoid(where(endless, zeros_like(difference), difference));
}

// x, but `instead` where the condition holds, so that what follows is finite there in every order.
array unless(const array& condition, const array& x, double instead) {
  return where(condition, array(instead, x.dtype()), x);
}
array power_by_base(const array& x, const array& y) {
  array zero = array(0, x.dtype());
  array constant = logical_and(equal(x, zero), equal(y, zero));
  return multiply(y, power(unless(constant, x, 1), subtract(y, array(1, y.dtype()))));
}

array power_by_exponent(const array& x, const array& z) {
  return multiply(z, log(unless(equal(z, array(0, z.dtype())), x, 1)));
}

// Of z / |z|, where only the part of g across z counts; 0 of real numbers.
array sign_gradient(const array& x, const array& y, const array& g) {
  if (x.dtype() != complex64) return zeros_like(g);
  array along = multiply(y, real(multiply(conjugate(y), g)));
  array size = abs(x);
  array none = equal(size, array(0, size.dtype()));
  return where(none, zeros_like(along), divide(subtract(g, along), unless(none, size, 1)));
}

}  // namespace

array unary(Op op, const array& x, StreamOrDevice s) {
  const OpInfo& info = op_info(op);
  Stream stream = to_stream(s);
  Dtype dtype = accepted(info, x.dtype());
  if (dtype != x.dtype()) return unary(op, astype(x, dtype, stream), stream);
  // Beside a step the digits that a half does not hold would decide.
  if (is_half(dtype) && is_unrounded(x) && jumps(info.result)) {
    return unary(op, as_stored(x, stream), stream);
  }
  return record(op, result_of(info, dtype), x.shape(), {&x}, {}, stream);
}

array binary(Op op, const array& x, const array& y, StreamOrDevice s) {
  const OpInfo& info = op_info(op);
  Stream stream = to_stream(s);
  Dtype dtype = accepted(info, promote_types(x.dtype(), y.dtype()));
  if (dtype != x.dtype() || dtype != y.dtype()) {
    bool mixed =
        (x.dtype() == int64 && y.dtype() == uint64) || (x.dtype() == uint64 && y.dtype() == int64);
    if (mixed && is_comparison(op)) return compare_integers(op, x, y, stream);
    return binary(op, astype(x, dtype, stream), astype(y, dtype, stream), stream);
  }
  if (is_half(dtype) && (is_unrounded(x) || is_unrounded(y)) && jumps(info.result)) {
    return binary(op, as_stored(x, stream), as_stored(y, stream), stream);
  }
  return record(op, result_of(info, dtype), broadcast_shapes(info.name, x.shape(), y.shape()),
                {&x, &y}, {}, stream);
}

#define UNARY(name, ...) \
  array name(const array& a, StreamOrDevice s) { return unary(Op::name, a, s); }
#include "ops/table/unary.def"
#undef UNARY

#define BINARY(name, ...) \
  array name(const array& a, const array& b, StreamOrDevice s) { return binary(Op::name, a, b, s); }
#include "ops/table/binary.def"
#undef BINARY

namespace {

array unary_gradient(Op op, const array& x, const array& y, const array& g) {
  (void)y;
  switch (op) {
#define UNARY(name, accepts, result, low, high, forward, gradient, ...) \
  case Op::name: return gradient;
#include "ops/table/unary.def"
#undef UNARY
    default:
      throw ArgumentError(std::string("[gradient] '") + op_info(op).name + "' is not unary.");
  }
}

array binary_gradient(Op op, int which, const array& x, const array& y, const array& z,
                      const array& g) {
  (void)z;
  switch (op) {
#define BINARY(name, accepts, result, xl, xh, yl, yh, forward, gradient_x, gradient_y, ...) \
  case Op::name: return which == 0 ? array(gradient_x) : array(gradient_y);
#include "ops/table/binary.def"
#undef BINARY
    default:
      throw ArgumentError(std::string("[gradient] '") + op_info(op).name + "' is not binary.");
  }
}

}  // namespace

// A derivative f' turns t into f' t, and back g into conj(f') g. Where the result is real, the row
// has the way back; sign is no function of z alone, and the same both ways.
array unary_vjp(Op op, const array& x, const array& y, const array& g) {
  bool same = x.dtype() != complex64 || y.dtype() != complex64 || op == Op::sign;
  return same ? unary_gradient(op, x, y, g) : conjugate(unary_gradient(op, x, y, conjugate(g)));
}
array unary_jvp(Op op, const array& x, const array& y, const array& t) {
  bool to_real = x.dtype() == complex64 && y.dtype() != complex64;
  if (!to_real) return unary_gradient(op, x, y, t);
  return real(multiply(conjugate(unary_gradient(op, x, y, ones_like(y))), t));
}

array binary_vjp(Op op, int which, const array& x, const array& y, const array& z, const array& g) {
  if (z.dtype() != complex64) return binary_gradient(op, which, x, y, z, g);
  return conjugate(binary_gradient(op, which, x, y, z, conjugate(g)));
}
array binary_jvp(Op op, int which, const array& x, const array& y, const array& z, const array& t) {
  return binary_gradient(op, which, x, y, z, t);
}

array positive(const array& a, StreamOrDevice) { return a; }
array reciprocal(const array& a, StreamOrDevice s) {
  return divide(array(1, at_least_float(a.dtype())), a, s);
}
array degrees(const array& a, StreamOrDevice s) {
  return multiply(a, array(180.0 / std::numbers::pi, at_least_float(a.dtype())), s);
}
array radians(const array& a, StreamOrDevice s) {
  return multiply(a, array(std::numbers::pi / 180.0, at_least_float(a.dtype())), s);
}
array operator-(const array& a) { return negative(a); }
array operator~(const array& a) { return bitwise_invert(a); }

std::vector<array> divmod(const array& a, const array& b, StreamOrDevice s) {
  return {floor_divide(a, b, s), remainder(a, b, s)};
}

namespace {

// Integers to the nearest multiple of 10^places, ties to even ones.
array round_integers(const array& a, int places, const Stream& s) {
  Dtype dtype = a.dtype();
  if (dtype == bool_) return astype(round_integers(astype(a, uint8, s), places, s), bool_, s);
  int digits = issubdtype(dtype, unsignedinteger) ? 8 * dtype.size() : 8 * dtype.size() - 1;
  double power = std::pow(10.0, places);
  if (power >= std::ldexp(1.0, digits)) return zeros_like(a, s);
  array scale(power, dtype), half(power / 2, dtype);
  array quotient = floor_divide(a, scale, s);
  array rest = subtract(a, multiply(quotient, scale, s), s);
  array odd = not_equal(remainder(quotient, array(2, dtype), s), array(0, dtype), s);
  array up = logical_or(greater(rest, half, s), logical_and(equal(rest, half, s), odd, s), s);
  return multiply(add(quotient, astype(up, dtype, s), s), scale, s);
}

// The largest power of ten that a dtype holds.
int decimals_max(Dtype dtype) { return dtype == float16 ? 4 : dtype == float64 ? 308 : 38; }

}  // namespace

array round(const array& a, int decimals, StreamOrDevice s) {
  if (decimals == 0) return rint(a, s);
  decimals = std::clamp(decimals, -999, 999);  // more than any dtype has
  Dtype dtype = a.dtype();
  if (!issubdtype(dtype, inexact)) {
    return decimals > 0 ? a : round_integers(a, -decimals, to_stream(s));
  }
  if (std::abs(decimals) > decimals_max(dtype)) {
    if (dtype == float16) return astype(round(astype(a, float32, s), decimals, s), dtype, s);
    if (dtype == float32 || dtype == bfloat16) {
      return astype(round(astype(a, float64, s), decimals, s), dtype, s);
    }
    return decimals > 0 ? a : multiply(a, array(0, dtype), s);
  }
  array scale = array(std::pow(10.0, std::abs(decimals)), dtype);
  if (decimals < 0) return multiply(rint(divide(a, scale, s), s), scale, s);
  // What the scale takes out of the range has no decimals to lose.
  array scaled = multiply(a, scale, s);
  return where(isfinite(scaled, s), divide(rint(scaled, s), scale, s), a, s);
}

}  // namespace lazuli
