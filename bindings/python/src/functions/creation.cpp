// Functions that make arrays.
#include <climits>

#include "array/casters.h"
#include "array/dtypes.h"
#include "lazuli/ops.h"
#include "lazuli/transforms.h"
#include "registry.h"

namespace lazuli::python {

// A Python number, kept apart from arrays: an integer of up to 64 bits, or a float.
struct Number {
  double value = 0;
  bool is_integer = false;
  int128 whole = 0;
};

}  // namespace lazuli::python

namespace nanobind::detail {
template <>
struct type_caster<lazuli::python::Number> {
  NB_TYPE_CASTER(lazuli::python::Number, const_name("int | float"))
  // With Python's error set where 64 bits do not hold it.
  static lazuli::int128 whole_of(PyObject* object) noexcept {
    PyObject* index = PyNumber_Index(object);
    if (!index) return 0;
    int overflow = 0;
    lazuli::int128 whole = PyLong_AsLongLongAndOverflow(index, &overflow);
    if (overflow > 0) whole = PyLong_AsUnsignedLongLong(index);
    if (overflow < 0) PyErr_SetNone(PyExc_OverflowError);
    Py_DECREF(index);
    return whole;
  }
  bool from_python(handle src, uint32_t, cleanup_list*) noexcept {
    bool is_float = PyFloat_Check(src.ptr());
    if (!is_float && (!PyIndex_Check(src.ptr()) || lazuli::python::is_array(src.ptr()))) {
      return false;
    }
    value = {PyFloat_AsDouble(src.ptr()), !is_float, 0};
    if (!PyErr_Occurred() && !is_float) value.whole = whole_of(src.ptr());
    if (!PyErr_Occurred()) return true;
    PyErr_Clear();
    return false;
  }
};
}  // namespace nanobind::detail

namespace lazuli::python {
namespace {

bool is_wide(const Number& n) { return n.value < INT_MIN || n.value > INT_MAX; }

array range(Number start, Number stop, std::optional<Number> step, std::optional<Dtype> dtype,
            StreamOrDevice s) {
  Number by = step.value_or(Number{1, true, 1});
  bool integers = start.is_integer && stop.is_integer && by.is_integer;
  if (!dtype) {
    bool wide = is_wide(start) || is_wide(stop) || is_wide(by);
    dtype = !integers ? float32 : wide ? int64 : int32;
  }
  if (integers) return integer_range(start.whole, stop.whole, by.whole, *dtype, s);
  return arange(start.value, stop.value, by.value, *dtype, s);
}

array spaced(Number start, Number stop, std::optional<int> num, bool endpoint,
             std::optional<Dtype> dtype, StreamOrDevice s) {
  int count = num.value_or(50);
  double last = stop.value;
  if (!endpoint && count > 0) last = start.value + (stop.value - start.value) * (count - 1) / count;
  return linspace(start.value, last, count, dtype.value_or(float32), s);
}

// A number is taken as it will be kept. ValueError if an integer does not fit the dtype.
array filling(const Operand& values, std::optional<Dtype> dtype) {
  bool number = dtype && is_number(values.object);
  return number ? from_weak_number(values.object, *dtype) : values.value();
}

array full_of(const Extents& shape, const Operand& values, std::optional<Dtype> dtype,
              StreamOrDevice s) {
  array value = filling(values, dtype);
  return full(shape.shape, value, dtype.value_or(value.dtype()), s);
}

array full_like_of(const array& a, const Operand& values, std::optional<Dtype> dtype,
                   StreamOrDevice s) {
  Dtype type = dtype.value_or(a.dtype());
  note_shape_use();
  return full(a.shape(), filling(values, type), type, s);
}

using Filled = array (*)(const Extents&, std::optional<Dtype>, StreamOrDevice);
using FilledLike = array (*)(const array&, std::optional<Dtype>, StreamOrDevice);
array zeros_of(const Extents& shape, std::optional<Dtype> dtype, StreamOrDevice s) {
  return zeros(shape.shape, dtype.value_or(float32), s);
}
array ones_of(const Extents& shape, std::optional<Dtype> dtype, StreamOrDevice s) {
  return ones(shape.shape, dtype.value_or(float32), s);
}
array zeros_like_of(const array& a, std::optional<Dtype> dtype, StreamOrDevice s) {
  note_shape_use();
  return dtype ? zeros(a.shape(), *dtype, s) : zeros_like(a, s);
}
array ones_like_of(const array& a, std::optional<Dtype> dtype, StreamOrDevice s) {
  note_shape_use();
  return dtype ? ones(a.shape(), *dtype, s) : ones_like(a, s);
}

nb::object float32_default() { return nb::steal(dtype_object(float32)); }

void register_filled(nb::module_& m) {
  auto stream = nb::arg("stream") = nb::none(), none = nb::arg("dtype") = nb::none();
  auto dtype = nb::arg("dtype").none() = float32_default();
  const std::pair<const char*, Filled> filled[] = {
      {"zeros", zeros_of}, {"ones", ones_of}, {"empty", zeros_of}};
  for (const auto& [name, function] : filled) {
    m.def(name, function, nb::arg("shape"), dtype, nb::kw_only(), stream);
  }
  const std::pair<const char*, FilledLike> likes[] = {
      {"zeros_like", zeros_like_of}, {"ones_like", ones_like_of}, {"empty_like", zeros_like_of}};
  for (const auto& [name, function] : likes) {
    m.def(name, function, nb::arg("a").noconvert(), none, nb::kw_only(), stream);
  }
  m.def("full", &full_of, nb::arg("shape"), nb::arg("vals"), none, nb::kw_only(), stream,
        "An array of the shape, filled with values that broadcast to it.");
  m.def("full_like", &full_like_of, nb::arg("a"), nb::arg("vals"), none, nb::kw_only(), stream);
}

}  // namespace

void register_creation(nb::module_& m) {
  auto stream = nb::arg("stream") = nb::none(), none = nb::arg("dtype") = nb::none();
  auto dtype = nb::arg("dtype").none() = float32_default();
  m.def("arange", &range, nb::arg("start"), nb::arg("stop"), nb::arg("step") = nb::none(), none,
        nb::kw_only(), stream, "Numbers from start to stop, without it.");
  m.def(
      "arange",
      [](Number stop, std::optional<Number> step, std::optional<Dtype> dtype, StreamOrDevice s) {
        return range(Number{0, true, 0}, stop, step, dtype, s);
      },
      nb::arg("stop"), nb::arg("step") = nb::none(), none, nb::kw_only(), stream);
  m.def("linspace", &spaced, nb::arg("start"), nb::arg("stop"), nb::arg("num").none() = 50,
        nb::arg("endpoint") = true, dtype, stream, "Numbers at equal distances.");
  register_filled(m);
  m.def(
      "eye",
      [](int n, std::optional<int> columns, int k, std::optional<Dtype> type, StreamOrDevice s) {
        return eye(n, columns.value_or(n), k, type.value_or(float32), s);
      },
      nb::arg("n"), nb::arg("m") = nb::none(), nb::arg("k") = 0, dtype, nb::kw_only(), stream,
      "Ones on the k-th diagonal, zeros elsewhere.");
  m.def(
      "identity",
      [](int n, std::optional<Dtype> type, StreamOrDevice s) {
        return identity(n, type.value_or(float32), s);
      },
      nb::arg("n"), dtype, nb::kw_only(), stream);
  m.def(
      "tri",
      [](int n, std::optional<int> columns, int k, std::optional<Dtype> type, StreamOrDevice s) {
        return tri(n, columns.value_or(n), k, type.value_or(float32), s);
      },
      nb::arg("n"), nb::arg("m") = nb::none(), nb::arg("k") = 0, none, nb::kw_only(), stream,
      "Ones on and below the k-th diagonal.");
  m.def("tril", &tril, nb::arg("x"), nb::arg("k") = 0, nb::kw_only(), stream);
  m.def("triu", &triu, nb::arg("x"), nb::arg("k") = 0, nb::kw_only(), stream);
}

}  // namespace lazuli::python
