#include "compiler/values.h"

#include "base/flags.h"

namespace lazuli {
namespace {

constexpr uint32_t none = 0xffffffff;

// Whether both are one value, if they are of one op and their other inputs are the same.
bool agree(const Node* a, const Node* b) {
  if (a->shape != b->shape || a->params != b->params) return false;
  for (size_t k = 0; k < a->inputs.size(); ++k) {
    const Node *x = a->inputs[k], *y = b->inputs[k];
    if (x != y && x->op == Op::constant && x->params != y->params) return false;
  }
  return true;
}

// Finds nodes that compute what an earlier one does. That one has the same newest input.
class Subexpressions {
 public:
  explicit Subexpressions(const Graph& graph)
      : graph_(graph),
        same_(graph.nodes.size()),
        last_user_(graph.nodes.size(), none),
        previous_(graph.nodes.size(), none) {
    for (uint32_t i = 0; i < same_.size(); ++i) {
      same_[i] = i;
      if (!graph.is_leaf(i)) look_up(i);
    }
  }

  // The first node that computes the value of node i.
  uint32_t same(uint32_t i) const { return same_[i]; }

 private:
  static constexpr int users_looked_at = 64;

  void look_up(uint32_t i) {
    uint32_t newest = none;  // of no constant, which are new wherever they are written
    for (const Node* input : graph_.nodes[i]->inputs) {
      uint32_t m = same_[input->mark_index];
      if (input->op != Op::constant && (newest == none || m > newest)) newest = m;
    }
    if (newest == none) return;
    uint32_t other = last_user_[newest];
    previous_[i] = other;
    last_user_[newest] = i;
    for (int looked = 0; other != none && looked < users_looked_at; ++looked) {
      if (computes_same(graph_.nodes[other], graph_.nodes[i])) {
        same_[i] = same_[other];
        return;
      }
      other = previous_[other];
    }
  }

  bool computes_same(const Node* a, const Node* b) const {
    if (a->op != b->op || a->dtype != b->dtype || a->stream != b->stream ||
        a->structural != b->structural || a->inputs.size() != b->inputs.size()) {
      return false;
    }
    for (size_t k = 0; k < a->inputs.size(); ++k) {
      const Node *x = a->inputs[k], *y = b->inputs[k];
      bool constants = x->op == Op::constant && y->op == Op::constant && x->dtype == y->dtype;
      if (!constants && same_[x->mark_index] != same_[y->mark_index]) return false;
    }
    return agree(a, b);
  }

  const Graph& graph_;
  std::vector<uint32_t> same_;
  std::vector<uint32_t> last_user_, previous_;  // lists of the users of a newest input
};

}  // namespace

bool Guard::holds(const Graph& graph) const {
  const Node *x = graph.nodes[a], *y = graph.nodes[b];
  if (kind == Kind::same_value) return agree(x, y);
  return (x->shape == y->shape) == (kind == Kind::same_shape);
}

namespace {

void find_wanted(const Graph& graph, Values& values) {
  size_t count = graph.nodes.size();
  values.wanted.assign(count, 0);
  values.uses.assign(count, 0);
  for (size_t k = count; k-- > 0;) {
    auto i = static_cast<uint32_t>(k);
    if (graph.is_held(i)) values.wanted[i] = 1;
    if (!values.wanted[i]) continue;
    for (const Use& use : values.inputs[i]) {
      values.wanted[use.value] = 1;
      ++values.uses[use.value];
    }
  }
}

}  // namespace

Values values_of(const Graph& graph, std::vector<Guard>& guards) {
  size_t count = graph.nodes.size();
  Subexpressions subexpressions(graph);
  Values values;
  values.inputs.resize(count);
  values.shape.resize(count);
  for (uint32_t i = 0; i < count; ++i) {
    values.shape[i] = i;
    // What a value is the same as rests on its inputs' being the same.
    uint32_t same = subexpressions.same(i);
    if (same != i) guards.push_back({i, same, Guard::Kind::same_value});
    if (graph.is_leaf(i)) continue;
    for (const Node* input : graph.nodes[i]->inputs) {
      uint32_t m = input->mark_index;
      uint32_t maker = graph.is_held(m) ? m : subexpressions.same(m);
      values.inputs[i].push_back({maker, maker});
    }
  }
  if (flags().fusion) absorb_views(graph, values);
  find_wanted(graph, values);
  return values;
}

}  // namespace lazuli
