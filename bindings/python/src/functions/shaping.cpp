// Functions that change shapes, and that take arrays apart and put them together.
#include <algorithm>
#include <utility>

#include "array/casters.h"
#include "array/methods.h"
#include "array/operators.h"
#include "lazuli/ops.h"
#include "registry.h"

namespace lazuli::python {
namespace {

array squeeze_axes(const array& a, const Axes& axes, StreamOrDevice s) {
  return axes.all ? squeeze(a, s) : squeeze(a, axes.list, s);
}
array transpose_axes(const array& a, const Axes& axes, StreamOrDevice s) {
  return axes.all ? transpose(a, s) : transpose(a, axes.list, s);
}
array flip_axes(const array& a, const Axes& axes, StreamOrDevice s) {
  return axes.all ? flip(a, s) : flip(a, axes.list, s);
}

using Sections = std::vector<array> (*)(const array&, const nb::object&, int, StreamOrDevice);
std::vector<array> split_sections(const array& a, const nb::object& sections, int axis,
                                  StreamOrDevice s) {
  Extents extents;
  if (PyLong_Check(sections.ptr())) {
    return split(a, load_argument<int>(sections, "split", "indices_or_sections"), axis, s);
  }
  if (!load_extents(sections.ptr(), extents.shape, false)) {
    raise(PyExc_TypeError, "[split] Sections are a number or a sequence of indices.");
  }
  return split(a, extents.shape, axis, s);
}

array concatenate_axis(std::vector<array> arrays, std::optional<int> axis, StreamOrDevice s) {
  if (!axis) {
    for (array& a : arrays) a = flatten(a, s);
  }
  return concatenate(std::move(arrays), axis.value_or(0), s);
}

array stack_axis(const std::vector<array>& arrays, std::optional<int> axis, StreamOrDevice s) {
  return stack(arrays, axis.value_or(0), s);
}

array repeat_axis(const array& a, int repeats, std::optional<int> axis, StreamOrDevice s) {
  return axis ? repeat(a, repeats, *axis, s) : repeat(a, repeats, s);
}

array tile_by(const array& a, const Extents& repeats, StreamOrDevice s) {
  return tile(a, to_ints(repeats.shape, "tile", "reps"), s);
}

array roll_by(const array& a, const Extents& shift, const Axes& axes, StreamOrDevice s) {
  if (axes.all) {
    int64_t total = 0, size = std::max<int64_t>(static_cast<int64_t>(a.size()), 1);
    for (int64_t step : shift.shape) total = (total + step % size) % size;
    return reshape(roll(flatten(a, s), Shape{total}, {0}, s), a.shape(), s);
  }
  return roll(a, shift.shape, axes.list, s);
}

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

array pad_by(const array& a, nb::handle widths, const std::string& mode, const Operand& value,
             StreamOrDevice s) {
  array fill = is_number(value.object) ? from_number(value.object, a.dtype()) : value.value();
  return pad(a, pad_widths(a, widths), fill, mode, s);
}

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

Shape common_shape(const nb::args& shapes) {
  if (shapes.size() == 0) throw ArgumentError("[broadcast_shapes] At least one shape is needed.");
  Shape result;
  for (nb::handle item : shapes) {
    Shape shape;
    if (!load_extents(item.ptr(), shape, false)) {
      raise(PyExc_TypeError, "[broadcast_shapes] A shape is a sequence of integers.");
    }
    result = broadcast_shapes(result, shape);
  }
  return result;
}

array strided(const array& a, std::optional<Shape> shape, std::optional<Shape> strides,
              size_t offset, StreamOrDevice s) {
  Shape extents = shape.value_or(a.shape());
  Strides steps(extents.size(), 1);
  for (size_t d = extents.size(); d-- > 1 && !strides;) {
    if (__builtin_mul_overflow(steps[d], extents[d], &steps[d - 1])) {
      throw ArgumentError("[as_strided] The shape has too many elements.");
    }
  }
  return as_strided(a, extents, strides.value_or(steps), offset, s);
}

// ---- Methods ------------------------------------------------------------------------------------

// The extents of `x.reshape(2, 3)` or `x.reshape((2, 3))`.
Shape variadic_shape(const nb::args& args) {
  Shape shape;
  PyObject* source = args.ptr();
  if (args.size() == 1 && !PyLong_Check(args[0].ptr())) source = nb::object(args[0]).ptr();
  if (!load_extents(source, shape, false)) {
    raise(PyExc_TypeError, "A shape or axes are integers or one sequence of them.");
  }
  return shape;
}

void register_methods() {
  auto stream = nb::arg("stream") = nb::none();
  define_method(
      "reshape",
      [](const array& a, const nb::args& shape, StreamOrDevice s) {
        return reshape(a, variadic_shape(shape), s);
      },
      nb::arg("shape"), nb::kw_only(), stream);
  define_method(
      "transpose",
      [](const array& a, const nb::args& axes, StreamOrDevice s) {
        if (axes.size() == 0) return transpose(a, s);
        return transpose(a, to_ints(variadic_shape(axes), "transpose", "axes"), s);
      },
      nb::arg("axes"), nb::kw_only(), stream);
  define_method("squeeze", &squeeze_axes, nb::arg("axis") = nb::none(), nb::kw_only(), stream);
  define_method(
      "flatten",
      [](const array& a, int start, int end, StreamOrDevice s) {
        return flatten(a, start, end, s);
      },
      nb::arg("start_axis") = 0, nb::arg("end_axis") = -1, nb::kw_only(), stream);
  define_method("split", &split_sections, nb::arg("indices_or_sections"), nb::arg("axis") = 0,
                nb::kw_only(), stream);
  define_method("swapaxes", &swapaxes, nb::arg("axis1"), nb::arg("axis2"), nb::kw_only(), stream);
  define_method("moveaxis", &moveaxis, nb::arg("source"), nb::arg("destination"), nb::kw_only(),
                stream);
  define_method("diag", &diag, nb::arg("k") = 0, nb::kw_only(), stream);
  define_method("diagonal", &diagonal, nb::arg("offset") = 0, nb::arg("axis1") = 0,
                nb::arg("axis2") = 1, stream);
}

void register_views(nb::module_& m) {
  auto stream = nb::arg("stream") = nb::none();
  auto a = nb::arg("a");
  m.def("reshape", &reshape, a, nb::arg("shape"), nb::kw_only(), stream,
        "The elements in row-major order in another shape; one extent may be -1.");
  m.def(
      "flatten",
      [](const array& a, int start, int end, StreamOrDevice s) {
        return flatten(a, start, end, s);
      },
      a, nb::arg("start_axis") = 0, nb::arg("end_axis") = -1, nb::kw_only(), stream);
  m.def("unflatten", &unflatten, a, nb::arg("axis"), nb::arg("shape"), nb::kw_only(), stream);
  m.def("squeeze", &squeeze_axes, a, nb::arg("axis") = nb::none(), nb::kw_only(), stream);
  m.def(
      "expand_dims",
      [](const array& a, const Axes& axes, StreamOrDevice s) {
        return expand_dims(a, axes.list, s);
      },
      a, nb::arg("axis"), nb::kw_only(), stream);
  for (const char* name : {"transpose", "permute_dims"}) {
    m.def(name, &transpose_axes, a, nb::arg("axes") = nb::none(), nb::kw_only(), stream);
  }
  m.def("matrix_transpose", &matrix_transpose, a, nb::kw_only(), stream);
  m.def("swapaxes", &swapaxes, a, nb::arg("axis1"), nb::arg("axis2"), nb::kw_only(), stream);
  m.def("moveaxis", &moveaxis, a, nb::arg("source"), nb::arg("destination"), nb::kw_only(), stream);
  m.def(
      "broadcast_to",
      [](const Operand& a, const Extents& shape, StreamOrDevice s) {
        return broadcast_to(a.value(), shape.shape, s);
      },
      a, nb::arg("shape"), nb::kw_only(), stream);
  m.def(
      "broadcast_arrays",
      [](const nb::args& arrays, StreamOrDevice s) {
        return broadcast_arrays(load_arrays(arrays), s);
      },
      nb::arg("arrays"), stream);
  m.def("broadcast_shapes", &common_shape, nb::arg("shapes"));
  m.def("as_strided", &strided, a, nb::arg("shape") = nb::none(), nb::arg("strides") = nb::none(),
        nb::arg("offset") = 0, nb::kw_only(), stream);
  m.def("flip", &flip_axes, a, nb::arg("axis") = nb::none(), nb::kw_only(), stream);
  m.def("diag", &diag, a, nb::arg("k") = 0, nb::kw_only(), stream);
  m.def("diagonal", &diagonal, a, nb::arg("offset") = 0, nb::arg("axis1") = 0, nb::arg("axis2") = 1,
        stream);
}

void register_parts(nb::module_& m) {
  auto stream = nb::arg("stream") = nb::none();
  auto a = nb::arg("a");
  for (const char* name : {"concatenate", "concat"}) {
    m.def(name, &concatenate_axis, nb::arg("arrays"), nb::arg("axis").none() = 0, nb::kw_only(),
          stream, "Arrays one after the other along an axis.");
  }
  m.def("stack", &stack_axis, nb::arg("arrays"), nb::arg("axis").none() = 0, nb::kw_only(), stream,
        "Arrays of one shape along a new axis.");
  m.def("split", &split_sections, a, nb::arg("indices_or_sections"), nb::arg("axis") = 0,
        nb::kw_only(), stream);
  m.def(
      "unstack",
      [](const array& x, int axis, StreamOrDevice s) { return as_tuple(unstack(x, axis, s)); },
      nb::arg("x"), nb::kw_only(), nb::arg("axis") = 0, stream);
  m.def("repeat", &repeat_axis, nb::arg("array"), nb::arg("repeats"), nb::arg("axis") = nb::none(),
        nb::kw_only(), stream);
  m.def("tile", &tile_by, a, nb::arg("reps"), nb::kw_only(), stream);
  m.def("roll", &roll_by, a, nb::arg("shift"), nb::arg("axis") = nb::none(), nb::kw_only(), stream);
  m.def("pad", &pad_by, a, nb::arg("pad_width"), nb::arg("mode") = "constant",
        nb::arg("constant_values") = 0, nb::kw_only(), stream);
  m.def(
      "meshgrid",
      [](const nb::args& arrays, std::optional<bool> sparse, std::optional<std::string> indexing,
         StreamOrDevice s) {
        return as_tuple(
            meshgrid(load_arrays(arrays), sparse.value_or(false), indexing.value_or("xy"), s));
      },
      nb::arg("arrays"), nb::arg("sparse").none() = false, nb::arg("indexing").none() = "xy",
      stream);
}

void register_picking(nb::module_& m) {
  auto stream = nb::arg("stream") = nb::none(), none = nb::arg("axis") = nb::none();
  auto a = nb::arg("a"), indices = nb::arg("indices");
  m.def(
      "take",
      [](const array& a, const array& indices, std::optional<int> axis, StreamOrDevice s) {
        return axis ? take(a, indices, *axis, s) : take(a, indices, s);
      },
      a, indices, none, nb::kw_only(), stream, "Elements or slices by index.");
  m.def(
      "take_along_axis",
      [](const array& a, const array& indices, std::optional<int> axis, StreamOrDevice s) {
        return axis ? take_along_axis(a, indices, *axis, s)
                    : take_along_axis(flatten(a, s), indices, 0, s);
      },
      a, indices, nb::arg("axis").none() = -1, nb::kw_only(), stream);
  m.def(
      "put_along_axis",
      [](const array& a, const array& indices, const array& values, std::optional<int> axis,
         StreamOrDevice s) {
        if (axis) return put_along_axis(a, indices, values, *axis, s);
        return reshape(put_along_axis(flatten(a, s), indices, values, 0, s), a.shape(), s);
      },
      a, indices, nb::arg("values"), none, nb::kw_only(), stream);
  m.def("astype", &astype, a, nb::arg("dtype"), nb::kw_only(), stream);
  m.def("contiguous", &contiguous, a, nb::arg("allow_col_major") = false, nb::kw_only(), stream);
  m.def("stop_gradient", &stop_gradient, a, nb::kw_only(), stream);
}

}  // namespace

void register_shape_ops(nb::module_& m) {
  register_views(m);
  register_parts(m);
  register_picking(m);
  register_methods();
}

}  // namespace lazuli::python
