// The parts of the module, each filled in by a file of its own.
#pragma once

#include "array/array_object.h"

namespace lazuli::python {

void register_devices(nb::module_& module);
void register_neighbours(nb::module_& module);
void register_transforms(nb::module_& module);
void register_compile(nb::module_& module);
void register_random_state(nb::module_& module);
void register_files(nb::module_& module);

}  // namespace lazuli::python
