// Elementwise ops in double, 64-bit integers and pairs of doubles.
#include "backends/reference/formulas.h"
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
// A float as an integer: truncated, the ends of the range beyond them, 0 for NaN.
int64_t saturated(double v, Dtype::Val dtype) {
  return visit(dtype, [&]<class T>() -> int64_t {
    using Limits = std::numeric_limits<T>;
    if constexpr (std::is_integral_v<T>) {
      if (std::isnan(v)) return 0;
      if (v <= static_cast<double>(Limits::min())) return static_cast<int64_t>(Limits::min());
      if (v >= std::ldexp(1.0, Limits::digits)) return static_cast<int64_t>(Limits::max());
      return static_cast<int64_t>(static_cast<T>(v));
    } else {
      return 0;
    }
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

// ---- Formulas ----
namespace rows {
using namespace formula;  // NOLINT: the columns name its functions
#define UNARY(name, accepts, result, low, high, forward, gradient, formula_, ...) \
  struct name##_row {                                                             \
    template <class T>                                                            \
    auto operator()(const T& x) const {                                           \
      return formula_;                                                            \
    }                                                                             \
  };
#define BINARY(name, accepts, result, xl, xh, yl, yh, forward, gx, gy, formula_, ...) \
  struct name##_row {                                                                 \
    template <class T>                                                                \
    auto operator()(const T& x, const T& y) const {                                   \
      return formula_;                                                                \
    }                                                                                 \
  };
#include "ops/table/binary.def"
#include "ops/table/unary.def"
#undef UNARY
#undef BINARY
}  // namespace rows

constexpr bool takes_integers(Accepts a) { return a != Accepts::Inexact && a != Accepts::Float; }
constexpr bool takes_complex(Accepts a) {
  return a == Accepts::Number || a == Accepts::Signed || a == Accepts::Inexact ||
         a == Accepts::Complex;
}

void keep(bool v, Tensor& out, size_t i) { out.whole[i] = v; }
void keep(double v, Tensor& out, size_t i) { out.real[i] = v; }
void keep(const Complex& v, Tensor& out, size_t i) { out.complex[i] = v; }
void keep(Integer v, Tensor& out, size_t i) { out.whole[i] = wrapped(v.value, out.dtype); }

// Applies a formula to the element of each operand.
template <class F, Accepts accepts, class... Operand>
void apply(Tensor& out, size_t i, const Tensor& first, Operand... operand) {
  if (first.is_complex()) {
    if constexpr (takes_complex(accepts)) return keep(F()(operand.complex()...), out, i);
  } else if (first.is_real()) {
    if constexpr (!is_integral(accepts)) return keep(F()(operand.real()...), out, i);
  } else {
    if constexpr (takes_integers(accepts)) return keep(F()(operand.whole()...), out, i);
  }
  throw RuntimeError("[reference] The row has no formula for this dtype.");
}

struct Element {
  const Tensor& tensor;
  size_t at;
  Complex complex() const { return tensor.complex[at]; }
  double real() const { return tensor.real[at]; }
  Integer whole() const { return {tensor.whole[at], tensor.dtype}; }
};

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
    out.whole[i] = saturated(x, out.dtype);
  } else {
    out.whole[i] = wrapped(x, out.dtype);
  }
}

void convert(const Tensor& x, size_t from, Tensor& out, size_t i) {
  if (x.is_complex()) convert_to(x.complex[from], out, i);
  else if (x.is_real()) convert_to(rounded(x.real[from], x.dtype.val()), out, i);
  else if (x.dtype == uint64 && out.is_real()) {
    out.real[i] = rounded(static_cast<double>(static_cast<uint64_t>(x.whole[from])), out.dtype);
  } else if (x.dtype == uint64 && out.is_complex()) {
    out.complex[i] = static_cast<double>(static_cast<uint64_t>(x.whole[from]));
  } else convert_to(x.whole[from], out, i);
}

// ---- One element ----
void unary_element(Op op, const Tensor& x, size_t from, Tensor& out, size_t i) {
  switch (op) {
    case Op::astype:
    case Op::copy: return convert(x, from, out, i);
#define UNARY(name, accepts, ...) \
  case Op::name: return apply<rows::name##_row, Accepts::accepts>(out, i, x, Element{x, from});
#include "ops/table/unary.def"
#undef UNARY
    default: throw RuntimeError("[reference] No unary formula.");
  }
}

void binary_element(Op op, const Tensor& x, size_t a, const Tensor& y, size_t b, Tensor& out,
                    size_t i) {
  switch (op) {
#define BINARY(name, accepts, ...) \
  case Op::name:                   \
    return apply<rows::name##_row, Accepts::accepts>(out, i, x, Element{x, a}, Element{y, b});
#include "ops/table/binary.def"
#undef BINARY
    default: throw RuntimeError("[reference] No binary formula.");
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
