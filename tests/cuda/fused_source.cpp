#include "cuda/fused_source.h"

#include "compiler/fuse.h"
#include "ops/table/op.h"

namespace lazuli::testing {

array leaf(Shape shape, Dtype dtype) {
  array a = zeros(std::move(shape), dtype);
  a.eval();
  return a;
}

std::vector<std::unique_ptr<FusedStep>> fused_steps(const std::vector<array>& outputs) {
  std::vector<Node*> nodes;
  for (const array& a : outputs) nodes.push_back(a.node());
  Graph graph;
  collect(nodes, graph);
  std::vector<Guard> guards;
  Values values = values_of(graph, guards);
  Grouping grouping = fuse(graph, values, guards);
  std::vector<uint8_t> needed(graph.nodes.size(), 0);
  for (uint32_t i = 0; i < graph.nodes.size(); ++i) {
    if (graph.is_leaf(i) || !values.wanted[i] || grouping.inlined[i]) continue;
    if (graph.is_held(i)) needed[i] = 1;
    for (const Use& use : values.inputs[i]) {
      uint32_t m = use.value;
      if (grouping.group_of[m] < 0 || grouping.group_of[m] != grouping.group_of[i]) needed[m] = 1;
    }
  }
  std::vector<std::unique_ptr<FusedStep>> steps;
  for (const Group& group : grouping.groups)
    steps.push_back(fused_step(graph, values, grouping, group, needed));
  return steps;
}

cuda::Variant variant_of(const FusedStep& step, cuda::Form form, int vector, int vectors,
                         cuda::Access access) {
  cuda::Variant variant;
  variant.form = form;
  variant.vector = static_cast<uint8_t>(vector);
  variant.vectors = static_cast<uint8_t>(vectors);
  variant.outer_rank = step.row_axes ? 1 : 0;
  variant.inner_rank = access >= cuda::Access::strided ? 2 : 0;
  for (const FusedValue& x : step.values) {
    bool row = step.row_axes && x.scope == Scope::row;
    cuda::Access at = cuda::Access::none;
    if (x.kind == FusedValue::Kind::operand) at = row ? cuda::Access::splat : access;
    if (x.output) at = row ? cuda::Access::splat : cuda::Access::direct;
    variant.access.push_back(at);
  }
  return variant;
}

GatedProducts::GatedProducts(Dtype dtype, int columns) {
  array x = leaf({1, 2560}, dtype), weight = leaf({2560}, dtype);
  norm_ = std::move(fused_steps({fast::rms_norm(x, weight, 1e-5f)}).front());
  array gate = leaf({1, 9728}, dtype), up = leaf({1, 9728}, dtype);
  gate_ = std::move(fused_steps({gate * sigmoid(gate) * up}).front());
  const int vector = 16 / dtype.size();
  norm_variant_ = variant_of(*norm_, cuda::Form::row_in_registers, vector, 1);
  gate_variant_ = variant_of(*gate_, cuda::Form::elements, vector, 1);
  form_.dtype = dtype.val();
  form_.columns = columns;
  form_.before = norm_.get();
  form_.before_variant = &norm_variant_;
  form_.after = gate_.get();
  form_.after_variant = &gate_variant_;
  for (uint16_t v = 0; v < norm_->values.size(); ++v) {
    if (norm_->values[v].output) form_.x = v;
  }
  for (uint16_t v = 0; v < gate_->values.size(); ++v) {
    if (gate_->values[v].kind == FusedValue::Kind::operand) form_.given.push_back(v);
  }
}

}  // namespace lazuli::testing
