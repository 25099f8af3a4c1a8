// Vector-Jacobian products: from the derivative of a result to those of the inputs.
#include <algorithm>

#include "lazuli/ops.h"
#include "lazuli/packed.h"
#include "lazuli/transforms.h"
#include "ops/compositions.h"
#include "ops/elementwise.h"
#include "ops/record.h"
#include "ops/table/params.h"
#include "transforms/cumulative_rules.h"
#include "transforms/rule_parts.h"

namespace lazuli {
namespace {

struct Rule {
  const Node* node;
  array output, g;
  std::vector<array> inputs;
  const std::vector<bool>& wanted;
  Stream stream;
  Derivatives result;

  const array& x() const { return inputs[0]; }
  void set(size_t k, array value) { result[k] = std::move(value); }

  std::vector<int> axes() const {
    Words list = params<AxesParams>(node).axes;
    return std::vector<int>(list.begin(), list.end());
  }
};

[[noreturn]] void refuse(const Node* node, const char* why) {
  throw ArgumentError("[vjp] '" + std::string(op_info(node->op).name) + "' has no derivative " +
                      why + ".");
}

void elementwise(Rule& r) {
  if (r.node->op == Op::astype) {
    // Rounding to whole numbers is flat.
    bool flat = issubdtype(r.x().dtype(), inexact) && !issubdtype(r.output.dtype(), inexact);
    if (!flat) r.set(0, astype(r.g, r.x().dtype(), r.stream));
    return;
  }
  if (r.node->op == Op::copy) return r.set(0, r.g);
  if (r.node->op == Op::select) {
    array zero = zeros_like(r.g, r.stream);
    if (r.wanted[1])
      r.set(1, sum_to(where(r.x(), r.g, zero, r.stream), r.inputs[1].shape(), r.stream));
    if (r.wanted[2])
      r.set(2, sum_to(where(r.x(), zero, r.g, r.stream), r.inputs[2].shape(), r.stream));
    return;
  }
  // Tests and comparisons have no slope.
  if (op_info(r.node->op).result == Result::Boolean) return;
  for (size_t k = 0; k < r.inputs.size(); ++k) {
    if (!r.wanted[k]) continue;
    array d = r.inputs.size() == 1
                  ? unary_vjp(r.node->op, r.x(), r.output, r.g)
                  : binary_vjp(r.node->op, static_cast<int>(k), r.x(), r.inputs[1], r.output, r.g);
    d = broadcast_to(d, r.output.shape(), r.stream);
    r.set(k, sum_to(d, r.inputs[k].shape(), r.stream));
  }
}

// The slice a slice op chose, put back into zeros.
array unslice(const Rule& r, const array& base, const array& part) {
  return record(Op::slice_update, part.dtype(), base.shape(), {&base, &part}, same_params(r.node),
                r.stream);
}
array reslice(const Rule& r, const array& from, const Shape& shape) {
  return record(Op::slice, from.dtype(), shape, {&from}, same_params(r.node), r.stream);
}

void as_strided_rule(Rule& r) {
  auto [offset, strides] = params<AsStridedParams>(r.node);
  array index = array(offset, int64);
  const Shape& shape = r.output.shape();
  for (size_t d = 0; d < shape.size(); ++d) {
    Shape along(shape.size(), 1);
    along[d] = shape[d];
    array steps = arange(0.0, static_cast<double>(shape[d]), 1.0, int64, r.stream);
    index =
        add(index, reshape(multiply(steps, array(strides[d], int64), r.stream), along, r.stream),
            r.stream);
  }
  index = flatten(broadcast_to(index, shape, r.stream), r.stream);
  r.set(0,
        scatter_add_axis(zeros_like(r.x(), r.stream), index, flatten(r.g, r.stream), 0, r.stream));
}

void view(Rule& r) {
  switch (r.node->op) {
    case Op::identity:
      if (params<IdentityParams>(r.node).kind == IdentityKind::plain) return r.set(0, r.g);
      if (stops_gradient(r.node)) return;
      refuse(r.node, "yet");
    case Op::reshape: return r.set(0, reshape(r.g, r.x().shape(), r.stream));
    case Op::broadcast_to: return r.set(0, sum_to(r.g, r.x().shape(), r.stream));
    case Op::squeeze: return r.set(0, expand_dims(r.g, r.axes(), r.stream));
    case Op::expand_dims: return r.set(0, squeeze(r.g, r.axes(), r.stream));
    case Op::transpose: {
      std::vector<int> inverse(r.axes().size());
      for (size_t i = 0; i < inverse.size(); ++i)
        inverse[static_cast<size_t>(r.axes()[i])] = static_cast<int>(i);
      return r.set(0, transpose(r.g, inverse, r.stream));
    }
    case Op::slice: return r.set(0, unslice(r, zeros_like(r.x(), r.stream), r.g));
    case Op::as_strided: return as_strided_rule(r);
    default: refuse(r.node, "yet");
  }
}

void reduction(Rule& r) {
  const Shape& shape = r.x().shape();
  switch (r.node->op) {
    case Op::sum: return r.set(0, broadcast_to(r.g, shape, r.stream));
    case Op::prod:
      return r.set(
          0, multiply(r.g, products_of_others(conjugated(r.x(), r.stream), r.axes(), r.stream),
                      r.stream));
    case Op::max:
    case Op::min: {
      // Equal extremes share the derivative.
      array hits = astype(equal(r.x(), r.output, r.stream), r.g.dtype(), r.stream);
      return r.set(
          0, multiply(divide(r.g, sum(hits, r.axes(), true, r.stream), r.stream), hits, r.stream));
    }
    default: return;
  }
}

void matmul_rule(Rule& r) {
  const array& a = r.inputs[0];
  const array& b = r.inputs[1];
  auto adjoint = [&](const array& m) {
    return conjugated(swapaxes(m, -1, -2, r.stream), r.stream);
  };
  if (r.wanted[0]) r.set(0, sum_to(matmul(r.g, adjoint(b), r.stream), a.shape(), r.stream));
  if (r.wanted[1]) r.set(1, sum_to(matmul(adjoint(a), r.g, r.stream), b.shape(), r.stream));
}

void concatenate_rule(Rule& r) {
  size_t axis = static_cast<size_t>(params<AxisParams>(r.node).axis);
  int64_t from = 0;
  for (size_t k = 0; k < r.inputs.size(); ++k) {
    Shape start(r.g.ndim(), 0), stop = r.g.shape();
    start[axis] = from;
    from += r.inputs[k].shape()[axis];
    stop[axis] = from;
    if (r.wanted[k]) r.set(k, slice(r.g, start, stop, r.stream));
  }
}

void gather_rule(Rule& r) {
  std::vector<array> indices(r.inputs.begin() + 1, r.inputs.end());
  r.set(0, scatter_add(zeros_like(r.x(), r.stream), indices, r.g, r.axes(), r.stream));
}

void scatter_rule(Rule& r) {
  ScatterMode mode = params<ScatterParams>(r.node).mode;
  std::vector<array> indices = scatter_indices(r.inputs);
  std::vector<int> axes = scatter_axes(r.node);
  array base = r.g, updates = r.g;
  auto taken = [&](const array& x) {
    return gather(x, indices, axes, scatter_sizes(r.inputs), r.stream);
  };
  if (mode == ScatterMode::multiply) refuse(r.node, "of products");
  if (mode == ScatterMode::replace || mode == ScatterMode::add) {
    updates = taken(r.g);
    if (mode == ScatterMode::replace)
      base = scatter(r.g, indices, zeros_like(r.inputs[1], r.stream), axes, r.stream);
  } else {
    ScatterShares shares = scatter_shares(r.node, r.inputs, r.output, r.stream);
    array shared = divide(r.g, shares.count, r.stream);
    base = multiply(shared, shares.base, r.stream);
    updates = multiply(taken(shared), shares.updates, r.stream);
  }
  r.set(0, base);
  r.set(1, updates);
}

void scatter_axis_rule(Rule& r) {
  auto [axis, mode] = params<ScatterAxisParams>(r.node);
  const array& index = r.inputs[1];
  if (r.wanted[0]) {
    r.set(0, mode == ScatterMode::add
                 ? r.g
                 : put_along_axis(r.g, index, zeros_like(r.inputs[2], r.stream), axis, r.stream));
  }
  if (r.wanted[2]) r.set(2, take_along_axis(r.g, index, axis, r.stream));
}

void sort_rule(Rule& r) {
  bool partial = r.node->op == Op::partition;
  int kth = static_cast<int>(params<OrderParams>(r.node).kth);
  array order = partial ? argpartition(r.x(), kth, -1, r.stream) : argsort(r.x(), -1, r.stream);
  r.set(0, put_along_axis(zeros_like(r.x(), r.stream), order, r.g, -1, r.stream));
}

// The derivative of each matrix's columns, times that matrix.
void packed_rule(Rule& r) {
  Shape start(r.g.ndim(), 0), stop = r.g.shape();
  auto packed = params<PackedMatmulParams>(r.node);
  std::optional<array> total;
  for (size_t k = 1; k < r.inputs.size(); ++k) {
    if (r.wanted[k]) refuse(r.node, "for its packed weights");
    PackedFormat format = packed.format(k - 1);
    stop.back() = start.back() + r.inputs[k].shape(0);
    array part = matmul(slice(r.g, start, stop, r.stream),
                        packed_dequantize(r.inputs[k], format, r.g.dtype(), r.stream), r.stream);
    total = total ? add(*total, part, r.stream) : part;
    start.back() = stop.back();
  }
  r.set(0, *total);
}

// Through the composition of the op.
void composed_rule(Rule& r) {
  Composition compose = composition_of(r.node->op);
  if (!compose) refuse(r.node, "yet");
  std::vector<array> primals;
  for (size_t k = 0; k < r.inputs.size(); ++k) {
    if (r.wanted[k]) primals.push_back(r.inputs[k]);
  }
  auto fun = [&](const std::vector<array>& wanted) {
    std::vector<array> inputs = r.inputs;
    for (size_t k = 0, next = 0; k < inputs.size(); ++k) {
      if (r.wanted[k]) inputs[k] = wanted[next++];
    }
    return std::vector<array>{compose(r.node, inputs, r.stream)};
  };
  std::vector<array> products = vjp(fun, primals, {r.g}).second;
  for (size_t k = 0, next = 0; k < r.inputs.size(); ++k) {
    if (r.wanted[k]) r.set(k, products[next++]);
  }
}

void kernel(Rule& r) {
  switch (r.node->op) {
    case Op::matmul: return matmul_rule(r);
    case Op::concatenate: return concatenate_rule(r);
    case Op::gather: return gather_rule(r);
    case Op::gather_axis:
      return r.set(0, scatter_add_axis(zeros_like(r.x(), r.stream), r.inputs[1], r.g,
                                       params<AxisParams>(r.node).axis, r.stream));
    case Op::scatter: return scatter_rule(r);
    case Op::scatter_axis: return scatter_axis_rule(r);
    case Op::slice_update:
      if (r.wanted[0]) r.set(0, unslice(r, r.g, zeros_like(r.inputs[1], r.stream)));
      if (r.wanted[1]) r.set(1, reslice(r, r.g, r.inputs[1].shape()));
      return;
    case Op::cumulative: return r.set(0, cumulative_vjp(r.node, r.x(), r.g, r.stream));
    case Op::sort:
    case Op::partition: return sort_rule(r);
    case Op::packed_matmul: return packed_rule(r);
    case Op::argmax:
    case Op::argmin:
    case Op::argsort:
    case Op::argpartition:
    case Op::random_bits:
    case Op::arange: return;
    default: return composed_rule(r);
  }
}

}  // namespace

Derivatives vjp_of(const Node* node, const array& output, const array& g,
                   const std::vector<bool>& wanted) {
  Rule r{node,
         output,
         g,
         inputs_of(node),
         wanted,
         stream_at(node->stream),
         Derivatives(node->inputs.size())};
  switch (op_info(node->op).form) {
    case OpForm::Elementwise: elementwise(r); break;
    case OpForm::View: view(r); break;
    case OpForm::Reduce: reduction(r); break;
    default: kernel(r);
  }
  for (size_t k = 0; k < r.result.size(); ++k) {
    if (!wanted[k]) r.result[k].reset();
    if (r.result[k]) r.result[k] = astype(*r.result[k], r.inputs[k].dtype(), r.stream);
  }
  return std::move(r.result);
}

}  // namespace lazuli
