// Random bits, one word at a time.
#pragma once

#include "backends/reference/tensor.h"
#include "core/node.h"

namespace lazuli::reference {

Tensor random_bits(const Node* node, const Tensor& keys);

}  // namespace lazuli::reference
