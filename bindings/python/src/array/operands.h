// Operands of elementwise functions: arrays, and numbers that yield to the dtype of an array.
#pragma once

#include <optional>

#include "array/casters.h"

namespace lazuli::python {

inline std::optional<array> optional_value(const std::optional<Operand>& operand) {
  return operand ? std::optional<array>(operand->value()) : std::nullopt;
}

// The function of both operands, brought together; two arrays go to it as they are.
template <class Result>
Result apply_together(Result (*function)(const array&, const array&, StreamOrDevice),
                      NumberBeside number_beside, const Operand& a, const Operand& b,
                      StreamOrDevice stream) {
  if (is_array(a.object) && is_array(b.object)) {
    return function(value_of(a.object), value_of(b.object), stream);
  }
  auto [x, y] = from_operands(a.object, b.object, number_beside);
  return function(x, y, stream);
}

}  // namespace lazuli::python
