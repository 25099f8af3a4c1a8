// Subscripts: x[...], x[...] = value, x.at[...].add(value), len and iteration.
#pragma once

#include <vector>

#include "array/array_object.h"

namespace lazuli::python {

void add_indexing_slots(std::vector<PyType_Slot>& slots);
PyObject* get_at(PyObject* self, void*);
void register_at(nb::module_& module);

// How an update meets the elements in its place.
enum class UpdateMode { replace, add, multiply, divide, maximum, minimum };

array get_item(const array& a, PyObject* index);
array set_item(const array& a, PyObject* index, const array& value, UpdateMode mode);

}  // namespace lazuli::python
