// Plans as text.
#include "compiler/fuse.h"
#include "compiler/plan.h"

namespace lazuli {

std::string type_text(const Node* node) {
  std::string text = std::string(dtype_name(node->type())) + "[";
  for (size_t d = 0; d < node->shape.size(); ++d) {
    text += (d ? "," : "") + std::to_string(node->shape[d]);
  }
  return text + "]";
}

namespace {

std::string value_name(const Graph& graph, uint32_t i) {
  return "%" + std::to_string(i) + ":" + type_text(graph.nodes[i]);
}

std::string list(const Graph& graph, const std::vector<uint32_t>& nodes) {
  std::string text;
  for (uint32_t i : nodes) text += (text.empty() ? "" : " ") + value_name(graph, i);
  return text;
}

std::string ops_of(const FusedStep& step) {
  std::string text;
  for (const FusedValue& v : step.values) {
    if (v.kind == FusedValue::Kind::compute || v.kind == FusedValue::Kind::reduce) {
      text += (text.empty() ? "" : " ") + std::string(op_info(v.op).name);
    }
  }
  return text;
}

}  // namespace

std::string describe(const Grouping& grouping, const std::vector<Guard>& guards,
                     const Graph& graph) {
  std::string text;
  for (const Group& group : grouping.groups) {
    text += "group over " + value_name(graph, group.space) + ", " + std::to_string(group.row_axes) +
            " row axes: " + list(graph, group.members) + "\n";
  }
  for (const Guard& guard : guards) {
    const char* relation = guard.kind == Guard::Kind::same_value   ? " is "
                           : guard.kind == Guard::Kind::same_shape ? " like "
                                                                   : " unlike ";
    text += "guard: " + value_name(graph, guard.a) + relation + value_name(graph, guard.b) + "\n";
  }
  return text;
}

std::string describe(const Step& step, const Graph& graph) {
  const char* op = op_info(graph.nodes[step.node]->op).name;
  std::string what = step.kind == Step::Kind::fused  ? "fused (" + ops_of(*step.fused) + ")"
                     : step.kind == Step::Kind::view ? "view (" + std::string(op) + ")"
                                                     : std::string(op);
  return what + ": " + list(graph, step.reads) + " -> " + list(graph, step.writes);
}

std::string describe(const Plan& plan, const Graph& graph) {
  std::string text;
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    text += std::to_string(s) + " stream " + std::to_string(plan.steps[s].stream) + " " +
            describe(plan.steps[s], graph) + "\n";
  }
  return text;
}

}  // namespace lazuli
