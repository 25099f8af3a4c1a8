// Functions with a rule of their own for vector-Jacobian products.
#pragma once

#include "transforms/trace.h"

namespace lazuli {

// One call of such a function. Each output passes through a gate; `gates` has them in the order of
// the outputs, and nullptr for those that nothing uses.
struct GateCall {
  std::vector<Node*> gates;
  std::vector<array> primals;

  // The products of the rule, one for each primal. Missing cotangents are zeros.
  std::vector<array> products(const Derivatives& cotangents) const;
};

bool is_gate(const Node* node);

// The calls whose gates are among `order`, by the first gate of each: what uses another gate of a
// call comes after it.
std::unordered_map<Node*, GateCall> gate_calls(const std::vector<Node*>& order);

}  // namespace lazuli
