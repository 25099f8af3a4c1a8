// Elementwise operations and operators.
#pragma once

#include <type_traits>
#include <vector>

#include "lazuli/array.h"

namespace lazuli {

#define LAZULI_UNARY(name) array name(const array& a, StreamOrDevice s = {});
LAZULI_UNARY(abs)
LAZULI_UNARY(arccos)
LAZULI_UNARY(arccosh)
LAZULI_UNARY(arcsin)
LAZULI_UNARY(arcsinh)
LAZULI_UNARY(arctan)
LAZULI_UNARY(arctanh)
LAZULI_UNARY(bitwise_invert)
LAZULI_UNARY(ceil)
LAZULI_UNARY(conjugate)
LAZULI_UNARY(cos)
LAZULI_UNARY(cosh)
LAZULI_UNARY(degrees)
LAZULI_UNARY(erf)
LAZULI_UNARY(erfinv)
LAZULI_UNARY(exp)
LAZULI_UNARY(expm1)
LAZULI_UNARY(floor)
LAZULI_UNARY(imag)
LAZULI_UNARY(isfinite)
LAZULI_UNARY(isinf)
LAZULI_UNARY(isnan)
LAZULI_UNARY(isneginf)
LAZULI_UNARY(isposinf)
LAZULI_UNARY(log)
LAZULI_UNARY(log10)
LAZULI_UNARY(log1p)
LAZULI_UNARY(log2)
LAZULI_UNARY(logical_not)
LAZULI_UNARY(negative)
LAZULI_UNARY(positive)
LAZULI_UNARY(radians)
LAZULI_UNARY(real)
LAZULI_UNARY(reciprocal)
LAZULI_UNARY(rint)  // nearest integer, ties to even
LAZULI_UNARY(rsqrt)
LAZULI_UNARY(sigmoid)
LAZULI_UNARY(sign)
LAZULI_UNARY(sin)
LAZULI_UNARY(sinh)
LAZULI_UNARY(sqrt)
LAZULI_UNARY(square)
LAZULI_UNARY(tan)
LAZULI_UNARY(tanh)
LAZULI_UNARY(trunc)
#undef LAZULI_UNARY
array round(const array& a, int decimals, StreamOrDevice s = {});
inline array round(const array& a, StreamOrDevice s = {}) { return round(a, 0, s); }

#define LAZULI_BINARY(name) array name(const array& a, const array& b, StreamOrDevice s = {});
LAZULI_BINARY(add)
LAZULI_BINARY(arctan2)
LAZULI_BINARY(bitwise_and)
LAZULI_BINARY(bitwise_or)
LAZULI_BINARY(bitwise_xor)
LAZULI_BINARY(divide)
LAZULI_BINARY(equal)
LAZULI_BINARY(floor_divide)
LAZULI_BINARY(greater)
LAZULI_BINARY(greater_equal)
LAZULI_BINARY(left_shift)
LAZULI_BINARY(less)
LAZULI_BINARY(less_equal)
LAZULI_BINARY(logaddexp)
LAZULI_BINARY(logical_and)
LAZULI_BINARY(logical_or)
LAZULI_BINARY(logical_xor)
LAZULI_BINARY(maximum)
LAZULI_BINARY(minimum)
LAZULI_BINARY(multiply)
LAZULI_BINARY(not_equal)
LAZULI_BINARY(power)
LAZULI_BINARY(remainder)
LAZULI_BINARY(right_shift)
LAZULI_BINARY(subtract)
#undef LAZULI_BINARY
std::vector<array> divmod(const array& a, const array& b, StreamOrDevice s = {});

array operator-(const array& a);
array operator~(const array& a);

#define LAZULI_OPERATOR(sign, name)                                                 \
  inline array operator sign(const array& a, const array& b) { return name(a, b); } \
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>             \
  array operator sign(T a, const array& b) {                                        \
    return name(array(a), b);                                                       \
  }                                                                                 \
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>             \
  array operator sign(const array& a, T b) {                                        \
    return name(a, array(b));                                                       \
  }
LAZULI_OPERATOR(+, add)
LAZULI_OPERATOR(-, subtract)
LAZULI_OPERATOR(*, multiply)
LAZULI_OPERATOR(/, divide)
LAZULI_OPERATOR(%, remainder)
LAZULI_OPERATOR(==, equal)
LAZULI_OPERATOR(!=, not_equal)
LAZULI_OPERATOR(<, less)
LAZULI_OPERATOR(<=, less_equal)
LAZULI_OPERATOR(>, greater)
LAZULI_OPERATOR(>=, greater_equal)
LAZULI_OPERATOR(&&, logical_and)
LAZULI_OPERATOR(||, logical_or)
LAZULI_OPERATOR(&, bitwise_and)
LAZULI_OPERATOR(|, bitwise_or)
LAZULI_OPERATOR(^, bitwise_xor)
LAZULI_OPERATOR(<<, left_shift)
LAZULI_OPERATOR(>>, right_shift)
#undef LAZULI_OPERATOR

}  // namespace lazuli
