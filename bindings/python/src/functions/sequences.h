// Arrays given one by one, and results that are tuples.
#pragma once

#include <vector>

#include "array/casters.h"

namespace lazuli::python {

// TypeError for what is no array.
std::vector<array> load_arrays(const nb::args& args);
// A number, an array or a buffer; TypeError, naming the function and its argument, for others.
array load_operand(nb::handle object, const char* function, const char* argument);
nb::tuple as_tuple(const std::vector<array>& arrays);

}  // namespace lazuli::python
