// The Python side of element types.
#pragma once

#include <optional>
#include <string_view>

#include "array/array_object.h"

namespace lazuli::python {

// What a number or an array is a kind of; a weak operand yields to one of its kind or above.
enum class Kind { boolean, integer, real, complex };
Kind kind_of(Dtype dtype);

// A new reference to the one object of the dtype.
PyObject* dtype_object(Dtype dtype) noexcept;
// TypeError if the object is no dtype.
Dtype load_dtype(PyObject* object);

// The struct module's letter of a dtype, as the buffer protocol spells it.
const char* buffer_format(Dtype dtype);
// The dtype that such a format of so many bytes means: nothing if there is none.
std::optional<Dtype> dtype_from_format(std::string_view format, size_t bytes);

void register_dtypes(nb::module_& module);

}  // namespace lazuli::python
