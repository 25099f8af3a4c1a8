#include "transforms/trace.h"

#include "lazuli/ops.h"
#include "ops/record.h"
#include "ops/table/params.h"
#include "transforms/custom.h"

namespace lazuli {

namespace {

array record_again(const Node* node, Dtype dtype, Shape shape, const std::vector<array>& inputs) {
  return record(node->op, dtype, std::move(shape), inputs, same_params(node),
                stream_at(node->stream));
}

}  // namespace

std::vector<array> inputs_of(const Node* node) {
  std::vector<array> inputs;
  for (Node* input : node->inputs) inputs.push_back(handle(input));
  return inputs;
}

bool stops_gradient(const Node* node) {
  return node->op == Op::identity && params<IdentityParams>(node).kind == IdentityKind::stop;
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
  return record_again(node, dtype, node->shape, inputs);
}

bool is_resizable(const Node* node) {
  switch (op_info(node->op).form) {
    case OpForm::Elementwise:
    case OpForm::Reduce: return true;
    default: break;
  }
  switch (node->op) {
    case Op::identity: return !is_gate(node);
    case Op::squeeze:
    case Op::expand_dims:
    case Op::transpose:
    case Op::matmul: return true;
    default: return false;
  }
}

array replay_resized(const Node* node, const std::vector<array>& inputs) {
  Stream stream = stream_at(node->stream);
  Words list = params<AxesParams>(node).axes;
  std::vector<int> axes(list.begin(), list.end());
  switch (node->op) {
    case Op::squeeze: return squeeze(inputs[0], axes, stream);
    case Op::expand_dims: return expand_dims(inputs[0], axes, stream);
    case Op::transpose: return transpose(inputs[0], axes, stream);
    case Op::matmul: return matmul(inputs[0], inputs[1], stream);
    default: break;
  }
  Shape shape = inputs[0].shape();
  if (op_info(node->op).form == OpForm::Reduce) {
    for (int axis : axes) shape[static_cast<size_t>(axis)] = 1;
  } else {
    for (const array& input : inputs) {
      shape = broadcast_shapes(op_info(node->op).name, shape, input.shape());
    }
  }
  return record_again(node, node->type(), std::move(shape), inputs);
}

}  // namespace lazuli
