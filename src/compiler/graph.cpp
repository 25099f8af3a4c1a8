#include "compiler/graph.h"

#include "base/hash.h"

namespace lazuli {
namespace {

uint32_t current_epoch = 0;  // guarded by the graph mutex

// Which extents are 1, one bit an axis (ranks above 24 share the last bit), and whether any is 0.
uint64_t extent_bits(const Shape& shape) {
  uint64_t bits = 0;
  const int64_t* extents = shape.data();
  for (size_t i = 0, rank = shape.size(); i < rank; ++i) {
    if (extents[i] <= 1) {
      bits |= extents[i] ? uint64_t{1} << (i < 24 ? i : 23) : uint64_t{1} << 24;
    }
  }
  return bits;
}

bool is_computed(const Node* node) {
  return node->state.load(std::memory_order_acquire) != NodeState::recorded;
}

size_t words_of(const Node* node, bool leaf) {
  return leaf ? 1 : 2 + node->structural + (node->inputs.size() + 1) / 2;
}

class Collector {
 public:
  explicit Collector(Graph& graph) : graph_(graph) {}

  void visit(Node* root) {
    if (!enter(root)) return;
    while (!stack_.empty()) {
      Frame& top = stack_.back();
      Node* next = nullptr;
      while (top.next != top.end && !next) {
        Node* input = *top.next++;
        if (input->mark_epoch != current_epoch) next = input;
      }
      if (next) {
        enter(next);
      } else {
        Node* node = top.node;
        stack_.pop_back();
        finish(node);
      }
    }
  }

 private:
  struct Frame {
    Node* node;
    Node* const* next;
    Node* const* end;
  };

  // Leaves are finished at once; other nodes wait on the stack for their inputs.
  bool enter(Node* node) {
    if (node->mark_epoch == current_epoch) return false;
    node->mark_epoch = current_epoch;
    if (is_computed(node)) {
      number(node, true);
      uint64_t op = node->op == Op::constant ? static_cast<uint64_t>(Op::constant)
                                             : static_cast<uint64_t>(Op::leaf);
      graph_.key.push_back(first_word(node, op));
      return false;
    }
    Node* const* inputs = node->inputs.data();
    stack_.push_back({node, inputs, inputs + node->inputs.size()});
    return true;
  }

  void number(Node* node, bool leaf) {
    node->mark_index = static_cast<uint32_t>(graph_.nodes.size());
    graph_.nodes.push_back(node);
    graph_.facts.push_back({0, leaf, false});
  }

  static uint64_t first_word(const Node* node, uint64_t op) {
    return op | static_cast<uint64_t>(node->dtype) << 16 |
           static_cast<uint64_t>(node->shape.size() & 0xff) << 24 | extent_bits(node->shape) << 32;
  }

  void finish(Node* node) {
    number(node, false);
    size_t at = graph_.key.size();
    graph_.key.resize(at + words_of(node, false));
    uint64_t* word = graph_.key.data() + at;
    Node* const* inputs = node->inputs.data();
    size_t count = node->inputs.size();
    *word++ = first_word(node, static_cast<uint64_t>(node->op));
    *word++ = static_cast<uint64_t>(node->stream) | static_cast<uint64_t>(node->structural) << 8 |
              static_cast<uint64_t>(count) << 32;
    if (node->structural) {
      const int64_t* words = node->params.data();
      for (size_t i = 0; i < node->structural; ++i) *word++ = static_cast<uint64_t>(words[i]);
    }
    Graph::Facts* facts = graph_.facts.data();
    for (size_t i = 0; i < count; ++i) {
      uint64_t index = inputs[i]->mark_index;
      ++facts[index].uses;
      if (i % 2 == 0) {
        *word = index;
      } else {
        *word++ |= index << 32;
      }
    }
  }

  Graph& graph_;
  static thread_local std::vector<Frame> kept_stack;
  std::vector<Frame>& stack_ = kept_stack;
};

thread_local std::vector<Collector::Frame> Collector::kept_stack;

}  // namespace

void Graph::clear() {
  nodes.clear();
  facts.clear();
  key.clear();
}

void collect(std::span<Node* const> outputs, Graph& graph) {
  graph.clear();
  if (++current_epoch == 0) current_epoch = 1;
  Collector collector(graph);
  for (Node* output : outputs) collector.visit(output);
  size_t count = graph.nodes.size();
  // A traced value is walked again by its transform, which needs it and what it was made from.
  bool keep_traced = tracing();
  uint64_t word = 0;
  for (size_t i = 0; i < count; ++i) {
    const Node* node = graph.nodes[i];
    Graph::Facts& facts = graph.facts[i];
    facts.held = node->references.load(std::memory_order_acquire) > facts.uses ||
                 (keep_traced && node->tracer);
    word |= static_cast<uint64_t>(facts.held && !facts.leaf) << (i & 63);
    if ((i & 63) == 63 || i + 1 == count) {
      graph.key.push_back(word);
      word = 0;
    }
  }
  graph.hash = hash_words(graph.key.data(), graph.key.size());
}

uint32_t node_of_key_word(const Graph& graph, size_t word) {
  size_t at = 0;
  for (uint32_t i = 0; i < graph.nodes.size(); ++i) {
    at += words_of(graph.nodes[i], graph.is_leaf(i));
    if (word < at) return i;
  }
  return static_cast<uint32_t>(graph.nodes.size());
}

}  // namespace lazuli
