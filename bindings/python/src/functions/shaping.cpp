// Functions that change shapes.
#include <algorithm>
#include <utility>

#include "array/operators.h"
#include "functions/adapters.h"
#include "functions/sequences.h"
#include "lazuli/ops.h"

namespace lazuli::python {
namespace {

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

}  // namespace

namespace adapters {

array reshape_to(const array& a, const nb::args& shape, StreamOrDevice s) {
  return reshape(a, variadic_shape(shape), s);
}

array transpose_to(const array& a, const nb::args& axes, StreamOrDevice s) {
  if (axes.size() == 0) return transpose(a, s);
  return transpose(a, to_ints(variadic_shape(axes), "transpose", "axes"), s);
}

array matrix_transpose(const array& a, StreamOrDevice s) { return python::matrix_transpose(a, s); }

std::vector<array> broadcast_arrays(const nb::args& arrays, StreamOrDevice s) {
  return lazuli::broadcast_arrays(load_arrays(arrays), s);
}

Shape broadcast_shapes(const nb::args& shapes) {
  if (shapes.size() == 0) throw ArgumentError("[broadcast_shapes] At least one shape is needed.");
  Shape result;
  for (nb::handle item : shapes) {
    Shape shape;
    if (!load_extents(item.ptr(), shape, false)) {
      raise(PyExc_TypeError, "[broadcast_shapes] A shape is a sequence of integers.");
    }
    result = lazuli::broadcast_shapes(result, shape);
  }
  return result;
}

array as_strided(const array& a, std::optional<Shape> shape, std::optional<Shape> strides,
                 size_t offset, StreamOrDevice s) {
  Shape extents = shape.value_or(a.shape());
  Strides steps(extents.size(), 1);
  for (size_t d = extents.size(); d-- > 1 && !strides;) {
    if (__builtin_mul_overflow(steps[d], extents[d], &steps[d - 1])) {
      throw ArgumentError("[as_strided] The shape has too many elements.");
    }
  }
  return lazuli::as_strided(a, extents, strides.value_or(steps), offset, s);
}

}  // namespace adapters
}  // namespace lazuli::python
