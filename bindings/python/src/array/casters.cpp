#include "array/casters.h"

#include <string>
#include <utility>

namespace lazuli::python {
namespace {

bool load_integer(PyObject* object, int64_t& value) {
  if (PyBool_Check(object) || !PyIndex_Check(object)) return false;
  value = PyNumber_AsSsize_t(object, PyExc_OverflowError);
  if (value != -1 || !PyErr_Occurred()) return true;
  PyErr_Clear();
  return false;
}

template <class Add>
bool load_integers(PyObject* object, Add add) {
  if (!PyList_Check(object) && !PyTuple_Check(object)) {
    if (!PySequence_Check(object) || is_array(object) || PyUnicode_Check(object)) return false;
    nb::object list = nb::steal(PySequence_List(object));
    if (list.is_valid()) return load_integers(list.ptr(), add);
    PyErr_Clear();
    return false;
  }
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); ++i) {
    int64_t value;
    if (!load_integer(PySequence_Fast_GET_ITEM(object, i), value)) return false;
    add(value);
  }
  return true;
}

}  // namespace

int to_int(int64_t number, const char* function, const char* argument) {
  if (std::in_range<int>(number)) return static_cast<int>(number);
  throw ArgumentError(std::string("[") + function + "] " + argument + ": " +
                      std::to_string(number) + " does not fit into 32 bits.");
}

std::vector<int> to_ints(const Shape& numbers, const char* function, const char* argument) {
  std::vector<int> result;
  for (int64_t number : numbers) result.push_back(to_int(number, function, argument));
  return result;
}

bool load_axes(PyObject* object, Axes& axes) {
  axes.all = false;
  bool fit = true;
  auto add = [&](int64_t axis) {
    fit = fit && std::in_range<int>(axis);
    axes.list.push_back(static_cast<int>(axis));
  };
  int64_t one;
  if (!load_integer(object, one)) return load_integers(object, add) && fit;
  add(one);
  return fit;
}

bool load_extents(PyObject* object, Shape& shape, bool accept_one) {
  shape.clear();
  int64_t one;
  if (accept_one && load_integer(object, one)) {
    shape.push_back(one);
    return true;
  }
  return load_integers(object, [&](int64_t extent) { shape.push_back(extent); });
}

PyObject* shape_tuple(const Shape& shape) {
  PyObject* tuple = PyTuple_New(static_cast<Py_ssize_t>(shape.size()));
  for (size_t i = 0; tuple && i < shape.size(); ++i) {
    PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(i), PyLong_FromLongLong(shape[i]));
  }
  return tuple;
}

}  // namespace lazuli::python
