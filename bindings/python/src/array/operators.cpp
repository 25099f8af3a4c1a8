#include "array/operators.h"

#include "array/convert.h"
#include "lazuli/ops.h"

namespace lazuli::python {
namespace {

using BinaryFunction = array (*)(const array&, const array&, StreamOrDevice);

// Lists and text beside an array are errors of the value, as in MLX; anything unknown may have an
// operator of its own.
PyObject* refuse(PyObject* object, const char* verb) {
  if (object == Py_None || !(PyUnicode_Check(object) || PyList_Check(object) ||
                             PyTuple_Check(object) || PyDict_Check(object))) {
    Py_RETURN_NOTIMPLEMENTED;
  }
  PyErr_Format(PyExc_ValueError, "Cannot perform %s on an array and %s.", verb,
               Py_TYPE(object)->tp_name);
  return nullptr;
}

PyObject* binary(PyObject* x, PyObject* y, BinaryFunction function, const char* verb,
                 NumberBeside from_number_beside = from_weak_number) noexcept {
  return guarded([&] {
    bool x_is_array = is_array(x), y_is_array = is_array(y);
    if (x_is_array && y_is_array) return wrap(function(value_of(x), value_of(y), {}));
    PyObject* other = x_is_array ? y : x;
    const array& known = value_of(x_is_array ? x : y);
    if (is_number(other)) {
      array number = from_number_beside(other, known.dtype());
      return wrap(x_is_array ? function(known, number, {}) : function(number, known, {}));
    }
    if (!has_buffer(other)) return refuse(other, verb);
    auto [a, b] = from_operands(x, y);
    return wrap(function(a, b, {}));
  });
}

// The object takes the result over, so every name of it sees the change.
PyObject* in_place(PyObject* x, PyObject* y, BinaryFunction function, const char* verb) noexcept {
  PyObject* result = binary(x, y, function, verb);
  if (!result || result == Py_NotImplemented) return result;
  std::swap(value_of(x), value_of(result));
  Py_DECREF(result);
  return Py_NewRef(x);
}

array divide_in_place(const array& a, const array& b, StreamOrDevice s) {
  if (!issubdtype(a.dtype(), inexact)) {
    throw ArgumentError("In place division of " + std::string(dtype_name(a.dtype())) +
                        " cannot give a floating point type.");
  }
  return divide(a, b, s);
}

#define LAZULI_SLOT(slot, function, verb)                                           \
  PyObject* slot(PyObject* x, PyObject* y) { return binary(x, y, function, verb); } \
  PyObject* slot##_in_place(PyObject* x, PyObject* y) { return in_place(x, y, function, verb); }
LAZULI_SLOT(slot_add, add, "addition")
LAZULI_SLOT(slot_subtract, subtract, "subtraction")
LAZULI_SLOT(slot_multiply, multiply, "multiplication")
LAZULI_SLOT(slot_remainder, remainder, "modulus")
LAZULI_SLOT(slot_floor_divide, floor_divide, "floor division")
LAZULI_SLOT(slot_left_shift, left_shift, "left shift")
LAZULI_SLOT(slot_right_shift, right_shift, "right shift")
LAZULI_SLOT(slot_and, bitwise_and, "bitwise and")
LAZULI_SLOT(slot_or, bitwise_or, "bitwise or")
LAZULI_SLOT(slot_xor, bitwise_xor, "bitwise xor")
#undef LAZULI_SLOT

PyObject* slot_divide(PyObject* x, PyObject* y) { return binary(x, y, divide, "division"); }
PyObject* slot_divide_in_place(PyObject* x, PyObject* y) {
  return in_place(x, y, divide_in_place, "division");
}

// Products take arrays alone: a number is no matrix.
bool may_multiply(PyObject* object) { return is_array(object) || !is_number(object); }
PyObject* slot_matmul(PyObject* x, PyObject* y) {
  if (!may_multiply(x) || !may_multiply(y)) Py_RETURN_NOTIMPLEMENTED;
  return binary(x, y, matmul, "matrix multiplication");
}
PyObject* slot_matmul_in_place(PyObject* x, PyObject* y) {
  if (!may_multiply(y)) Py_RETURN_NOTIMPLEMENTED;
  return in_place(x, y, matmul, "matrix multiplication");
}

PyObject* slot_power(PyObject* x, PyObject* y, PyObject* modulus) {
  if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
  return binary(x, y, power, "power");
}
PyObject* slot_power_in_place(PyObject* x, PyObject* y, PyObject* modulus) {
  if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
  return in_place(x, y, power, "power");
}

template <array (*function)(const array&, StreamOrDevice)>
PyObject* slot_unary(PyObject* x) {
  return guarded([&] { return wrap(function(value_of(x), {})); });
}
PyObject* slot_positive(PyObject* x) { return wrap(array(value_of(x))); }

PyObject* compare(PyObject* x, PyObject* y, int relation) {
  static const struct {
    BinaryFunction function;
    const char* verb;
  } rows[] = {{less, "less than"},       {less_equal, "less than or equal"},
              {equal, "equal"},          {not_equal, "not equal"},
              {greater, "greater than"}, {greater_equal, "greater than or equal"}};
  bool known = is_array(y) || is_number(y) || has_buffer(y);
  if (!known && y == Py_None) {
    PyErr_SetString(PyExc_TypeError, "An array cannot be compared with None; use `is None`.");
    return nullptr;
  }
  if (!known && (relation == Py_EQ || relation == Py_NE)) return PyBool_FromLong(relation == Py_NE);
  return binary(x, y, rows[relation].function, rows[relation].verb, from_compared_number);
}

// ---- Conversions to Python numbers --------------------------------------------------------------
PyObject* number_of(PyObject* self) {
  return guarded([&] { return to_number(value_of(self)); });
}
int slot_bool(PyObject* self) {
  nb::object number = nb::steal(number_of(self));
  return number.is_valid() ? PyObject_IsTrue(number.ptr()) : -1;
}
PyObject* slot_int(PyObject* self) {
  nb::object number = nb::steal(number_of(self));
  return number.is_valid() ? PyNumber_Long(number.ptr()) : nullptr;
}
PyObject* slot_float(PyObject* self) {
  nb::object number = nb::steal(number_of(self));
  return number.is_valid() ? PyNumber_Float(number.ptr()) : nullptr;
}
PyObject* slot_index(PyObject* self) {
  const array& a = value_of(self);
  if (a.ndim() != 0 || !issubdtype(a.dtype(), integer)) {
    PyErr_SetString(PyExc_TypeError, "Only 0-dimensional integer arrays can be an index.");
    return nullptr;
  }
  return number_of(self);
}

}  // namespace

void add_operator_slots(std::vector<PyType_Slot>& slots) {
  const PyType_Slot rows[] = {
#define LAZULI_PAIR(place, name)                         \
  {Py_nb_##place, reinterpret_cast<void*>(slot_##name)}, \
      {Py_nb_inplace_##place, reinterpret_cast<void*>(slot_##name##_in_place)},
      LAZULI_PAIR(add, add) LAZULI_PAIR(subtract, subtract) LAZULI_PAIR(multiply, multiply)
          LAZULI_PAIR(true_divide, divide) LAZULI_PAIR(floor_divide, floor_divide) LAZULI_PAIR(
              remainder, remainder) LAZULI_PAIR(power, power) LAZULI_PAIR(matrix_multiply, matmul)
              LAZULI_PAIR(lshift, left_shift) LAZULI_PAIR(rshift, right_shift) LAZULI_PAIR(and, and)
                  LAZULI_PAIR(or, or) LAZULI_PAIR(xor, xor)
#undef LAZULI_PAIR
                      {Py_nb_negative, reinterpret_cast<void*>(slot_unary<negative>)},
      {Py_nb_positive, reinterpret_cast<void*>(slot_positive)},
      {Py_nb_absolute, reinterpret_cast<void*>(slot_unary<abs>)},
      {Py_nb_invert, reinterpret_cast<void*>(slot_unary<bitwise_invert>)},
      {Py_nb_bool, reinterpret_cast<void*>(slot_bool)},
      {Py_nb_int, reinterpret_cast<void*>(slot_int)},
      {Py_nb_float, reinterpret_cast<void*>(slot_float)},
      {Py_nb_index, reinterpret_cast<void*>(slot_index)},
      {Py_tp_richcompare, reinterpret_cast<void*>(compare)},
  };
  slots.insert(slots.end(), std::begin(rows), std::end(rows));
}

}  // namespace lazuli::python
