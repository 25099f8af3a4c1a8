// Elementwise operations and operators: those of the tables (elementwise_ops.h) and what is
// composed of them.
#pragma once

#include <type_traits>
#include <vector>

#include "lazuli/array.h"
#include "lazuli/elementwise_ops.h"

namespace lazuli {

array degrees(const array& a, StreamOrDevice s = {});
array positive(const array& a, StreamOrDevice s = {});
array radians(const array& a, StreamOrDevice s = {});
array reciprocal(const array& a, StreamOrDevice s = {});
array round(const array& a, int decimals, StreamOrDevice s = {});
inline array round(const array& a, StreamOrDevice s = {}) { return round(a, 0, s); }

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
