// Functions that make arrays.
#include <climits>

#include "array/dtypes.h"
#include "functions/adapters.h"
#include "lazuli/ops.h"
#include "lazuli/transforms.h"

namespace lazuli::python {
namespace {

// With Python's error set where 64 bits do not hold it.
int128 whole_of(PyObject* object) noexcept {
  PyObject* index = PyNumber_Index(object);
  if (!index) return 0;
  int overflow = 0;
  int128 whole = PyLong_AsLongLongAndOverflow(index, &overflow);
  if (overflow > 0) whole = PyLong_AsUnsignedLongLong(index);
  if (overflow < 0) PyErr_SetNone(PyExc_OverflowError);
  Py_DECREF(index);
  return whole;
}

bool is_wide(const Number& n) { return n.value < INT_MIN || n.value > INT_MAX; }

// A number is taken as it will be kept. ValueError if an integer does not fit the dtype.
array filling(const Operand& values, std::optional<Dtype> dtype) {
  bool number = dtype && is_number(values.object);
  return number ? from_weak_number(values.object, *dtype) : values.value();
}

}  // namespace

bool load_number(PyObject* object, Number& number) noexcept {
  bool is_float = PyFloat_Check(object);
  if (!is_float && (!PyIndex_Check(object) || is_array(object))) return false;
  number = {PyFloat_AsDouble(object), !is_float, 0};
  if (!PyErr_Occurred() && !is_float) number.whole = whole_of(object);
  if (!PyErr_Occurred()) return true;
  PyErr_Clear();
  return false;
}

namespace adapters {

array arange(Number start, Number stop, std::optional<Number> step, OptionalDtype dtype,
             StreamOrDevice s) {
  Number by = step.value_or(Number{1, true, 1});
  bool integers = start.is_integer && stop.is_integer && by.is_integer;
  if (!dtype) {
    bool wide = is_wide(start) || is_wide(stop) || is_wide(by);
    dtype = !integers ? float32 : wide ? int64 : int32;
  }
  if (integers) return integer_range(start.whole, stop.whole, by.whole, *dtype, s);
  return lazuli::arange(start.value, stop.value, by.value, *dtype, s);
}

array arange_to(Number stop, std::optional<Number> step, OptionalDtype dtype, StreamOrDevice s) {
  return arange(Number{0, true, 0}, stop, step, dtype, s);
}

array linspace(Number start, Number stop, std::optional<int> num, bool endpoint,
               OptionalDtype dtype, StreamOrDevice s) {
  int count = num.value_or(50);
  double last = stop.value;
  if (!endpoint && count > 0) last = start.value + (stop.value - start.value) * (count - 1) / count;
  return lazuli::linspace(start.value, last, count, dtype.value_or(float32), s);
}

array full(const Extents& shape, const Operand& values, OptionalDtype dtype, StreamOrDevice s) {
  array value = filling(values, dtype);
  return lazuli::full(shape.shape, value, dtype.value_or(value.dtype()), s);
}

array full_like(const array& a, const Operand& values, OptionalDtype dtype, StreamOrDevice s) {
  Dtype type = dtype.value_or(a.dtype());
  note_shape_use();
  return lazuli::full(a.shape(), filling(values, type), type, s);
}

array zeros_like(const array& a, OptionalDtype dtype, StreamOrDevice s) {
  note_shape_use();
  return dtype ? zeros(a.shape(), *dtype, s) : lazuli::zeros_like(a, s);
}

array ones_like(const array& a, OptionalDtype dtype, StreamOrDevice s) {
  note_shape_use();
  return dtype ? ones(a.shape(), *dtype, s) : lazuli::ones_like(a, s);
}

array eye(int n, std::optional<int> m, int k, OptionalDtype dtype, StreamOrDevice s) {
  return lazuli::eye(n, m.value_or(n), k, dtype.value_or(float32), s);
}

array tri(int n, std::optional<int> m, int k, OptionalDtype dtype, StreamOrDevice s) {
  return lazuli::tri(n, m.value_or(n), k, dtype.value_or(float32), s);
}

}  // namespace adapters
}  // namespace lazuli::python
