#include "transforms/trace.h"

#include "ops/record.h"

namespace lazuli {

std::vector<array> inputs_of(const Node* node) {
  std::vector<array> inputs;
  for (Node* input : node->inputs) inputs.push_back(handle(input));
  return inputs;
}

std::vector<Node*> nodes_between(const std::vector<array>& inputs,
                                 const std::vector<array>& outputs) {
  std::unordered_map<Node*, bool> depends;  // also says that a node has been seen
  for (const array& input : inputs) depends[input.node()] = true;
  std::vector<Node*> order;
  struct Frame {
    Node* node;
    size_t next;
  };
  std::vector<Frame> stack;
  for (const array& output : outputs) {
    if (depends.contains(output.node())) continue;
    depends[output.node()] = false;
    stack.push_back({output.node(), 0});
    while (!stack.empty()) {
      auto& [node, next] = stack.back();
      if (next < node->inputs.size()) {
        Node* input = node->inputs[next++];
        if (depends.emplace(input, false).second) stack.push_back({input, 0});
        continue;
      }
      bool any = false;
      for (Node* input : node->inputs) any = any || depends[input];
      depends[node] = any;
      if (any) order.push_back(node);
      stack.pop_back();
    }
  }
  return order;
}

array replay(const Node* node, const std::vector<array>& inputs) {
  return replay(node, inputs, node->type());
}

array replay(const Node* node, const std::vector<array>& inputs, Dtype dtype) {
  Params params;
  params.words = node->params;
  params.structural = node->structural;
  return record(node->op, dtype, node->shape, inputs, std::move(params), stream_at(node->stream));
}

}  // namespace lazuli
