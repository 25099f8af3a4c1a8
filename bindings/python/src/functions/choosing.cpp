// Functions that choose and compare, of operands.
#include "functions/adapters.h"
#include "lazuli/ops.h"

namespace lazuli::python::adapters {

array where(const Operand& condition, const Operand& x, const Operand& y, StreamOrDevice s) {
  auto [a, b] = from_operands(x.object, y.object);
  return lazuli::where(condition.value(), a, b, s);
}

array clip(const array& a, std::optional<Operand> low, std::optional<Operand> high,
           StreamOrDevice s) {
  if (!low && !high) throw ArgumentError("[clip] At most one of a_min and a_max may be None.");
  auto bound = [&](const std::optional<Operand>& operand) -> std::optional<array> {
    if (!operand) return std::nullopt;
    if (is_number(operand->object)) return from_weak_number(operand->object, a.dtype());
    return operand->value();
  };
  return lazuli::clip(a, bound(low), bound(high), s);
}

array array_equal(const Operand& a, const Operand& b, bool equal_nan, StreamOrDevice s) {
  auto [x, y] = from_operands(a.object, b.object, from_compared_number);
  return lazuli::array_equal(x, y, equal_nan, s);
}

array put_along_axis(const array& a, const array& indices, const array& values,
                     std::optional<int> axis, StreamOrDevice s) {
  if (axis) return lazuli::put_along_axis(a, indices, values, *axis, s);
  array flat = lazuli::put_along_axis(flatten(a, s), indices, values, 0, s);
  return reshape(flat, a.shape(), s);
}

}  // namespace lazuli::python::adapters
