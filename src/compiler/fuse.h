// The fusion pass: which nodes share a step.
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/plan.h"
#include "compiler/values.h"

namespace lazuli {

// A set of nodes computed by one step.
struct Group {
  std::vector<uint32_t> members;  // ascending
  uint32_t space = 0;             // member or input whose shape is the iteration space
  uint16_t row_axes = 0;
};

struct Grouping {
  std::vector<Group> groups;
  std::vector<int32_t> group_of;  // by node; -1 for nodes that are not fused, or not wanted
  // Casts of small leaves that only larger values read: they are made where they are read, in every
  // step again.
  std::vector<uint8_t> inlined;
};

Grouping fuse(const Graph& graph, const Values& values, std::vector<Guard>& guards);

// One line a group, then the guards.
std::string describe(const Grouping& grouping, const std::vector<Guard>& guards,
                     const Graph& graph);

// The step of a group: its values, phases and outputs.
std::unique_ptr<FusedStep> fused_step(const Graph& graph, const Values& values,
                                      const Grouping& grouping, const Group& group,
                                      const std::vector<uint8_t>& needed_outside);

// Whether the reduction's axes are the last ones of its input; how many.
uint16_t trailing_axes(const Node* reduction);

}  // namespace lazuli
