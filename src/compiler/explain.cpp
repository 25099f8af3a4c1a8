// Why a graph has its plan, or has none yet.
#include <algorithm>

#include "compiler/plan.h"

namespace lazuli {
namespace {

std::string node_text(const Graph& graph, uint32_t i) {
  const char* op = graph.is_leaf(i) ? "leaf" : op_info(graph.nodes[i]->op).name;
  return "%" + std::to_string(i) + " " + op + ":" + type_text(graph.nodes[i]);
}

// What the first word that differs speaks of: its place among the node's words says which fact.
std::string fact_of(const Graph& graph, size_t word, uint64_t ours, uint64_t theirs) {
  uint32_t i = node_of_key_word(graph, word);
  if (i == graph.nodes.size()) return "which values are held from outside";
  bool first = word == 0 || node_of_key_word(graph, word - 1) != i;
  std::string fact = "an edge or a structural parameter";
  if (first) {
    uint64_t differs = ours ^ theirs;
    fact = differs & 0xffff       ? "the op"
           : differs >> 16 & 0xff ? "the dtype"
           : differs >> 24 & 0xff ? "the rank"
                                  : "which extents are 0 or 1";
  }
  return fact + " of " + node_text(graph, i);
}

}  // namespace

std::string why_no_plan(const Graph& graph) {
  std::vector<const Plan*> plans = cached_plans();
  if (plans.empty()) return "no plan is known yet";
  const Plan* nearest = nullptr;
  size_t longest = 0;
  for (const Plan* plan : plans) {
    size_t common = std::min(plan->key.size(), graph.key.size());
    auto [a, b] = std::mismatch(plan->key.begin(), plan->key.begin() + static_cast<long>(common),
                                graph.key.begin());
    size_t equal = static_cast<size_t>(a - plan->key.begin());
    if (!nearest || equal > longest) nearest = plan, longest = equal;
  }
  if (longest == graph.key.size() && longest == nearest->key.size()) {
    for (const Guard& guard : nearest->guards) {
      if (guard.holds(graph)) continue;
      return "the most similar of " + std::to_string(plans.size()) +
             " plans is guarded: " + node_text(graph, guard.a) + " and " +
             node_text(graph, guard.b) + " must " +
             (guard.kind == Guard::Kind::same_value   ? "be one value"
              : guard.kind == Guard::Kind::same_shape ? "have one shape"
                                                      : "not have one shape");
    }
  }
  std::string fact = longest < std::min(graph.key.size(), nearest->key.size())
                         ? fact_of(graph, longest, graph.key[longest], nearest->key[longest])
                         : "the number of nodes";
  return "the most similar of " + std::to_string(plans.size()) + " plans differs in " + fact;
}

std::string explain_plan(const Graph& graph) {
  std::shared_ptr<const Plan> plan = peek_plan(graph);
  std::string text = plan ? "The plan is known.\n" : "New plan: " + why_no_plan(graph) + ".\n";
  if (!plan) plan = make_plan(graph);
  return text + describe(*plan, graph);
}

}  // namespace lazuli
