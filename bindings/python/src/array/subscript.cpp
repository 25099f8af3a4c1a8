#include "array/subscript.h"

#include "array/convert.h"
#include "lazuli/ops.h"

namespace lazuli::python {
namespace {

[[noreturn]] void refuse_type(PyObject* index) {
  throw ArgumentError(std::string("An array cannot be indexed by the type ") +
                      Py_TYPE(index)->tp_name + ".");
}

bool is_integer(PyObject* object) {
  return PyLong_CheckExact(object) ||
         (PyIndex_Check(object) && !PyBool_Check(object) && !is_array(object));
}

bool load_bound(PyObject* bound, Py_ssize_t& value) {
  if (bound == Py_None) return false;
  if (!PyIndex_Check(bound)) throw ArgumentError("Slice indices must be integers or None.");
  value = PyNumber_AsSsize_t(bound, nullptr);
  if (value == -1 && PyErr_Occurred()) throw nb::python_error();
  return true;
}

// Builds a Subscript entry by entry.
class Reader {
 public:
  explicit Reader(const array& a) : a_(a) {
    s_.start = Shape(a.ndim(), 0);
    s_.stop = a.shape();
    s_.strides = Shape(a.ndim(), 1);
    s_.extents = a.shape();
  }

  void tuple(PyObject* const* items, Py_ssize_t count) {
    size_t used = 0;
    bool by_arrays = false, ellipsis = false;
    for (Py_ssize_t i = 0; i < count; ++i) {
      if (items[i] == Py_Ellipsis && ellipsis) {
        throw ArgumentError("An index can have a single ellipsis (...).");
      }
      ellipsis |= items[i] == Py_Ellipsis;
      used += items[i] != Py_None && items[i] != Py_Ellipsis;
      by_arrays |= is_index_array(items[i]);
    }
    if (used > a_.ndim()) {
      throw ArgumentError("Too many indices, " + std::to_string(used) + ", for an array of " +
                          std::to_string(a_.ndim()) + " dimensions.");
    }
    for (Py_ssize_t i = 0; i < count; ++i) {
      if (items[i] == Py_Ellipsis) {
        keep(a_.ndim() - used);
        behind_arrays_ = s_.has_arrays();
      } else {
        entry(items[i], by_arrays);
      }
    }
    keep(a_.ndim() - static_cast<size_t>(axis_));
  }

  Subscript result() { return std::move(s_); }

 private:
  void keep(size_t axes) {
    for (size_t i = 0; i < axes; ++i) s_.entries.push_back({Subscript::Form::slice, axis_++});
  }

  void entry(PyObject* item, bool by_arrays) {
    if (item == Py_None) {
      s_.entries.push_back({Subscript::Form::none, -1});
    } else if (PySlice_Check(item)) {
      slice(item);
    } else if (is_index_array(item)) {
      by_array(load_index_array(item));
    } else if (is_integer(item)) {
      integer(item, by_arrays);
    } else {
      refuse_type(item);
    }
  }

  void integer(PyObject* item, bool by_arrays) {
    Py_ssize_t value = PyNumber_AsSsize_t(item, PyExc_IndexError);
    if (value == -1 && PyErr_Occurred()) throw nb::python_error();
    int64_t extent = a_.shape()[static_cast<size_t>(axis_)];
    if (value < -extent || value >= extent) {
      throw IndexError("Index " + std::to_string(value) + " is out of range for axis " +
                       std::to_string(axis_) + " with extent " + std::to_string(extent) + ".");
    }
    if (value < 0) value += extent;
    if (by_arrays) return by_array(array(static_cast<int64_t>(value), int32));
    choose(value, value + 1, 1, 1);
    s_.entries.push_back({Subscript::Form::integer, axis_++});
  }

  void slice(PyObject* item) {
    auto* bounds = reinterpret_cast<PySliceObject*>(item);
    Py_ssize_t extent = a_.shape()[static_cast<size_t>(axis_)];
    Py_ssize_t step = 1;
    load_bound(bounds->step, step);
    if (step == 0) throw ArgumentError("The step of a slice cannot be zero.");
    Py_ssize_t start = step > 0 ? 0 : PY_SSIZE_T_MAX,
               stop = step > 0 ? PY_SSIZE_T_MAX : PY_SSIZE_T_MIN;
    load_bound(bounds->start, start);
    load_bound(bounds->stop, stop);
    Py_ssize_t length = PySlice_AdjustIndices(extent, &start, &stop, step);
    if (length == 0) {
      choose(0, 0, 1, 0);
    } else {
      choose(start, stop < 0 ? -extent - 1 : stop, step, length);
    }
    s_.entries.push_back({Subscript::Form::slice, axis_++});
  }

  void choose(int64_t start, int64_t stop, int64_t step, int64_t length) {
    auto axis = static_cast<size_t>(axis_);
    s_.whole = s_.whole && length == s_.extents[axis] && (step == 1 || length == 0);
    s_.start[axis] = start;
    s_.stop[axis] = stop;
    s_.strides[axis] = step;
    s_.extents[axis] = length;
  }

  void by_array(array index) {
    if (index.dtype() == bool_) {
      throw ArgumentError("Arrays of booleans can only be assigned to, as the whole index.");
    }
    if (index.size() == 0 && issubdtype(index.dtype(), inexact)) index = astype(index, int32);
    s_.entries.push_back({Subscript::Form::array, axis_});
    s_.apart = s_.apart || behind_arrays_;
    s_.array_axes.push_back(axis_++);
    s_.arrays.push_back(std::move(index));
  }

  const array& a_;
  Subscript s_;
  int axis_ = 0;
  bool behind_arrays_ = false;  // the ellipsis
};

}  // namespace

bool is_index_array(PyObject* item) {
  if (is_array(item) || PyList_Check(item)) return true;
  if (PyLong_Check(item) || !has_buffer(item) || is_number(item)) return false;
  return nb::cast<int>(nb::getattr(nb::handle(item), "ndim", nb::int_(1))) > 0;
}

array load_index_array(PyObject* item) {
  if (is_array(item)) return value_of(item);
  return PyList_Check(item) ? from_sequence(item, std::nullopt) : from_buffer(item, std::nullopt);
}

Subscript understand(const array& a, PyObject* index) {
  Reader reader(a);
  if (PyTuple_Check(index)) {
    reader.tuple(&PyTuple_GET_ITEM(index, 0), PyTuple_GET_SIZE(index));
  } else {
    reader.tuple(&index, 1);
  }
  return reader.result();
}

}  // namespace lazuli::python
