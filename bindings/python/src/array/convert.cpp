#include "array/convert.h"

#include <limits>
#include <string>
#include <vector>

#include "array/dtypes.h"
#include "array/evaluate.h"
#include "lazuli/ops.h"

namespace lazuli::python {
namespace {

// numpy.generic, once NumPy is there.
bool is_numpy_scalar(PyObject* object) {
  static PyObject* generic = nullptr;
  if (!generic) {
    PyObject* name = PyUnicode_InternFromString("numpy");
    PyObject* numpy = PyImport_GetModule(name);
    Py_DECREF(name);
    if (!numpy) return false;
    generic = PyObject_GetAttrString(numpy, "generic");
    Py_DECREF(numpy);
    if (!generic) {
      PyErr_Clear();
      return false;
    }
  }
  return PyObject_TypeCheck(object, reinterpret_cast<PyTypeObject*>(generic));
}

bool is_python_number(PyObject* object) {
  return PyFloat_Check(object) || PyLong_Check(object) || PyComplex_Check(object);
}

// The Python number behind a scalar of NumPy.
nb::object plain(PyObject* number) {
  if (is_python_number(number)) return nb::borrow(number);
  nb::object value = nb::borrow(number).attr("item")();
  if (!is_python_number(value.ptr())) {
    throw ArgumentError(std::string("A ") + Py_TYPE(number)->tp_name + " is no number.");
  }
  return value;
}

Kind kind_of_number(PyObject* number) {
  if (PyBool_Check(number)) return Kind::boolean;
  if (PyLong_Check(number)) return Kind::integer;
  return PyComplex_Check(number) ? Kind::complex : Kind::real;
}

[[noreturn]] void overflow(PyObject* number, const char* type) {
  nb::object text = nb::steal(PyObject_Str(number));
  throw ArgumentError("Converting " + std::string(nb::str(text).c_str()) + " to " + type +
                      " would result in overflow.");
}

// An integer as the bits of an int64 or, above its range, of a uint64.
struct Integer {
  int64_t bits;
  bool above;  // at least 2^63
};
Integer load_integer(PyObject* number) {
  int overflowed = 0;
  long long value = PyLong_AsLongLongAndOverflow(number, &overflowed);
  if (!overflowed) return {value, false};
  unsigned long long large = overflowed > 0 ? PyLong_AsUnsignedLongLong(number) : 0;
  if (overflowed < 0 || PyErr_Occurred()) {
    PyErr_Clear();
    overflow(number, overflowed < 0 ? "int64" : "uint64");
  }
  return {static_cast<int64_t>(large), true};
}

// Below, within or above the range of an integer dtype: -1, 0 or 1.
int place_in_range(PyObject* number, Dtype dtype) {
  int overflowed = 0;
  long long value = PyLong_AsLongLongAndOverflow(number, &overflowed);
  unsigned width = 8 * dtype.size();
  bool is_signed = issubdtype(dtype, signedinteger);
  if (!overflowed) {
    uint64_t max = ~uint64_t{0} >> (is_signed ? 65 - width : 64 - width);
    int64_t min = is_signed ? -static_cast<int64_t>(max) - 1 : 0;
    return value < min ? -1 : value > 0 && static_cast<uint64_t>(value) > max;
  }
  if (overflowed < 0 || dtype != uint64) return overflowed;
  PyLong_AsUnsignedLongLong(number);
  bool above = PyErr_Occurred();
  PyErr_Clear();
  return above;
}

array from_integer(PyObject* number, std::optional<Dtype> dtype) {
  if (dtype && issubdtype(*dtype, inexact)) {
    double value = PyLong_AsDouble(number);
    if (PyErr_Occurred()) throw nb::python_error();
    return array(value, *dtype);
  }
  if (dtype && issubdtype(*dtype, integer) && place_in_range(number, *dtype) != 0) {
    overflow(number, dtype_name(*dtype));
  }
  auto [bits, above] = load_integer(number);
  if (!dtype) {
    bool narrow = bits >= INT32_MIN && bits <= INT32_MAX && !above;
    dtype = above ? uint64 : narrow ? int32 : int64;
  }
  return array(bits, *dtype);
}

array from_complex(PyObject* number, Dtype dtype) {
  Py_complex value = PyComplex_AsCComplex(number);
  return array(complex64_t(static_cast<float>(value.real), static_cast<float>(value.imag)), dtype);
}

// The dtype of a number of a kind beside an array: the array's, where that holds its kind.
Dtype weak(Kind kind, Dtype beside) {
  if (kind <= kind_of(beside)) return beside;
  switch (kind) {
    case Kind::boolean: return bool_;
    case Kind::integer: return int32;
    case Kind::real: return float32;
    default: return complex64;
  }
}

[[noreturn]] void refuse(PyObject* object) {
  throw ArgumentError(std::string("An array cannot be made of the type ") +
                      Py_TYPE(object)->tp_name + ".");
}

}  // namespace

bool is_number(PyObject* object) { return is_python_number(object) || is_numpy_scalar(object); }

array from_number(PyObject* object, std::optional<Dtype> dtype) {
  nb::object number = plain(object);
  switch (kind_of_number(number.ptr())) {
    case Kind::boolean: return array(number.ptr() == Py_True, dtype.value_or(bool_));
    case Kind::integer: return from_integer(number.ptr(), dtype);
    case Kind::real: return array(PyFloat_AS_DOUBLE(number.ptr()), dtype.value_or(float32));
    default: return from_complex(number.ptr(), dtype.value_or(complex64));
  }
}

array from_weak_number(PyObject* object, Dtype beside) {
  if (PyFloat_CheckExact(object)) {
    return array(PyFloat_AS_DOUBLE(object), weak(Kind::real, beside));
  }
  nb::object number = plain(object);
  Kind kind = kind_of_number(number.ptr());
  Dtype dtype = weak(kind, beside);
  return from_number(number.ptr(), dtype);
}

array from_compared_number(PyObject* object, Dtype beside) {
  nb::object number = plain(object);
  Kind kind = kind_of_number(number.ptr());
  Dtype dtype = weak(kind, beside);
  if (kind != Kind::integer || !issubdtype(dtype, integer)) return from_weak_number(object, beside);
  int place = place_in_range(number.ptr(), dtype);
  if (place == 0) return from_number(number.ptr(), dtype);
  return array(place * std::numeric_limits<float>::infinity());
}

array from_operand(PyObject* object) {
  if (is_array(object)) return value_of(object);
  if (is_number(object)) return from_number(object, std::nullopt);
  if (has_buffer(object)) return from_buffer(object, std::nullopt);
  refuse(object);
}

std::pair<array, array> from_operands(PyObject* a, PyObject* b, NumberBeside from_number_beside) {
  bool a_is_array = is_array(a), b_is_array = is_array(b);
  if (a_is_array == b_is_array) return {from_operand(a), from_operand(b)};
  PyObject* other = a_is_array ? b : a;
  const array& known = value_of(a_is_array ? a : b);
  std::optional<array> value;
  if (is_number(other)) {
    value = from_number_beside(other, known.dtype());
  } else {
    value = from_operand(other);
    if (kind_of(value->dtype()) <= kind_of(known.dtype())) value = astype(*value, known.dtype());
  }
  return a_is_array ? std::pair{known, *value} : std::pair{*value, known};
}

array from_any(PyObject* object, std::optional<Dtype> dtype) {
  if (is_array(object)) {
    const array& a = value_of(object);
    return dtype ? astype(a, *dtype) : a;
  }
  if (is_python_number(object)) return from_number(object, dtype);
  if (PyList_Check(object) || PyTuple_Check(object)) return from_sequence(object, dtype);
  if (has_buffer(object)) return from_buffer(object, dtype);
  nb::object value = nb::borrow(object);
  if (nb::hasattr(value, "__dlpack__")) return from_dlpack(object, dtype, true);
  if (nb::hasattr(value, "__array__")) {
    nb::object converted = value.attr("__array__")();
    if (has_buffer(converted.ptr())) return from_buffer(converted.ptr(), dtype);
  }
  if (object == Py_None) raise(PyExc_TypeError, "An array cannot be made of None.");
  refuse(object);
}

PyObject* to_number(const array& a) {
  if (a.size() != 1) {
    throw ArgumentError(
        "Only arrays of one element can be converted to Python numbers, not one of " +
        std::to_string(a.size()) + " elements.");
  }
  evaluate(a);
  switch (kind_of(a.dtype())) {
    case Kind::boolean: return PyBool_FromLong(a.item<bool>());
    case Kind::integer:
      if (issubdtype(a.dtype(), unsignedinteger)) {
        return PyLong_FromUnsignedLongLong(a.item<uint64_t>());
      }
      return PyLong_FromLongLong(a.item<int64_t>());
    case Kind::real: return PyFloat_FromDouble(a.item<double>());
    default: {
      auto value = a.item<complex64_t>();
      return PyComplex_FromDoubles(value.real(), value.imag());
    }
  }
}

}  // namespace lazuli::python
