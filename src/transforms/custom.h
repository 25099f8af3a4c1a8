// Functions with a rule of their own for vector-Jacobian products.
#pragma once

#include "transforms/trace.h"

namespace lazuli {

// vjp_of, or the rule that custom_vjp has given the node.
Derivatives custom_vjp_of(Node* node, const array& output, const array& g,
                          const std::vector<bool>& wanted);

}  // namespace lazuli
