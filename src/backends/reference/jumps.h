// Where a small error of a float becomes another integer or boolean.
#pragma once

#include <vector>

#include "backends/reference/tensor.h"
#include "core/node.h"

namespace lazuli::reference {

// A value of a step: how far its floats may be off, and which elements may be something else, since
// something they depend on lay beside a jump.
struct Doubt {
  double tolerance = 0;
  std::vector<char> elements;  // empty: none

  bool at(size_t i) const { return !elements.empty() && elements[i]; }
};

// The doubtful elements of what an op makes of such inputs.
std::vector<char> doubtful(const Node* node, const std::vector<const Tensor*>& in,
                           const std::vector<const Doubt*>& doubts);

}  // namespace lazuli::reference
