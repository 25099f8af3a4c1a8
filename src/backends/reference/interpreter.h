// The reference backend: interprets a recorded graph one op at a time, without fusion, floats in
// double, integers in 64 bits, complex numbers in pairs of doubles, from formulas of its own. It is
// slow and it is the oracle of every other backend.
#pragma once

#include <span>
#include <vector>

#include "backends/reference/tensor.h"
#include "core/node.h"

namespace lazuli::reference {

// The values of the nodes. The nodes must not have been evaluated (what has a value is taken as
// given); they are not changed.
std::vector<Tensor> interpret(std::span<Node* const> outputs);

// A value that lies in memory, or that a constant keeps in its node.
Tensor tensor_of(const Node* node, const Layout& layout);

// The values of one op from those of its inputs.
Tensor interpret_op(const Node* node, const std::vector<const Tensor*>& inputs);
Tensor apply_elementwise(const Node* node, const std::vector<const Tensor*>& inputs);

}  // namespace lazuli::reference
