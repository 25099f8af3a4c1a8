// Attention and rotary positions in plain scalar code, in double.
#pragma once

#include <vector>

#include "backends/reference/tensor.h"
#include "core/node.h"

namespace lazuli::reference {

// Inputs and parameters as ops/attention.cpp and ops/rope.cpp record them.
Tensor attention(const Node* node, const std::vector<const Tensor*>& inputs);
Tensor rope(const Node* node, const std::vector<const Tensor*>& inputs);

}  // namespace lazuli::reference
