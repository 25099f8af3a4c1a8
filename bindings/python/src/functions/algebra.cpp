// Compositions of products and sums, windows, linear algebra.
#include "array/casters.h"
#include "lazuli/linalg.h"
#include "lazuli/ops.h"
#include "registry.h"

namespace lazuli::python {
namespace {

using Window = array (*)(int, StreamOrDevice);
constexpr std::pair<const char*, Window> windows[] = {
    {"hanning", &hanning}, {"hamming", &hamming}, {"blackman", &blackman}, {"bartlett", &bartlett}};

using Raise = array (*)(const array&, StreamOrDevice);
constexpr std::pair<const char*, Raise> raises[] = {
    {"atleast_1d", &atleast_1d}, {"atleast_2d", &atleast_2d}, {"atleast_3d", &atleast_3d}};

array load_array(nb::handle object, const char* function, const char* argument) {
  if (is_array(object.ptr())) return value_of(object.ptr());
  return load_argument<Operand>(object, function, argument).value();
}

array tensordot_of(const array& a, const array& b, nb::handle axes, StreamOrDevice s) {
  int count = 0;
  if (nb::try_cast(axes, count)) return tensordot(a, b, count, s);
  auto pair = load_argument<std::vector<std::vector<int>>>(axes, "tensordot", "axes");
  if (pair.size() != 2) {
    throw ArgumentError("[tensordot] Axes are a number or two lists, not " +
                        std::to_string(pair.size()) + ".");
  }
  return tensordot(a, b, pair[0], pair[1], s);
}

array norm_of(const array& a, nb::handle ord, const Axes& axes, bool keepdims, StreamOrDevice s) {
  std::optional<std::vector<int>> over;
  if (!axes.all) over = axes.list;
  if (ord.is_none()) return linalg::norm(a, over, keepdims, s);
  if (PyUnicode_Check(ord.ptr())) {
    return linalg::norm(a, nb::cast<std::string>(ord), over, keepdims, s);
  }
  return linalg::norm(a, load_argument<double>(ord, "linalg::norm", "ord"), over, keepdims, s);
}

array einsum_of(const std::string& subscripts, const nb::args& operands, StreamOrDevice s) {
  std::vector<array> values;
  for (nb::handle operand : operands) {
    values.push_back(load_array(operand, "einsum", "operands"));
  }
  return einsum(subscripts, values, s);
}

nb::object depends_of(nb::handle inputs, nb::handle dependencies) {
  auto list = [](nb::handle object, const char* argument) {
    if (is_array(object.ptr())) return std::vector<array>{value_of(object.ptr())};
    return load_argument<std::vector<array>>(object, "depends", argument);
  };
  std::vector<array> result = depends(list(inputs, "inputs"), list(dependencies, "dependencies"));
  return is_array(inputs.ptr()) ? nb::cast(result[0]) : nb::cast(result);
}

template <size_t row>
nb::object raise_of(const nb::args& arrays, StreamOrDevice s) {
  std::vector<array> result;
  for (nb::handle object : arrays) {
    const char* name = raises[row].first;
    result.push_back(raises[row].second(load_array(object, name, "arys"), s));
  }
  return result.size() == 1 ? nb::cast(result[0]) : nb::cast(result);
}

void register_linalg(nb::module_& module) {
  nb::module_ m = module.def_submodule("linalg", "Linear algebra.");
  auto stream = nb::arg("stream") = nb::none();
  m.def("norm", &norm_of, nb::arg("a"), nb::arg("ord") = nb::none(), nb::arg("axis") = nb::none(),
        nb::arg("keepdims") = false, nb::kw_only(), stream,
        "The norm of vectors along an axis or of matrices along two; without axes and order of all "
        "elements. Orders of vectors: any number, infinite ones too; of matrices: 1, -1, infinite "
        "ones, 'fro'.");
  m.def("cross", &linalg::cross, nb::arg("a"), nb::arg("b"), nb::arg("axis") = -1, nb::kw_only(),
        stream, "The vector product along an axis of two or three elements.");
}

}  // namespace

void register_algebra(nb::module_& m) {
  auto stream = nb::arg("stream") = nb::none();
  for (const auto& [name, function] : windows) {
    m.def(name, function, nb::arg("M"), nb::kw_only(), stream,
          "A symmetric window of M elements, float32.");
  }
  m.def("kron", &kron, nb::arg("a"), nb::arg("b"), nb::kw_only(), stream,
        "Each element of a times all of b, in its place.");
  m.def("tensordot", &tensordot_of, nb::arg("a"), nb::arg("b"), nb::arg("axes") = 2, nb::kw_only(),
        stream, "Products summed over the last axes of a and the first of b, or over pairs.");
  m.def("einsum", &einsum_of, nb::arg("subscripts"), nb::arg("operands"), nb::kw_only(), stream,
        "Einstein summation: 'ij,jk->ik' is a matrix product.");
  m.def("vecdot", &vecdot, nb::arg("a"), nb::arg("b"), nb::kw_only(), nb::arg("axis") = -1, stream,
        "Sums of conj(a) * b along an axis.");
  m.def(
      "trace",
      [](const array& a, int offset, int axis1, int axis2, std::optional<Dtype> dtype,
         StreamOrDevice s) { return trace(a, offset, axis1, axis2, dtype.value_or(a.dtype()), s); },
      nb::arg("a"), nb::arg("offset") = 0, nb::arg("axis1") = 0, nb::arg("axis2") = 1,
      nb::arg("dtype") = nb::none(), nb::kw_only(), stream, "Sums of diagonals.");
  m.def("diff", &diff, nb::arg("a"), nb::arg("n") = 1, nb::arg("axis") = -1, nb::kw_only(), stream,
        "Differences of neighbours along an axis, n times.");
  m.def(
      "median",
      [](const array& a, const Axes& axes, bool keepdims, StreamOrDevice s) {
        return axes.all ? median(a, keepdims, s) : median(a, axes.list, keepdims, s);
      },
      nb::arg("a"), nb::arg("axis") = nb::none(), nb::arg("keepdims") = false, nb::kw_only(),
      stream, "Middle elements, or the means of the two.");
  auto raise = [&]<size_t row>() {
    m.def(raises[row].first, &raise_of<row>, nb::arg("arys"), nb::kw_only(), stream,
          "The arrays with axes of extent 1, so that they have at least so many.");
  };
  raise.template operator()<0>();
  raise.template operator()<1>();
  raise.template operator()<2>();
  m.def("depends", &depends_of, nb::arg("inputs"), nb::arg("dependencies"),
        "The inputs, which are not there before the dependencies are.");
  register_linalg(m);
}

}  // namespace lazuli::python
