// A subscript, understood: what it says about each axis of an array.
//
// A subscript is split into a basic part, which is one slice of all axes, and a part by arrays.
// Integers beside arrays count as arrays of no dimensions, as in NumPy.
#pragma once

#include <vector>

#include "array/array_object.h"

namespace lazuli::python {

struct Subscript {
  // Dimensions of the result in the order of the subscript. A slice, an integer and an array use up
  // an axis of the array; none makes a new dimension of extent 1.
  enum class Form { slice, integer, none, array };
  struct Entry {
    Form form;
    int axis;  // of the array; -1 for none
  };
  std::vector<Entry> entries;

  Shape start, stop, strides;  // the basic part, an entry for each axis
  Shape extents;               // of the basic part
  bool whole = true;           // the basic part is everything

  std::vector<array> arrays;  // by axis, in order
  std::vector<int> array_axes;
  bool apart = false;  // an ellipsis stands between arrays, of any number of axes

  bool has_arrays() const { return !arrays.empty(); }
};

// ValueError for what no array can be indexed by, IndexError for integers out of range.
Subscript understand(const array& a, PyObject* index);

// An array, a list or a buffer such as NumPy's arrays; 0-d buffers are integers.
bool is_index_array(PyObject* item);
array load_index_array(PyObject* item);

}  // namespace lazuli::python
