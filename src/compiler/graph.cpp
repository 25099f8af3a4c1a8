#include "compiler/graph.h"

#include "base/hash.h"

namespace lazuli {
namespace {

uint32_t current_epoch = 0;  // guarded by the graph mutex

// Which extents are 1, one bit an axis (ranks above 24 share the last bit), and whether any is 0.
uint64_t extent_bits(const Shape& shape) {
  uint64_t bits = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) bits |= uint64_t{1} << (i < 24 ? i : 23);
    if (shape[i] == 0) bits |= uint64_t{1} << 24;
  }
  return bits;
}

bool is_computed(const Node* node) {
  return node->state.load(std::memory_order_acquire) != NodeState::recorded;
}

void encode(Graph& graph, const Node* node, bool leaf) {
  uint64_t op = leaf && node->op != Op::constant ? static_cast<uint64_t>(Op::leaf)
                                                 : static_cast<uint64_t>(node->op);
  graph.key.push_back(op | static_cast<uint64_t>(node->dtype) << 16 |
                      static_cast<uint64_t>(node->shape.size() & 0xff) << 24 |
                      extent_bits(node->shape) << 32);
  if (leaf) return;
  graph.key.push_back(static_cast<uint64_t>(node->stream) |
                      static_cast<uint64_t>(node->structural) << 8 |
                      static_cast<uint64_t>(node->inputs.size()) << 32);
  for (size_t i = 0; i < node->structural; ++i) {
    graph.key.push_back(static_cast<uint64_t>(node->params[i]));
  }
  for (size_t i = 0; i < node->inputs.size(); i += 2) {
    uint64_t word = node->inputs[i]->mark_index;
    if (i + 1 < node->inputs.size()) {
      word |= static_cast<uint64_t>(node->inputs[i + 1]->mark_index) << 32;
    }
    graph.key.push_back(word);
  }
}

void finish_node(Graph& graph, Node* node, bool leaf) {
  node->mark_index = static_cast<uint32_t>(graph.nodes.size());
  if (!leaf) {
    for (Node* input : node->inputs) ++graph.uses[input->mark_index];
  }
  encode(graph, node, leaf);
  graph.nodes.push_back(node);
  graph.uses.push_back(0);
  graph.leaf.push_back(leaf);
}

struct Frame {
  Node* node;
  uint32_t next;
};
thread_local std::vector<Frame> stack;

void visit_from(Node* root, Graph& graph) {
  if (root->mark_epoch == current_epoch) return;
  root->mark_epoch = current_epoch;
  stack.push_back({root, 0});
  while (!stack.empty()) {
    Frame& top = stack.back();
    Node* node = top.node;
    if (is_computed(node)) {
      stack.pop_back();
      finish_node(graph, node, true);
      continue;
    }
    Node* next = nullptr;
    while (top.next < node->inputs.size()) {
      Node* input = node->inputs[top.next++];
      if (input->mark_epoch != current_epoch) {
        next = input;
        break;
      }
    }
    if (next) {
      next->mark_epoch = current_epoch;
      stack.push_back({next, 0});
    } else {
      stack.pop_back();
      finish_node(graph, node, false);
    }
  }
}

}  // namespace

void Graph::clear() {
  nodes.clear();
  uses.clear();
  held.clear();
  leaf.clear();
  key.clear();
}

void collect(std::span<Node* const> outputs, Graph& graph) {
  graph.clear();
  if (++current_epoch == 0) current_epoch = 1;
  for (Node* output : outputs) visit_from(output, graph);
  size_t count = graph.nodes.size();
  // A traced value is walked again by its transform, which needs it and what it was made from.
  bool keep_traced = tracing();
  graph.held.resize(count);
  uint64_t word = 0;
  for (size_t i = 0; i < count; ++i) {
    const Node* node = graph.nodes[i];
    graph.held[i] = node->references.load(std::memory_order_acquire) > graph.uses[i] ||
                    (keep_traced && node->tracer);
    word |= static_cast<uint64_t>(graph.held[i] && !graph.leaf[i]) << (i & 63);
    if ((i & 63) == 63 || i + 1 == count) {
      graph.key.push_back(word);
      word = 0;
    }
  }
  graph.hash = hash_words(graph.key.data(), graph.key.size());
}

}  // namespace lazuli
