// Nested lists to arrays and back.
#include <algorithm>
#include <string>
#include <vector>

#include "array/convert.h"
#include "array/dtypes.h"
#include "array/evaluate.h"
#include "lazuli/ops.h"

namespace lazuli::python {
namespace {

bool is_sequence(PyObject* object) { return PyList_Check(object) || PyTuple_Check(object); }
Py_ssize_t length_of(PyObject* sequence) { return PySequence_Fast_GET_SIZE(sequence); }
PyObject* item_of(PyObject* sequence, Py_ssize_t i) {
  return PySequence_Fast_GET_ITEM(sequence, i);
}

struct RecursionGuard {
  RecursionGuard() {
    if (Py_EnterRecursiveCall(" in a nested list")) throw nb::python_error();
  }
  ~RecursionGuard() { Py_LeaveRecursiveCall(); }
};

[[noreturn]] void refuse_ragged() {
  throw ArgumentError("The lists that an array is made of differ in length.");
}

// What a nested list holds.
struct Scan {
  Shape shape;
  bool found_leaf = false, found_array = false;
  Kind kind = Kind::boolean;
  bool wide = false;   // an integer outside of int32
  bool above = false;  // an integer of 2^63 or more
  bool ragged = false;  // but for the shapes of arrays
  int64_t least = 0;
  uint64_t largest = 0;

  void leaf(PyObject* item, size_t depth) {
    ragged |= depth != shape.size();
    found_leaf = true;
    if (is_array(item) || (!is_number(item) && has_buffer(item))) {
      found_array = true;
    } else if (PyFloat_CheckExact(item)) {
      kind = std::max(kind, Kind::real);
    } else if (is_number(item)) {
      array number = from_number(item, std::nullopt);
      kind = std::max(kind, kind_of(number.dtype()));
      wide |= number.dtype() == int64;
      above |= number.dtype() == uint64;
      if (issubdtype(number.dtype(), lazuli::integer)) {
        if (number.dtype() != uint64) least = std::min(least, number.item<int64_t>());
        bool positive = number.dtype() == uint64 || number.item<int64_t>() > 0;
        if (positive) largest = std::max(largest, number.item<uint64_t>());
      }
    } else {
      throw ArgumentError(std::string("An array cannot be made of the type ") +
                          Py_TYPE(item)->tp_name + ".");
    }
  }

  void integer(PyObject* item, size_t depth) {
    ragged |= depth != shape.size();
    found_leaf = true;
    int overflowed = 0;
    long long value = PyLong_AsLongLongAndOverflow(item, &overflowed);
    if (overflowed) return leaf(item, depth);
    kind = std::max(kind, Kind::integer);
    wide |= value < INT32_MIN || value > INT32_MAX;
    least = std::min<int64_t>(least, value);
    if (value > 0) largest = std::max(largest, static_cast<uint64_t>(value));
  }

  void sequence(PyObject* list, size_t depth) {
    RecursionGuard guard;
    Py_ssize_t length = length_of(list);
    if (depth == shape.size()) {
      ragged |= found_leaf;
      if (!ragged) shape.push_back(length);
    } else {
      ragged |= depth > shape.size() || shape[depth] != length;
    }
    for (Py_ssize_t i = 0; i < length; ++i) {
      PyObject* item = item_of(list, i);
      if (is_sequence(item)) {
        sequence(item, depth + 1);
      } else if (PyLong_CheckExact(item)) {
        integer(item, depth + 1);
      } else {
        leaf(item, depth + 1);
      }
    }
  }

  // ValueError unless all integers fit the dtype.
  void check_range(Dtype wanted) const {
    if (kind != Kind::integer || !issubdtype(wanted, lazuli::integer)) return;
    unsigned bits = 8 * wanted.size();
    bool is_signed = issubdtype(wanted, signedinteger);
    uint64_t max = ~uint64_t{0} >> (is_signed ? 65 - bits : 64 - bits);
    int64_t min = is_signed ? -static_cast<int64_t>(max) - 1 : 0;
    if (least >= min && largest <= max) return;
    std::string number = least < min ? std::to_string(least) : std::to_string(largest);
    throw ArgumentError("Converting " + number + " to " + dtype_name(wanted) +
                        " would result in overflow.");
  }

  Dtype dtype() const {
    if (!found_leaf) return float32;
    switch (kind) {
      case Kind::boolean: return bool_;
      case Kind::integer: return above ? uint64 : wide ? int64 : int32;
      case Kind::real: return float32;
      default: return complex64;
    }
  }
};

int64_t load_bits(PyObject* item) {
  if (!PyLong_Check(item)) return from_number(item, std::nullopt).item<int64_t>();
  long long value = PyLong_AsLongLong(item);
  if (!PyErr_Occurred()) return value;
  PyErr_Clear();
  return static_cast<int64_t>(PyLong_AsUnsignedLongLong(item));
}

void store(PyObject* item, int64_t& value) { value = load_bits(item); }
void store(PyObject* item, double& value) {
  value = PyFloat_CheckExact(item) ? PyFloat_AS_DOUBLE(item) : PyFloat_AsDouble(item);
  if (value == -1.0 && PyErr_Occurred()) throw nb::python_error();
}
void store(PyObject* item, complex64_t& value) {
  Py_complex number = PyComplex_AsCComplex(item);
  if (PyErr_Occurred()) throw nb::python_error();
  value = complex64_t(static_cast<float>(number.real), static_cast<float>(number.imag));
}

template <class T>
void fill(PyObject* list, T*& next) {
  for (Py_ssize_t i = 0; i < length_of(list); ++i) {
    PyObject* item = item_of(list, i);
    if (is_sequence(item)) {
      fill(item, next);
    } else {
      store(item, *next++);
    }
  }
}

template <class T>
array filled(PyObject* list, const Shape& shape, Dtype stored, Dtype dtype) {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  std::vector<T> values(static_cast<size_t>(count));
  T* next = values.data();
  fill(list, next);
  return array::from_memory(values.data(), shape, stored, dtype);
}

array stacked(PyObject* item) {
  if (!is_sequence(item)) return from_operand(item);
  if (length_of(item) == 0) return zeros({0});
  std::vector<array> parts;
  for (Py_ssize_t i = 0; i < length_of(item); ++i) {
    parts.push_back(stacked(item_of(item, i)));
    if (parts.back().shape() != parts.front().shape()) refuse_ragged();
  }
  return stack(parts, 0);
}

PyObject* list_level(const array& a, size_t axis, const char*& at) {
  Kind kind = kind_of(a.dtype());
  if (axis == a.ndim()) {
    PyObject* number;
    if (kind == Kind::boolean) {
      number = PyBool_FromLong(*at);
    } else if (kind == Kind::integer && a.dtype() == uint64) {
      number = PyLong_FromUnsignedLongLong(*reinterpret_cast<const uint64_t*>(at));
    } else if (kind == Kind::integer) {
      number = PyLong_FromLongLong(*reinterpret_cast<const int64_t*>(at));
    } else if (kind == Kind::real) {
      number = PyFloat_FromDouble(*reinterpret_cast<const double*>(at));
    } else {
      auto value = *reinterpret_cast<const complex64_t*>(at);
      number = PyComplex_FromDoubles(value.real(), value.imag());
    }
    at += a.itemsize();
    return number;
  }
  Py_ssize_t extent = a.shape()[axis];
  PyObject* list = PyList_New(extent);
  for (Py_ssize_t i = 0; list && i < extent; ++i) {
    PyObject* item = list_level(a, axis + 1, at);
    if (!item) {
      Py_DECREF(list);
      return nullptr;
    }
    PyList_SET_ITEM(list, i, item);
  }
  return list;
}

}  // namespace

array from_sequence(PyObject* sequence, std::optional<Dtype> dtype) {
  Scan scan;
  scan.sequence(sequence, 0);
  if (scan.found_array) {
    array value = stacked(sequence);
    return dtype ? astype(value, *dtype) : value;
  }
  if (scan.ragged) refuse_ragged();
  Dtype wanted = dtype.value_or(scan.dtype());
  scan.check_range(wanted);
  switch (scan.kind) {
    case Kind::boolean:
    case Kind::integer:
      return filled<int64_t>(sequence, scan.shape, scan.above ? uint64 : int64, wanted);
    case Kind::real: return filled<double>(sequence, scan.shape, float64, wanted);
    default: return filled<complex64_t>(sequence, scan.shape, complex64, wanted);
  }
}

PyObject* to_list(const array& a) {
  if (a.ndim() == 0) return to_number(a);
  Dtype wide = a.dtype();
  if (wide != bool_ && wide != complex64) {
    wide = issubdtype(wide, inexact) ? float64 : wide == uint64 ? uint64 : int64;
  }
  array values = contiguous(astype(a, wide));
  evaluate(values);
  const char* at = values.data<char>();
  return list_level(values, 0, at);
}

}  // namespace lazuli::python
