#include "ops/elementwise.h"

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
    case Accepts::Ordered:
      if (is_complex) refuse(info, dtype, "real dtypes");
      return dtype;
    case Accepts::Integral:
      if (issubdtype(dtype, inexact)) refuse(info, dtype, "integers and booleans");
      return dtype;
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

// The imaginary unit times a real gradient.
array as_imaginary(const array& g) {
  return multiply(astype(g, complex64), array(complex64_t(0, 1)));
}

}  // namespace

array unary(Op op, const array& x, StreamOrDevice s) {
  const OpInfo& info = op_info(op);
  Stream stream = to_stream(s);
  Dtype dtype = accepted(info, x.dtype());
  if (dtype != x.dtype()) return unary(op, astype(x, dtype, stream), stream);
  return record(op, result_of(info, dtype), x.shape(), {&x}, {}, stream);
}

array binary(Op op, const array& x, const array& y, StreamOrDevice s) {
  const OpInfo& info = op_info(op);
  Stream stream = to_stream(s);
  Dtype dtype = accepted(info, promote_types(x.dtype(), y.dtype()));
  if (dtype != x.dtype() || dtype != y.dtype()) {
    return binary(op, astype(x, dtype, stream), astype(y, dtype, stream), stream);
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

array round(const array& a, int decimals, StreamOrDevice s) {
  if (decimals == 0) return rint(a, s);
  Dtype dtype = a.dtype();
  bool whole = issubdtype(dtype, integer) || dtype == bool_;
  if (whole && decimals > 0) return a;
  array scale = array(std::pow(10.0, std::abs(decimals)), whole ? float32 : dtype);
  array rounded = decimals > 0 ? divide(rint(multiply(a, scale, s), s), scale, s)
                               : multiply(rint(divide(a, scale, s), s), scale, s);
  return astype(rounded, dtype, s);
}

}  // namespace lazuli
