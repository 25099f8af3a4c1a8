// Elementwise functions, bound from the rows of the op tables.
#include <utility>

#include "array/casters.h"
#include "array/methods.h"
#include "lazuli/ops.h"
#include "registry.h"

namespace lazuli::python {
namespace {

struct UnaryRow {
  const char* name;
  UnaryFunction function;
  const char* documentation;
};
constexpr UnaryRow unary_rows[] = {
#define UNARY(name, accepts, result, low, high, forward, gradient, reference, documentation, ...) \
  {#name, &lazuli::name, documentation},
#include "ops/table/unary.def"
#undef UNARY
    {"degrees", &lazuli::degrees, "Radians as degrees."},
    {"positive", &lazuli::positive, "The same values."},
    {"radians", &lazuli::radians, "Degrees as radians."},
    {"reciprocal", &lazuli::reciprocal, "1 / x."},
};

using BinaryFunction = array (*)(const Operand&, const Operand&, StreamOrDevice);
constexpr bool compares(array (*function)(const array&, const array&, StreamOrDevice)) {
  return function == &equal || function == &not_equal || function == &less ||
         function == &less_equal || function == &greater || function == &greater_equal;
}

template <array (*function)(const array&, const array&, StreamOrDevice)>
array of_operands(const Operand& a, const Operand& b, StreamOrDevice s) {
  if (is_array(a.object) && is_array(b.object)) {
    return function(value_of(a.object), value_of(b.object), s);
  }
  auto [x, y] = from_operands(a.object, b.object,
                              compares(function) ? from_compared_number : from_weak_number);
  return function(x, y, s);
}

struct BinaryRow {
  const char* name;
  BinaryFunction function;
  const char* documentation;
};
constexpr BinaryRow binary_rows[] = {
#define BINARY(name, accepts, result, low, high, low_2, high_2, forward, gradient, gradient_2, \
               reference, documentation, ...)                                                  \
  {#name, &of_operands<&lazuli::name>, documentation},
#include "ops/table/binary.def"
#undef BINARY
};

// Second names, as the array API standard has them.
constexpr std::pair<const char*, const char*> aliases[] = {
    {"acos", "arccos"},
    {"acosh", "arccosh"},
    {"asin", "arcsin"},
    {"asinh", "arcsinh"},
    {"atan", "arctan"},
    {"atan2", "arctan2"},
    {"atanh", "arctanh"},
    {"bitwise_left_shift", "left_shift"},
    {"bitwise_right_shift", "right_shift"},
    {"conj", "conjugate"},
    {"pow", "power"},
};

array where_operands(const Operand& condition, const Operand& x, const Operand& y,
                     StreamOrDevice s) {
  auto [a, b] = from_operands(x.object, y.object);
  return where(condition.value(), a, b, s);
}

array clip_operands(const array& a, std::optional<Operand> low, std::optional<Operand> high,
                    StreamOrDevice s) {
  if (!low && !high) throw ArgumentError("[clip] At most one of a_min and a_max may be None.");
  auto bound = [&](const std::optional<Operand>& operand) -> std::optional<array> {
    if (!operand) return std::nullopt;
    if (is_number(operand->object)) return from_weak_number(operand->object, a.dtype());
    return operand->value();
  };
  return clip(a, bound(low), bound(high), s);
}

void register_rest(nb::module_& m) {
  auto stream = nb::arg("stream") = nb::none();
  m.def(
      "divmod",
      [](const Operand& a, const Operand& b, StreamOrDevice s) {
        auto [x, y] = from_operands(a.object, b.object);
        return divmod(x, y, s);
      },
      nb::arg("a"), nb::arg("b"), stream, "Quotients rounded down, and remainders.");
  m.def("where", &where_operands, nb::arg("condition"), nb::arg("x"), nb::arg("y"), nb::kw_only(),
        stream, "Elements of x where the condition holds, else of y.");
  m.def("clip", &clip_operands, nb::arg("a"), nb::arg("a_min").none(), nb::arg("a_max").none(),
        nb::kw_only(), stream, "Values brought between two bounds; None is no bound.");
  m.def(
      "round", [](const array& a, int decimals, StreamOrDevice s) { return round(a, decimals, s); },
      nb::arg("a"), nb::arg("decimals") = 0, stream, "Values rounded, ties to even.");
  m.def("nan_to_num", &nan_to_num, nb::arg("a"), nb::arg("nan") = 0.0,
        nb::arg("posinf") = nb::none(), nb::arg("neginf") = nb::none(), nb::kw_only(), stream,
        "NaN and infinities replaced by numbers.");
  auto close = [&](const char* name, auto function, const char* documentation) {
    m.def(name, function, nb::arg("a"), nb::arg("b"), nb::arg("rtol") = 1e-5,
          nb::arg("atol") = 1e-8, nb::kw_only(), nb::arg("equal_nan") = false, stream,
          documentation);
  };
  close("isclose", &isclose, "Whether elements agree: |a - b| <= atol + rtol |b|.");
  close("allclose", &allclose, "Whether all elements agree.");
  m.def(
      "array_equal",
      [](const Operand& a, const Operand& b, bool equal_nan, StreamOrDevice s) {
        auto [x, y] = from_operands(a.object, b.object, from_compared_number);
        return array_equal(x, y, equal_nan, s);
      },
      nb::arg("a"), nb::arg("b"), nb::arg("equal_nan") = false, stream,
      "Whether shapes and elements are equal.");
}

}  // namespace

void register_elementwise(nb::module_& m) {
  auto stream = nb::arg("stream") = nb::none();
  for (const UnaryRow& row : unary_rows) {
    m.def(row.name, row.function, nb::arg("a"), stream, row.documentation);
  }
  for (const BinaryRow& row : binary_rows) {
    m.def(row.name, row.function, nb::arg("a"), nb::arg("b"), stream, row.documentation);
  }
  for (const auto& [alias, name] : aliases) m.attr(alias) = m.attr(name);
  register_rest(m);
}

}  // namespace lazuli::python
