#include "runtime/cost.h"

#include <algorithm>

#include "core/node.h"
#include "ops/table/op.h"

namespace lazuli {
namespace {

// Of a value that lies so; what is broadcast lies there once.
double bytes_at(const Node* node, const Layout* layout) {
  double bytes = node->type().size();
  bool broadcast = layout && !layout->dense && layout->strides.size() == node->shape.size();
  for (size_t d = 0; d < node->shape.size(); ++d) {
    if (!broadcast || layout->strides[d] != 0) bytes *= static_cast<double>(node->shape[d]);
  }
  return bytes;
}

double bytes_of(const Step& step, const Graph& graph, std::span<const Layout* const> reads) {
  double total = 0;
  if (step.kind == Step::Kind::view) return 0;
  for (size_t k = 0; k < reads.size(); ++k) total += bytes_at(graph.nodes[step.reads[k]], reads[k]);
  for (uint32_t n : step.writes) total += bytes_at(graph.nodes[n], nullptr);
  return total;
}

// Of an inner product for each element of the output.
double flops_of_products(const Step& step, const Graph& graph) {
  const Shape& rows = graph.nodes[step.inputs[0]]->shape;
  double pairs = static_cast<double>(graph.nodes[step.node]->size()) *
                 static_cast<double>(rows.empty() ? 1 : rows[rows.size() - 1]);
  return (graph.nodes[step.node]->dtype == Dtype::Val::complex64 ? 8 : 2) * pairs;
}

// Of every key, also of those behind a mask.
double flops_of_attention(const Step& step, const Graph& graph) {
  const Shape& keys = graph.nodes[step.inputs[1]]->shape;
  double weights = static_cast<double>(graph.nodes[step.inputs[0]]->size());
  double values = static_cast<double>(graph.nodes[step.node]->size());
  return 2 * (weights + values) * static_cast<double>(keys[keys.size() - 2]);
}

double flops_of_fused(const FusedStep& step, const Graph& graph) {
  double total = 0;
  for (const FusedValue& value : step.values) {
    using Kind = FusedValue::Kind;
    if (value.kind == Kind::compute) total += static_cast<double>(graph.nodes[value.node]->size());
    if (value.kind == Kind::reduce) total += static_cast<double>(graph.nodes[step.space]->size());
  }
  return total;
}

}  // namespace

Cost cost_of(const Step& step, const Graph& graph, std::span<const Layout* const> reads) {
  Cost cost;
  cost.bytes = bytes_of(step, graph, reads);
  if (step.kind == Step::Kind::fused) cost.flops = flops_of_fused(*step.fused, graph);
  if (step.kind != Step::Kind::kernel) return cost;
  cost.dtype = graph.nodes[step.inputs.empty() ? step.node : step.inputs[0]]->dtype;
  OpWork work = op_info(graph.nodes[step.node]->op).work;
  cost.products = work != OpWork::Moves;
  if (work == OpWork::Products) cost.flops = flops_of_products(step, graph);
  if (work == OpWork::Attention) cost.flops = flops_of_attention(step, graph);
  return cost;
}

double least_seconds(const Cost& cost, Backend& backend) {
  Backend::Peak peak = backend.peak(cost.products, cost.dtype);
  if (peak.bytes == 0 || (cost.products && peak.flops == 0)) return 0;
  double computing = peak.flops > 0 ? cost.flops / peak.flops : 0;
  return std::max(cost.bytes / peak.bytes, computing);
}

}  // namespace lazuli
