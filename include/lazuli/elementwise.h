// Elementwise operations (ops/unary.h, ops/binary.h) and operators.
#pragma once

#include <type_traits>

#include "lazuli/array.h"
#include "lazuli/ops/binary.h"
#include "lazuli/ops/unary.h"

namespace lazuli {

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
