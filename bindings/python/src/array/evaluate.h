// Evaluation with the interpreter lock released, and its interruption by Ctrl-C.
#pragma once

#include <functional>
#include <vector>

#include "array/array_object.h"

namespace lazuli::python {

void evaluate(const array& a);
void evaluate(std::vector<array> arrays);
void run_unlocked(const std::function<void()>& work);

void register_evaluation(nb::module_& module);

}  // namespace lazuli::python
