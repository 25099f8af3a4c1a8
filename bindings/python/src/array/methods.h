// Methods of arrays: the same functions under the same names as the module's.
#pragma once

#include "array/casters.h"

namespace lazuli::python {

template <class Function, class... Extra>
void define_method(const char* name, Function function, const Extra&... extra) {
  nb::cpp_function_def(function, nb::scope(nb::handle(reinterpret_cast<PyObject*>(array_type))),
                       nb::name(name), nb::is_method(), extra...);
}

}  // namespace lazuli::python
