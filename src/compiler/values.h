// What the passes of the planner work on: the values of a graph and what each is made of.
#pragma once

#include "compiler/plan.h"
#include "lazuli/small_vector.h"

namespace lazuli {

// An input as an operation reads it: the node that makes the value and the node whose shape it has
// there.
struct Use {
  uint32_t value, shape;
  bool operator==(const Use&) const = default;
};

// By node of the graph. Passes may change what a value is made of; nodes keep what was recorded.
struct Values {
  std::vector<SmallVector<Use, 2>> inputs;
  std::vector<uint32_t> shape;  // of the value, while it is computed: a node that has it
  std::vector<uint8_t> wanted;  // held, or an input of what is wanted; leaves included
  std::vector<uint32_t> uses;   // as an input of wanted values
};

// The graph's values; common subexpressions are one, but for those held from outside, whose memory
// would be another's.
Values values_of(const Graph& graph, std::vector<Guard>& guards);

// Lets elementwise operations read past views that only add, drop or repeat axes of extent 1.
void absorb_views(const Graph& graph, Values& values);

}  // namespace lazuli
