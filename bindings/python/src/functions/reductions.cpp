// Reductions, cumulative operations, order.
#include "array/casters.h"
#include "array/methods.h"
#include "lazuli/ops.h"
#include "registry.h"

namespace lazuli::python {
namespace {

// ---- One signature a table ----------------------------------------------------------------------
using Reduction = array (*)(const array&, const Axes&, bool, StreamOrDevice);
struct ReductionRow {
  const char* name;
  Reduction function;
  const char* documentation;
  bool is_method;
};
#define LAZULI_REDUCTION(name, is_method, documentation)                                       \
  {#name,                                                                                      \
   [](const array& a, const Axes& axes, bool keepdims, StreamOrDevice s) {                     \
     return axes.all ? lazuli::name(a, keepdims, s) : lazuli::name(a, axes.list, keepdims, s); \
   },                                                                                          \
   documentation, is_method},
constexpr ReductionRow reductions[] = {
    LAZULI_REDUCTION(all, true, "Whether all elements are true.") LAZULI_REDUCTION(
        any, true, "Whether an element is true.") LAZULI_REDUCTION(sum, true, "Sums.")
        LAZULI_REDUCTION(prod, true, "Products.") LAZULI_REDUCTION(max, true, "Largest elements.")
            LAZULI_REDUCTION(min, true, "Smallest elements.") LAZULI_REDUCTION(mean, true, "Means.")
                LAZULI_REDUCTION(logsumexp, true, "Logarithms of sums of exponentials.")};
#undef LAZULI_REDUCTION

using Spread = array (*)(const array&, const Axes&, bool, int, StreamOrDevice);
#define LAZULI_SPREAD(name)                                                         \
  [](const array& a, const Axes& axes, bool keepdims, int ddof, StreamOrDevice s) { \
    return axes.all ? lazuli::name(a, keepdims, ddof, s)                            \
                    : lazuli::name(a, axes.list, keepdims, ddof, s);                \
  }
constexpr std::pair<const char*, Spread> spreads[] = {{"var", LAZULI_SPREAD(var)},
                                                      {"std", LAZULI_SPREAD(std)}};
#undef LAZULI_SPREAD
using SpreadMethod = array (*)(const array&, const Axes&, bool, int, std::optional<int>,
                               StreamOrDevice);
template <size_t row>
array spread_method(const array& a, const Axes& axes, bool keepdims, int ddof,
                    std::optional<int> correction, StreamOrDevice s) {
  return spreads[row].second(a, axes, keepdims, correction.value_or(ddof), s);
}

using ArgReduction = array (*)(const array&, std::optional<int>, bool, StreamOrDevice);
#define LAZULI_ARG_REDUCTION(name)                                                       \
  {#name, [](const array& a, std::optional<int> axis, bool keepdims, StreamOrDevice s) { \
     return axis ? lazuli::name(a, *axis, keepdims, s) : lazuli::name(a, keepdims, s);   \
   }},
constexpr std::pair<const char*, ArgReduction> arg_reductions[] = {
    LAZULI_ARG_REDUCTION(argmax) LAZULI_ARG_REDUCTION(argmin)};
#undef LAZULI_ARG_REDUCTION

using Cumulative = array (*)(const array&, std::optional<int>, bool, bool, StreamOrDevice);
#define LAZULI_CUMULATIVE(name)                                                                  \
  {#name,                                                                                        \
   [](const array& a, std::optional<int> axis, bool reverse, bool inclusive, StreamOrDevice s) { \
     return lazuli::name(axis ? a : flatten(a, s), axis.value_or(0), reverse, inclusive, s);     \
   }},
constexpr std::pair<const char*, Cumulative> cumulatives[] = {LAZULI_CUMULATIVE(
    cumsum) LAZULI_CUMULATIVE(cumprod) LAZULI_CUMULATIVE(cummax) LAZULI_CUMULATIVE(cummin)};
#undef LAZULI_CUMULATIVE
using CumulativeAs = array (*)(const array&, std::optional<int>, bool, bool, std::optional<Dtype>,
                               StreamOrDevice);
template <size_t row>
array cumulative_as(const array& a, std::optional<int> axis, bool reverse, bool inclusive,
                    std::optional<Dtype> dtype, StreamOrDevice s) {
  return cumulatives[row].second(dtype ? astype(a, *dtype, s) : a, axis, reverse, inclusive, s);
}

using Sort = array (*)(const array&, std::optional<int>, StreamOrDevice);
#define LAZULI_SORT(name)                                                         \
  {#name, [](const array& a, std::optional<int> axis, StreamOrDevice s) {         \
     return axis ? lazuli::name(a, *axis, s) : lazuli::name(flatten(a, s), 0, s); \
   }},
constexpr std::pair<const char*, Sort> sorts[] = {LAZULI_SORT(sort) LAZULI_SORT(argsort)};
#undef LAZULI_SORT

using Partition = array (*)(const array&, int, std::optional<int>, StreamOrDevice);
#define LAZULI_PARTITION(name)                                                         \
  [](const array& a, int k, std::optional<int> axis, StreamOrDevice s) {               \
    return axis ? lazuli::name(a, k, *axis, s) : lazuli::name(flatten(a, s), k, 0, s); \
  }
struct PartitionRow {
  const char *name, *parameter;
  Partition function;
};
constexpr PartitionRow partitions[] = {
    {"partition", "kth", LAZULI_PARTITION(partition)},
    {"argpartition", "kth", LAZULI_PARTITION(argpartition)},
    {"topk", "k", LAZULI_PARTITION(topk)},
};
#undef LAZULI_PARTITION

auto stream_argument() { return nb::arg("stream") = nb::none(); }

void register_axes_reductions(nb::module_& m) {
  auto stream = stream_argument(), axis = nb::arg("axis") = nb::none();
  auto keepdims = nb::arg("keepdims") = false;
  for (const ReductionRow& row : reductions) {
    m.def(row.name, row.function, nb::arg("a"), axis, keepdims, nb::kw_only(), stream,
          row.documentation);
    if (row.is_method) {
      define_method(row.name, row.function, axis, keepdims, nb::kw_only(), stream,
                    row.documentation);
    }
  }
  for (const auto& [name, function] : spreads) {
    m.def(name, function, nb::arg("a"), axis, keepdims, nb::arg("ddof") = 0, nb::kw_only(), stream);
  }
  const std::pair<const char*, SpreadMethod> methods[] = {{"var", spread_method<0>},
                                                          {"std", spread_method<1>}};
  for (const auto& [name, function] : methods) {
    define_method(name, function, axis, keepdims, nb::arg("ddof") = 0, nb::kw_only(),
                  nb::arg("correction") = nb::none(), stream);
  }
  for (const auto& [name, function] : arg_reductions) {
    m.def(name, function, nb::arg("a"), axis, keepdims, nb::kw_only(), stream);
    define_method(name, function, axis, keepdims, nb::kw_only(), stream);
  }
  m.def(
      "count_nonzero",
      [](const array& a, const Axes& axes, bool keep, StreamOrDevice s) {
        return axes.all ? count_nonzero(a, keep, s) : count_nonzero(a, axes.list, keep, s);
      },
      nb::arg("a"), nb::kw_only(), axis, keepdims, stream, "Numbers of elements that are not 0.");
  m.def(
      "softmax",
      [](const array& a, const Axes& axes, bool precise, StreamOrDevice s) {
        return axes.all ? softmax(a, precise, s) : softmax(a, axes.list, precise, s);
      },
      nb::arg("a"), axis, nb::kw_only(), nb::arg("precise") = false, stream,
      "Exponentials divided by their sum.");
}

void register_cumulative(nb::module_& m) {
  auto stream = stream_argument(), axis = nb::arg("axis") = nb::none();
  auto reverse = nb::arg("reverse") = false, inclusive = nb::arg("inclusive") = true;
  for (const auto& [name, function] : cumulatives) {
    define_method(name, function, axis, nb::kw_only(), reverse, inclusive, stream);
  }
  const std::pair<const char*, CumulativeAs> with_dtype[] = {
      {"cumsum", cumulative_as<0>},
      {"cumulative_sum", cumulative_as<0>},
      {"cumprod", cumulative_as<1>},
      {"cumulative_prod", cumulative_as<1>},
  };
  for (const auto& [name, function] : with_dtype) {
    m.def(name, function, nb::arg("a"), axis, nb::kw_only(), reverse, inclusive,
          nb::arg("dtype") = nb::none(), stream);
  }
  for (size_t row : {2, 3}) {
    m.def(cumulatives[row].first, cumulatives[row].second, nb::arg("a"), axis, nb::kw_only(),
          reverse, inclusive, stream);
  }
}

}  // namespace

void register_reductions(nb::module_& m) {
  register_axes_reductions(m);
  register_cumulative(m);
  auto stream = stream_argument(), axis = nb::arg("axis").none() = -1;
  for (const auto& [name, function] : sorts) {
    m.def(name, function, nb::arg("a"), axis, nb::kw_only(), stream);
  }
  for (const PartitionRow& row : partitions) {
    m.def(row.name, row.function, nb::arg("a"), nb::arg(row.parameter), axis, nb::kw_only(),
          stream);
  }
}

}  // namespace lazuli::python
