// The arithmetic and comparison slots of the array type.
#pragma once

#include <vector>

#include "array/array_object.h"

namespace lazuli::python {

void add_operator_slots(std::vector<PyType_Slot>& slots);
// Swaps the last two axes; ArgumentError below two dimensions.
array matrix_transpose(const array& a, StreamOrDevice s);

}  // namespace lazuli::python
