// Functions that put arrays together, take them apart and repeat them.
#include <algorithm>
#include <utility>

#include "functions/adapters.h"
#include "functions/sequences.h"
#include "lazuli/ops.h"

namespace lazuli::python {

nb::tuple as_tuple(const std::vector<array>& arrays) {
  nb::list list = nb::cast<nb::list>(nb::cast(arrays));
  return nb::tuple(list);
}

std::vector<array> load_arrays(const nb::args& args) {
  std::vector<array> arrays;
  for (nb::handle item : args) {
    if (!is_array(item.ptr())) {
      raise(PyExc_TypeError,
            std::string("An array is expected, not ") + Py_TYPE(item.ptr())->tp_name + ".");
    }
    arrays.push_back(value_of(item.ptr()));
  }
  return arrays;
}

array load_operand(nb::handle object, const char* function, const char* argument) {
  if (is_array(object.ptr())) return value_of(object.ptr());
  return load_argument<Operand>(object, function, argument).value();
}

namespace {

// One number for all sides, (before, after) for all axes, or a pair (or one number) for each axis.
std::vector<std::pair<int, int>> pad_widths(const array& a, nb::handle widths) {
  auto pair = [](nb::handle item) -> std::pair<int, int> {
    Extents e;
    if (!load_extents(item.ptr(), e.shape, true) || e.shape.empty() || e.shape.size() > 2) {
      raise(PyExc_TypeError, "[pad] Widths are a number, a pair or a pair for each axis.");
    }
    return {to_int(e.shape[0], "pad", "pad_width"), to_int(e.shape.back(), "pad", "pad_width")};
  };
  bool nested = (PyTuple_Check(widths.ptr()) || PyList_Check(widths.ptr())) &&
                nb::len(widths) > 0 && !PyLong_Check(nb::object(widths[0]).ptr());
  if (!nested) return std::vector<std::pair<int, int>>(a.ndim(), pair(widths));
  std::vector<std::pair<int, int>> result;
  for (nb::handle item : widths) result.push_back(pair(item));
  if (result.size() == 1) return std::vector<std::pair<int, int>>(a.ndim(), result[0]);
  return result;
}

// The arrays with at least so many dimensions: one, or a list.
nb::object raise_all(const nb::args& arrays, const char* name,
                     array (*raise)(const array&, StreamOrDevice), StreamOrDevice s) {
  std::vector<array> result;
  for (nb::handle object : arrays) {
    result.push_back(raise(load_operand(object, name, "arys"), s));
  }
  return result.size() == 1 ? nb::cast(result[0]) : nb::cast(result);
}

}  // namespace

namespace adapters {

array concatenate(std::vector<array> arrays, std::optional<int> axis, StreamOrDevice s) {
  if (!axis) {
    for (array& a : arrays) a = flatten(a, s);
  }
  return lazuli::concatenate(std::move(arrays), axis.value_or(0), s);
}

std::vector<array> split(const array& a, const nb::object& sections, int axis, StreamOrDevice s) {
  Extents extents;
  if (PyLong_Check(sections.ptr())) {
    return lazuli::split(a, load_argument<int>(sections, "split", "indices_or_sections"), axis, s);
  }
  if (!load_extents(sections.ptr(), extents.shape, false)) {
    raise(PyExc_TypeError, "[split] Sections are a number or a sequence of indices.");
  }
  return lazuli::split(a, extents.shape, axis, s);
}

nb::tuple unstack(const array& x, int axis, StreamOrDevice s) {
  return as_tuple(lazuli::unstack(x, axis, s));
}

array repeat(const array& a, int repeats, std::optional<int> axis, StreamOrDevice s) {
  return axis ? lazuli::repeat(a, repeats, *axis, s) : lazuli::repeat(a, repeats, s);
}

array tile(const array& a, const Extents& repeats, StreamOrDevice s) {
  return lazuli::tile(a, to_ints(repeats.shape, "tile", "reps"), s);
}

array roll(const array& a, const Extents& shift, const Axes& axes, StreamOrDevice s) {
  if (axes.all) {
    int64_t total = 0, size = std::max<int64_t>(static_cast<int64_t>(a.size()), 1);
    for (int64_t step : shift.shape) total = (total + step % size) % size;
    return reshape(lazuli::roll(flatten(a, s), Shape{total}, {0}, s), a.shape(), s);
  }
  return lazuli::roll(a, shift.shape, axes.list, s);
}

array pad(const array& a, nb::handle widths, const std::string& mode, const Operand& value,
          StreamOrDevice s) {
  array fill = is_number(value.object) ? from_number(value.object, a.dtype()) : value.value();
  return lazuli::pad(a, pad_widths(a, widths), fill, mode, s);
}

nb::tuple meshgrid(const nb::args& arrays, std::optional<bool> sparse,
                   std::optional<std::string> indexing, StreamOrDevice s) {
  return as_tuple(
      lazuli::meshgrid(load_arrays(arrays), sparse.value_or(false), indexing.value_or("xy"), s));
}

nb::object atleast_1d(const nb::args& arrays, StreamOrDevice s) {
  return raise_all(arrays, "atleast_1d", &lazuli::atleast_1d, s);
}

nb::object atleast_2d(const nb::args& arrays, StreamOrDevice s) {
  return raise_all(arrays, "atleast_2d", &lazuli::atleast_2d, s);
}

nb::object atleast_3d(const nb::args& arrays, StreamOrDevice s) {
  return raise_all(arrays, "atleast_3d", &lazuli::atleast_3d, s);
}

nb::object depends(nb::handle inputs, nb::handle dependencies) {
  auto list = [](nb::handle object, const char* argument) {
    if (is_array(object.ptr())) return std::vector<array>{value_of(object.ptr())};
    return load_argument<std::vector<array>>(object, "depends", argument);
  };
  std::vector<array> result =
      lazuli::depends(list(inputs, "inputs"), list(dependencies, "dependencies"));
  return is_array(inputs.ptr()) ? nb::cast(result[0]) : nb::cast(result);
}

}  // namespace adapters
}  // namespace lazuli::python
