// Jacobian-vector products: from the tangents of the inputs to the tangent of the result.
#include <algorithm>

#include "lazuli/ops.h"
#include "lazuli/transforms.h"
#include "ops/compositions.h"
#include "ops/elementwise.h"
#include "ops/record.h"
#include "ops/table/params.h"
#include "transforms/cumulative_rules.h"
#include "transforms/rule_parts.h"

namespace lazuli {
namespace {

array plus(const std::optional<array>& total, const array& x, const Stream& s) {
  return total ? add(*total, x, s) : x;
}

// The dtype of the tangent of a result of dtype `out`.
Dtype tangent_dtype(Dtype out, const Derivatives& tangents) {
  for (const auto& t : tangents) {
    if (t) out = promote_types(out, t->dtype());
  }
  return out;
}

std::optional<array> select(const std::vector<array>& in, const Derivatives& t, Dtype dtype,
                            const Shape& shape, const Stream& s) {
  if (!t[1] && !t[2]) return std::nullopt;
  array zero = array(0, dtype);
  return broadcast_to(where(in[0], t[1] ? *t[1] : zero, t[2] ? *t[2] : zero, s), shape, s);
}

std::optional<array> elementwise(const Node* node, const std::vector<array>& in, const array& out,
                                 const Derivatives& t, const Stream& s) {
  Dtype dtype = tangent_dtype(out.dtype(), t);
  if (node->op == Op::copy) return t[0];
  if (node->op == Op::astype) {
    // Rounding to whole numbers is flat.
    if (issubdtype(in[0].dtype(), inexact) && !issubdtype(out.dtype(), inexact))
      return std::nullopt;
    bool whole = !issubdtype(out.dtype(), inexact);
    return astype(*t[0], whole ? dtype : out.dtype(), s);
  }
  if (op_info(node->op).result == Result::Boolean) return std::nullopt;
  if (node->op == Op::select) return select(in, t, dtype, out.shape(), s);
  if (in.size() == 1) return unary_jvp(node->op, in[0], out, *t[0]);
  std::optional<array> total;
  for (size_t k = 0; k < 2; ++k) {
    if (!t[k]) continue;
    array wide = broadcast_to(*t[k], out.shape(), s);
    total = plus(total, binary_jvp(node->op, static_cast<int>(k), in[0], in[1], out, wide), s);
  }
  return broadcast_to(*total, out.shape(), s);
}

std::vector<int> axes_of(const Node* node) {
  Words axes = params<AxesParams>(node).axes;
  return std::vector<int>(axes.begin(), axes.end());
}

std::optional<array> reduction(const Node* node, const array& x, const array& out, const array& t,
                               const Stream& s) {
  std::vector<int> axes = axes_of(node);
  if (node->op == Op::sum) return sum(t, axes, true, s);
  if (node->op == Op::max || node->op == Op::min) {
    // Equal extremes share.
    array hits = equal(x, out, s);
    array total = sum(where(hits, t, zeros_like(t, s), s), axes, true, s);
    array count = sum(hits, axes, true, s);
    bool whole = !issubdtype(t.dtype(), inexact);
    return whole ? floor_divide(total, count, s) : divide(total, count, s);
  }
  if (node->op == Op::prod) {
    return sum(multiply(products_of_others(x, axes, s), t, s), axes, true, s);
  }
  return std::nullopt;
}

// Linear in the inputs that have tangents here; the others' tangents are zeros.
array replay_linear(const Node* node, const std::vector<array>& in, const Derivatives& t,
                    std::initializer_list<size_t> linear, const Stream& s) {
  std::vector<array> with = in;
  Dtype dtype = tangent_dtype(node->type(), t);
  for (size_t k : linear) with[k] = t[k] ? astype(*t[k], dtype, s) : zeros(in[k].shape(), dtype, s);
  return replay(node, with, dtype);
}

// The same for kernels that compute in the dtype of their input.
array replay_kernel(const Node* node, const std::vector<array>& in, const array& t,
                    const Stream& s) {
  std::vector<array> with = in;
  with[0] = astype(t, in[0].dtype(), s);
  return replay(node, with);
}

array concatenate_rule(const Node* node, const std::vector<array>& in, const Derivatives& t,
                       const Stream& s) {
  std::vector<array> parts;
  for (size_t k = 0; k < in.size(); ++k) parts.push_back(t[k] ? *t[k] : zeros_like(in[k], s));
  return concatenate(parts, params<AxisParams>(node).axis, s);
}

[[noreturn]] void refuse(const Node* node) {
  throw ArgumentError("[jvp] '" + std::string(op_info(node->op).name) + "' has no rule.");
}

array scatter_rule(const Node* node, const std::vector<array>& in, const array& out,
                   const Derivatives& t, const Stream& s) {
  ScatterMode mode = params<ScatterParams>(node).mode;
  if (mode == ScatterMode::multiply) refuse(node);
  if (mode == ScatterMode::replace || mode == ScatterMode::add)
    return replay_linear(node, in, t, {0, 1}, s);
  ScatterShares shares = scatter_shares(node, in, out, s);
  array base = t[0] ? multiply(shares.base, *t[0], s) : zeros_like(in[0], s);
  if (!t[1]) return divide(base, shares.count, s);
  array updates = multiply(shares.updates, *t[1], s);
  return divide(scatter_add(base, scatter_indices(in), updates, scatter_axes(node), s),
                shares.count, s);
}

// Through the composition of the op.
array composed_rule(const Node* node, const std::vector<array>& in, const Derivatives& t,
                    const Stream& s) {
  Composition compose = composition_of(node->op);
  if (!compose) refuse(node);
  std::vector<array> tangents;
  for (size_t k = 0; k < in.size(); ++k) tangents.push_back(t[k] ? *t[k] : zeros_like(in[k], s));
  auto fun = [&](const std::vector<array>& inputs) {
    return std::vector<array>{compose(node, inputs, s)};
  };
  return jvp(fun, in, tangents).second[0];
}

std::optional<array> kernel(const Node* node, const std::vector<array>& in, const array& out,
                            const Derivatives& t, const Stream& s) {
  switch (node->op) {
    case Op::matmul: {
      std::optional<array> total;
      if (t[0]) total = matmul(*t[0], in[1], s);
      if (t[1]) total = plus(total, matmul(in[0], *t[1], s), s);
      return total;
    }
    case Op::concatenate: return concatenate_rule(node, in, t, s);
    case Op::slice_update: return replay_linear(node, in, t, {0, 1}, s);
    case Op::gather:
    case Op::gather_axis:
      if (!t[0]) return std::nullopt;
      return replay_linear(node, in, t, {0}, s);
    case Op::quantized_matmul:
      if (std::any_of(t.begin() + 1, t.end(), [](const auto& x) { return x.has_value(); })) break;
      return replay_kernel(node, in, *t[0], s);
    case Op::packed_matmul:
      if (!t[0]) refuse(node);
      return replay_kernel(node, in, *t[0], s);
    case Op::scatter:
      if (!t[0] && !t[1]) return std::nullopt;
      return scatter_rule(node, in, out, t, s);
    case Op::scatter_axis:
      if (!t[0] && !t[2]) return std::nullopt;
      return replay_linear(node, in, t, {0, 2}, s);
    case Op::cumulative: return cumulative_jvp(node, in[0], *t[0], s);
    case Op::sort: return take_along_axis(*t[0], argsort(in[0], -1, s), -1, s);
    case Op::partition:
      return take_along_axis(
          *t[0], argpartition(in[0], static_cast<int>(params<OrderParams>(node).kth), -1, s), -1,
          s);
    case Op::argmax:
    case Op::argmin:
    case Op::argsort:
    case Op::argpartition:
    case Op::random_bits: return std::nullopt;
    default: break;
  }
  return composed_rule(node, in, t, s);
}

}  // namespace

std::optional<array> jvp_of(const Node* node, const array& output, const Derivatives& tangents) {
  std::vector<array> in = inputs_of(node);
  Stream s = stream_at(node->stream);
  switch (op_info(node->op).form) {
    case OpForm::Elementwise: return elementwise(node, in, output, tangents, s);
    case OpForm::View:
      if (!tangents[0]) return std::nullopt;  // of a gate's other inputs alone
      if (node->op != Op::identity) return replay(node, {*tangents[0]}, tangents[0]->dtype());
      if (stops_gradient(node)) return std::nullopt;
      return tangents[0];
    case OpForm::Reduce: return reduction(node, in[0], output, *tangents[0], s);
    default: return kernel(node, in, output, tangents, s);
  }
}

}  // namespace lazuli
