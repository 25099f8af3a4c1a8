// A Python number as the bounds of ranges take it.
#pragma once

#include "array/casters.h"
#include "lazuli/ops.h"

namespace lazuli::python {

// Kept apart from arrays: an integer of up to 64 bits, or a float.
struct Number {
  double value = 0;
  bool is_integer = false;
  int128 whole = 0;
};

// False for what is no number.
bool load_number(PyObject* object, Number& number) noexcept;

}  // namespace lazuli::python

namespace nanobind::detail {
template <>
struct type_caster<lazuli::python::Number> {
  NB_TYPE_CASTER(lazuli::python::Number, const_name("int | float"))
  bool from_python(handle src, uint32_t, cleanup_list*) noexcept {
    return lazuli::python::load_number(src.ptr(), value);
  }
};
}  // namespace nanobind::detail
