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
  struct Facts {
    uint32_t uses;  // edges to the node from inside the graph
    bool leaf;      // has its value, or will have it from an earlier run
    bool held;      // referenced from outside, or asked for
  };

  std::vector<Node*> nodes;  // post-order: inputs before users; leaves included
  std::vector<Facts> facts;  // of each node
  std::vector<uint64_t> key;
  uint64_t hash = 0;

  bool is_leaf(uint32_t i) const { return facts[i].leaf; }
  bool is_held(uint32_t i) const { return facts[i].held; }

  void clear();
};

// Fills `graph` with everything `outputs` still need. The caller holds the graph mutex.
void collect(std::span<Node* const> outputs, Graph& graph);

// The node that word `word` of the graph's key speaks of; the number of nodes for the words that
// say which nodes are held.
uint32_t node_of_key_word(const Graph& graph, size_t word);

}  // namespace lazuli
