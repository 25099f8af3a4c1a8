// Jacobian-vector products: from the tangents of the inputs to the tangent of the result.
#include "lazuli/ops.h"
#include "lazuli/transforms.h"
#include "ops/compositions.h"
#include "ops/elementwise.h"
#include "ops/record.h"
#include "transforms/trace.h"

namespace lazuli {
namespace {

array plus(const std::optional<array>& total, const array& x, const Stream& s) {
  return total ? add(*total, x, s) : x;
}

std::optional<array> elementwise(const Node* node, const std::vector<array>& in, const array& out,
                                 const Derivatives& t, const Stream& s) {
  if (node->op == Op::astype || node->op == Op::copy) return astype(*t[0], out.dtype(), s);
  if (op_info(node->op).result == Result::Boolean) return std::nullopt;
  if (node->op == Op::select) {
    if (!t[1] && !t[2]) return std::nullopt;
    array zero = array(0, out.dtype());
    return broadcast_to(where(in[0], t[1] ? *t[1] : zero, t[2] ? *t[2] : zero, s), out.shape(), s);
  }
  if (in.size() == 1) return astype(unary_gradient(node->op, in[0], out, *t[0]), out.dtype(), s);
  std::optional<array> total;
  for (size_t k = 0; k < 2; ++k) {
    if (!t[k]) continue;
    array wide = broadcast_to(*t[k], out.shape(), s);
    total = plus(total, binary_gradient(node->op, static_cast<int>(k), in[0], in[1], out, wide), s);
  }
  return astype(broadcast_to(*total, out.shape(), s), out.dtype(), s);
}

std::vector<int> axes_of(const Node* node) {
  return std::vector<int>(node->params.begin(), node->params.end());
}

std::optional<array> reduction(const Node* node, const array& x, const array& out, const array& t,
                               const Stream& s) {
  if (node->op == Op::sum) return replay(node, {t});
  if (node->op == Op::max || node->op == Op::min) {
    array hits = astype(equal(x, out, s), t.dtype(), s);
    array count = sum(hits, axes_of(node), true, s);
    return divide(sum(multiply(hits, t, s), axes_of(node), true, s), count, s);
  }
  if (node->op == Op::prod) {
    // The vector-Jacobian product with ones holds the products of the others.
    Derivatives d = vjp_of(node, out, ones_like(out, s), {true});
    return sum(multiply(*d[0], t, s), axes_of(node), true, s);
  }
  return std::nullopt;
}

// Linear in the inputs that have tangents here; the others' tangents are zeros.
array replay_linear(const Node* node, const std::vector<array>& in, const Derivatives& t,
                    size_t first, size_t last, const Stream& s) {
  std::vector<array> with = in;
  for (size_t k = first; k < last; ++k) with[k] = t[k] ? *t[k] : zeros_like(in[k], s);
  return replay(node, with);
}

[[noreturn]] void refuse(const Node* node) {
  throw ArgumentError("[jvp] '" + std::string(op_info(node->op).name) + "' has no rule.");
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
    case Op::concatenate: return replay_linear(node, in, t, 0, in.size(), s);
    case Op::slice_update: return replay_linear(node, in, t, 0, 2, s);
    case Op::gather:
    case Op::gather_axis: return replay_linear(node, in, t, 0, 1, s);
    case Op::quantized_matmul:
    case Op::packed_matmul: return replay_linear(node, in, t, 0, 1, s);
    case Op::scatter: {
      auto mode = static_cast<ScatterMode>(node->params[0]);
      if (mode != ScatterMode::replace && mode != ScatterMode::add) refuse(node);
      return replay_linear(node, in, t, 0, 2, s);
    }
    case Op::scatter_axis: {
      std::vector<array> with = {t[0] ? *t[0] : zeros_like(in[0], s), in[1],
                                 t[2] ? *t[2] : zeros_like(in[2], s)};
      return replay(node, with);
    }
    case Op::cumulative: {
      auto mode = static_cast<ScatterMode>(node->params[1]);
      if (mode == ScatterMode::add) return replay(node, {*t[0]});
      if (mode != ScatterMode::multiply) refuse(node);
      int axis = static_cast<int>(node->params[0]);
      array relative =
          cumsum(divide(*t[0], in[0], s), axis, node->params[2] != 0, node->params[3] != 0, s);
      return multiply(out, relative, s);
    }
    case Op::sort: return take_along_axis(*t[0], argsort(in[0], -1, s), -1, s);
    case Op::partition:
      return take_along_axis(*t[0], argpartition(in[0], static_cast<int>(node->params[0]), -1, s),
                             -1, s);
    case Op::argmax:
    case Op::argmin:
    case Op::argsort:
    case Op::argpartition:
    case Op::random_bits: return std::nullopt;
    default: return composed_rule(node, in, t, s);
  }
}

}  // namespace

std::optional<array> jvp_of(const Node* node, const array& output, const Derivatives& tangents) {
  std::vector<array> in = inputs_of(node);
  Stream s = stream_at(node->stream);
  switch (op_info(node->op).form) {
    case OpForm::Elementwise: return elementwise(node, in, output, tangents, s);
    case OpForm::View:
      if (node->op == Op::identity && !node->params.empty() && node->params[0] == 1)
        return std::nullopt;
      return replay(node, {*tangents[0]});
    case OpForm::Reduce: return reduction(node, in[0], output, *tangents[0], s);
    default: return kernel(node, in, output, tangents, s);
  }
}

}  // namespace lazuli
