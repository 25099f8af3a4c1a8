// The unevaluated graph behind some outputs: nodes in post-order, numbered, with a canonical key.
//
// The key holds what shapes a plan and nothing else: ops, dtypes, ranks, which extents are 1,
// streams, edges, structural parameters, and which nodes are held from outside. Extents, offsets
// and scalars are read from the nodes when a plan is bound.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/node.h"
#include "ops/table/op.h"

namespace lazuli {

struct Graph {
  std::vector<Node*> nodes;         // post-order: inputs before users; leaves included
  std::vector<uint32_t> uses;       // edges to each node from inside the graph
  std::vector<uint8_t> held;        // referenced from outside, or asked for
  std::vector<uint64_t> key;
  uint64_t hash = 0;

  bool is_leaf(uint32_t i) const { return leaf[i]; }
  std::vector<uint8_t> leaf;

  void clear();
};

// Fills `graph` with everything `outputs` still need. The caller holds the graph mutex.
void collect(std::span<Node* const> outputs, Graph& graph);

}  // namespace lazuli
