// Device functions for the ops of a fused step, from the `forward` columns of the op tables.
#pragma once

#include <initializer_list>
#include <set>
#include <string>

#include "compiler/plan.h"

namespace lazuli::cuda {

// The type a value is computed with: float for half types.
std::string computed_type(Dtype::Val dtype);

// Definitions of what `apply` uses, for all values of the steps, each once; a step may be null.
std::string definitions(std::initializer_list<const FusedStep*> steps);

// The expression for value `v` of its inputs, given by name: up to three, and the inverse of the
// second one where that is known.
std::string apply(const FusedStep& step, uint16_t v, const std::string* inputs);

// The type in math.cuh that joins the values of a reduction.
std::string reduction_name(Op op);

}  // namespace lazuli::cuda
