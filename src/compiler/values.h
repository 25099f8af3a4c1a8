// What the passes of the planner work on: the values of a graph and what each is made of.
#pragma once

#include "compiler/plan.h"
#include "lazuli/small_vector.h"

namespace lazuli {

// By node of the graph. Passes may change what a value is made of; nodes keep what was recorded.
struct Values {
  std::vector<SmallVector<uint32_t, 2>> inputs;
  std::vector<uint8_t> wanted;  // held, or an input of what is wanted; leaves included
  std::vector<uint32_t> uses;   // as an input of wanted values
};

// The graph's values; common subexpressions are one, but for those held from outside, whose memory
// would be another's.
Values values_of(const Graph& graph, std::vector<Guard>& guards);

}  // namespace lazuli
