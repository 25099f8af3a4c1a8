#include "backends/reference/interpreter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <unordered_map>

#include "backends/reference/attention.h"
#include "backends/reference/packed.h"
#include "backends/reference/random.h"
#include "core/visit.h"
#include "ops/table/op.h"
#include "ops/table/params.h"

namespace lazuli::reference {
namespace {

// An array that has its value.
Tensor given(const Node* node) {
  static const Layout none{};
  return tensor_of(node, node->op == Op::constant ? none : node->value->layout);
}

// out[i] = x[from(index)].
template <class From>
Tensor rearranged(const Node* node, const Tensor& x, From from) {
  Tensor out(node->shape, node->type());
  Counter at(out.shape);
  for (size_t i = 0; i < static_cast<size_t>(out.size()); ++i, at.next()) {
    size_t source = static_cast<size_t>(from(*at));
    if (out.is_complex()) out.complex[i] = x.complex[source];
    else if (out.is_real()) out.real[i] = x.real[source];
    else out.whole[i] = x.whole[source];
  }
  return out;
}

Tensor relabeled(const Node* node, const Tensor& x) {
  Tensor out = x;
  out.shape = node->shape;
  return out;
}

Tensor view(const Node* node, const Tensor& x) {
  Strides own = dense_strides(x.shape);
  switch (node->op) {
    case Op::broadcast_to:
      return rearranged(node, x, [&](const Shape& index) {
        int64_t offset = 0;
        size_t lead = index.size() - x.shape.size();
        for (size_t d = 0; d < x.shape.size(); ++d) {
          if (x.shape[d] != 1) offset += index[lead + d] * own[d];
        }
        return offset;
      });
    case Op::transpose:
      return rearranged(node, x, [&, axes = params<AxesParams>(node).axes](const Shape& index) {
        int64_t offset = 0;
        for (size_t d = 0; d < index.size(); ++d)
          offset += index[d] * own[static_cast<size_t>(axes[d])];
        return offset;
      });
    case Op::slice:
      return rearranged(node, x, [&, part = params<SliceParams>(node)](const Shape& index) {
        int64_t offset = 0;
        for (size_t d = 0; d < index.size(); ++d)
          offset += (part.starts[d] + index[d] * part.strides[d]) * own[d];
        return offset;
      });
    case Op::as_strided:
      return rearranged(node, x, [as = params<AsStridedParams>(node)](const Shape& index) {
        int64_t offset = as.offset;
        for (size_t d = 0; d < index.size(); ++d) offset += index[d] * as.strides[d];
        return offset;
      });
    default: return relabeled(node, x);  // reshape, squeeze, expand_dims, identity
  }
}

// An integer as its dtype keeps it.
int64_t wrapped(int64_t v, Dtype::Val dtype) {
  return visit(dtype, [&]<class S>() -> int64_t {
    if constexpr (std::is_same_v<S, bool>) return v != 0;
    else if constexpr (std::is_integral_v<S>) return static_cast<int64_t>(static_cast<S>(v));
    else return v;
  });
}

// ---- Reductions ----
bool less(double a, double b) { return a < b; }
bool less(int64_t a, int64_t b) { return a < b; }
bool less(Complex a, Complex b) {
  return a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
}
bool is_nan(double a) { return std::isnan(a); }
bool is_nan(int64_t) { return false; }
bool is_nan(Complex a) { return std::isnan(a.real()) || std::isnan(a.imag()); }

template <class T>
void fold(Op op, Dtype::Val dtype, T& total, T x, bool first) {
  bool unsigned_less = std::is_same_v<T, int64_t> && dtype == Dtype::Val::uint64;
  auto before = [&](T a, T b) {
    if constexpr (std::is_same_v<T, int64_t>) {
      if (unsigned_less) return static_cast<uint64_t>(a) < static_cast<uint64_t>(b);
    }
    return less(a, b);
  };
  switch (op) {
    case Op::sum:
      if constexpr (std::is_same_v<T, int64_t>)
        total = static_cast<T>(static_cast<uint64_t>(total) + static_cast<uint64_t>(x));
      else total += x;
      break;
    case Op::prod:
      if constexpr (std::is_same_v<T, int64_t>)
        total = static_cast<T>(static_cast<uint64_t>(total) * static_cast<uint64_t>(x));
      else total *= x;
      break;
    case Op::all: total = T(total != T{} && x != T{} ? 1.0 : 0.0); break;
    case Op::any: total = T(total != T{} || x != T{} ? 1.0 : 0.0); break;
    case Op::max:
      if (first || is_nan(x) || (!is_nan(total) && before(total, x))) total = x;
      break;
    default:
      if (first || is_nan(x) || (!is_nan(total) && before(x, total))) total = x;
  }
}

Tensor reduce(const Node* node, const Tensor& x) {
  Tensor out(node->shape, node->type());
  Strides to = dense_strides(out.shape);
  std::vector<bool> seen(static_cast<size_t>(out.size()), false);
  with_values(out, [&](auto& values) {
    using T = typename std::decay_t<decltype(values)>::value_type;
    bool ones = node->op == Op::prod || node->op == Op::all;
    std::fill(values.begin(), values.end(), ones ? T(1) : T(0));
    Counter at(x.shape);
    for (size_t i = 0; i < static_cast<size_t>(x.size()); ++i, at.next()) {
      Shape index = *at;
      for (int64_t axis : params<AxesParams>(node).axes) index[static_cast<size_t>(axis)] = 0;
      size_t place = static_cast<size_t>(offset_of(index, to));
      T value;
      if constexpr (std::is_same_v<T, Complex>) value = x.complex[i];
      else if constexpr (std::is_same_v<T, double>) value = x.real[i];
      else value = x.whole[i];
      fold(node->op, out.dtype, values[place], value, !seen[place]);
      seen[place] = true;
    }
    if constexpr (std::is_same_v<T, int64_t>) {
      for (T& v : values) v = wrapped(v, out.dtype);
    }
  });
  return out;
}

// ---- Products ----
Tensor matmul(const Node* node, const Tensor& a, const Tensor& b) {
  Tensor out(node->shape, node->type());
  size_t rank = out.shape.size();
  int64_t inner = a.shape.back();
  Strides sa = dense_strides(a.shape), sb = dense_strides(b.shape);
  auto offset = [&](const Tensor& x, const Strides& s, const Shape& index, int64_t row,
                    int64_t column) {
    int64_t at = row * s[x.shape.size() - 2] + column * s.back();
    size_t lead = rank - x.shape.size();
    for (size_t d = 0; d + 2 < x.shape.size(); ++d) {
      if (x.shape[d] != 1) at += index[lead + d] * s[d];
    }
    return static_cast<size_t>(at);
  };
  Counter at(out.shape);
  for (size_t i = 0; i < static_cast<size_t>(out.size()); ++i, at.next()) {
    int64_t row = (*at)[rank - 2], column = (*at)[rank - 1];
    Complex total;
    for (int64_t k = 0; k < inner; ++k) {
      size_t x = offset(a, sa, *at, row, k), y = offset(b, sb, *at, k, column);
      total += out.is_complex() ? a.complex[x] * b.complex[y] : Complex(a.real[x] * b.real[y]);
    }
    if (out.is_complex()) out.complex[i] = total;
    else out.real[i] = total.real();
  }
  return out;
}

// ---- Moving ----
Tensor concatenate(const Node* node, const std::vector<const Tensor*>& in) {
  size_t axis = static_cast<size_t>(params<AxisParams>(node).axis);
  Tensor out(node->shape, node->type());
  Counter at(out.shape);
  for (size_t i = 0; i < static_cast<size_t>(out.size()); ++i, at.next()) {
    Shape index = *at;
    size_t k = 0;
    while (index[axis] >= in[k]->shape[axis]) index[axis] -= in[k++]->shape[axis];
    size_t from = static_cast<size_t>(offset_of(index, dense_strides(in[k]->shape)));
    if (out.is_complex()) out.complex[i] = in[k]->complex[from];
    else if (out.is_real()) out.real[i] = in[k]->real[from];
    else out.whole[i] = in[k]->whole[from];
  }
  return out;
}

// out[to] = merge(out[to], x[from]).
void merge(Tensor& out, size_t to, const Tensor& x, size_t from, ScatterMode mode) {
  auto apply = [&](auto& place, auto value) {
    using T = std::decay_t<decltype(value)>;
    switch (mode) {
      case ScatterMode::replace: place = value; break;
      case ScatterMode::add: fold(Op::sum, out.dtype, place, value, false); break;
      case ScatterMode::multiply: fold(Op::prod, out.dtype, place, value, false); break;
      case ScatterMode::maximum: fold(Op::max, out.dtype, place, T(value), false); break;
      case ScatterMode::minimum: fold(Op::min, out.dtype, place, T(value), false); break;
    }
  };
  if (out.is_complex()) apply(out.complex[to], x.complex[from]);
  else if (out.is_real()) apply(out.real[to], x.real[from]);
  else {
    apply(out.whole[to], x.whole[from]);
    out.whole[to] = wrapped(out.whole[to], out.dtype);
  }
}

Tensor slice_update(const Node* node, const Tensor& x, const Tensor& update) {
  Tensor out = x;
  Strides to = dense_strides(out.shape);
  auto part = params<SliceParams>(node);
  Counter at(update.shape);
  for (size_t i = 0; i < static_cast<size_t>(update.size()); ++i, at.next()) {
    int64_t place = 0;
    for (size_t d = 0; d < out.shape.size(); ++d)
      place += (part.starts[d] + (*at)[d] * part.strides[d]) * to[d];
    merge(out, static_cast<size_t>(place), update, i, ScatterMode::replace);
  }
  return out;
}

int64_t wrapped_index(int64_t index, int64_t extent) {
  int64_t at = index < 0 ? index + extent : index;
  if (at < 0 || at >= extent) throw IndexError("[reference] Index out of range.");
  return at;
}

// The place in `x` that index arrays and a position within the slice name.
int64_t indexed_offset(const Shape& shape, const std::vector<const Tensor*>& in, size_t first,
                       Words axes, const Shape& index, size_t lead) {
  Strides own = dense_strides(shape);
  int64_t offset = 0, row = 0;
  for (size_t d = 0; d < lead; ++d) row = row * in[first]->shape[d] + index[d];
  for (size_t d = 0; d < shape.size(); ++d) offset += index[lead + d] * own[d];
  for (size_t k = first; k < in.size(); ++k) {
    size_t axis = static_cast<size_t>(axes[k - first]);
    offset += wrapped_index(in[k]->whole[static_cast<size_t>(row)], shape[axis]) * own[axis];
  }
  return offset;
}

Tensor scatter(const Node* node, const std::vector<const Tensor*>& in) {
  Tensor out = *in[0];
  const Tensor& updates = *in[1];
  auto [mode, axes] = params<ScatterParams>(node);
  size_t lead = updates.shape.size() - out.shape.size();
  Counter at(updates.shape);
  for (size_t i = 0; i < static_cast<size_t>(updates.size()); ++i, at.next()) {
    int64_t to = indexed_offset(out.shape, in, 2, axes, *at, lead);
    merge(out, static_cast<size_t>(to), updates, i, mode);
  }
  return out;
}

Tensor scatter_axis(const Node* node, const std::vector<const Tensor*>& in) {
  Tensor out = *in[0];
  auto scatter = params<ScatterAxisParams>(node);
  size_t axis = static_cast<size_t>(scatter.axis);
  Strides to = dense_strides(out.shape);
  Counter at(in[1]->shape);
  for (size_t i = 0; i < static_cast<size_t>(in[1]->size()); ++i, at.next()) {
    Shape index = *at;
    index[axis] = wrapped_index(in[1]->whole[i], out.shape[axis]);
    merge(out, static_cast<size_t>(offset_of(index, to)), *in[2], i, scatter.mode);
  }
  return out;
}

// ---- Order ----
// For each line along `axis` calls f(first, stride, extent).
template <class F>
void each_line(const Shape& shape, size_t axis, F f) {
  if (element_count(shape) == 0) return;
  Strides strides = dense_strides(shape);
  Shape others = shape;
  others[axis] = 1;
  Counter at(others);
  for (int64_t i = 0; i < element_count(others); ++i, at.next())
    f(offset_of(*at, strides), strides[axis], shape[axis]);
}

bool ordered(const Tensor& x, int64_t a, int64_t b) {
  return with_values(x, [&](const auto& v) {
    auto p = v[static_cast<size_t>(a)], q = v[static_cast<size_t>(b)];
    if (is_nan(p) || is_nan(q)) return !is_nan(p) && is_nan(q);
    if constexpr (std::is_same_v<decltype(p), int64_t>) {
      if (x.dtype == uint64) return static_cast<uint64_t>(p) < static_cast<uint64_t>(q);
    }
    return less(p, q);
  });
}

Tensor sorted(const Node* node, const Tensor& x) {
  Tensor out(node->shape, node->type());
  bool indices = node->op == Op::argsort || node->op == Op::argpartition;
  each_line(x.shape, x.shape.size() - 1, [&](int64_t first, int64_t, int64_t extent) {
    std::vector<int64_t> order(static_cast<size_t>(extent));
    std::iota(order.begin(), order.end(), first);
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return ordered(x, a, b); });
    for (size_t k = 0; k < order.size(); ++k) {
      size_t to = static_cast<size_t>(first) + k;
      if (indices) out.whole[to] = order[k] - first;
      else merge(out, to, x, static_cast<size_t>(order[k]), ScatterMode::replace);
    }
  });
  return out;
}

Tensor arg_extreme(const Node* node, const Tensor& x) {
  Tensor out(node->shape, uint32);
  size_t line = 0;
  each_line(x.shape, static_cast<size_t>(params<AxisParams>(node).axis),
            [&](int64_t first, int64_t stride, int64_t extent) {
              int64_t best = 0;
              for (int64_t k = 1; k < extent; ++k) {
                int64_t a = first + best * stride, b = first + k * stride;
                bool nan_a = with_values(
                    x, [&](const auto& v) { return is_nan(v[static_cast<size_t>(a)]); });
                bool nan_b = with_values(
                    x, [&](const auto& v) { return is_nan(v[static_cast<size_t>(b)]); });
                if (nan_a) break;
                bool wins = nan_b || (node->op == Op::argmax ? ordered(x, a, b) : ordered(x, b, a));
                if (wins) best = k;
              }
              out.whole[line++] = best;
            });
  return out;
}

Tensor cumulative(const Node* node, const Tensor& x) {
  Tensor out(node->shape, node->type());
  auto scan = params<CumulativeParams>(node);
  ScatterMode mode = scan.mode;
  Op op = mode == ScatterMode::add        ? Op::sum
          : mode == ScatterMode::multiply ? Op::prod
          : mode == ScatterMode::maximum  ? Op::max
                                          : Op::min;
  bool reverse = scan.reverse, inclusive = scan.inclusive;
  each_line(x.shape, static_cast<size_t>(scan.axis),
            [&](int64_t first, int64_t stride, int64_t extent) {
              with_values(out, [&](auto& values) {
                using T = typename std::decay_t<decltype(values)>::value_type;
                const std::vector<T>* source;
                if constexpr (std::is_same_v<T, Complex>) source = &x.complex;
                else if constexpr (std::is_same_v<T, double>) source = &x.real;
                else source = &x.whole;
                T total = op == Op::prod ? T(1) : T(0);
                bool extreme = op == Op::max || op == Op::min;
                if (extreme && !inclusive)
                  throw RuntimeError("[reference] Exclusive extremes have no identity.");
                for (int64_t k = 0; k < extent; ++k) {
                  size_t at = static_cast<size_t>(first + (reverse ? extent - 1 - k : k) * stride);
                  if (!inclusive) values[at] = total;
                  fold(op, out.dtype, total, (*source)[at], k == 0 && extreme);
                  if constexpr (std::is_same_v<T, int64_t>) total = wrapped(total, out.dtype);
                  if (inclusive) values[at] = total;
                }
              });
            });
  return out;
}

Tensor arange(const Node* node) {
  Tensor out(node->shape, node->type());
  auto count = [](auto& values, auto range) {
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = range.start + static_cast<decltype(range.start)>(i) * range.step;
  };
  if (out.is_real()) count(out.real, params<ArangeParams<double>>(node));
  else count(out.whole, params<ArangeParams<int64_t>>(node));
  return out;
}

Tensor kernel(const Node* node, const std::vector<const Tensor*>& in) {
  switch (node->op) {
    case Op::matmul: return matmul(node, *in[0], *in[1]);
    case Op::attention: return attention(node, in);
    case Op::rope: return rope(node, in);
    case Op::concatenate: return concatenate(node, in);
    case Op::slice_update: return slice_update(node, *in[0], *in[1]);
    case Op::scatter: return scatter(node, in);
    case Op::scatter_axis: return scatter_axis(node, in);
    case Op::gather: {
      size_t lead = node->shape.size() - in[0]->shape.size();
      Words axes = params<AxesParams>(node).axes;
      return rearranged(node, *in[0], [&](const Shape& index) {
        return indexed_offset(in[0]->shape, in, 1, axes, index, lead);
      });
    }
    case Op::gather_axis: {
      size_t axis = static_cast<size_t>(params<AxisParams>(node).axis);
      Strides own = dense_strides(in[0]->shape), picks = dense_strides(in[1]->shape);
      return rearranged(node, *in[0], [&](const Shape& index) {
        Shape at = index;
        at[axis] = wrapped_index(in[1]->whole[static_cast<size_t>(offset_of(index, picks))],
                                 in[0]->shape[axis]);
        return offset_of(at, own);
      });
    }
    case Op::sort:
    case Op::argsort:
    case Op::partition:
    case Op::argpartition: return sorted(node, *in[0]);
    case Op::argmax:
    case Op::argmin: return arg_extreme(node, *in[0]);
    case Op::cumulative: return cumulative(node, *in[0]);
    case Op::arange: return arange(node);
    case Op::random_bits: return random_bits(node, *in[0]);
    default:
      throw RuntimeError("[reference] '" + std::string(op_info(node->op).name) +
                         "' has no formula.");
  }
}

}  // namespace

Tensor interpret_op(const Node* node, const std::vector<const Tensor*>& in) {
  switch (op_info(node->op).form) {
    case OpForm::Elementwise: return apply_elementwise(node, in);
    case OpForm::View: return view(node, *in[0]);
    case OpForm::Reduce: return reduce(node, *in[0]);
    default: return kernel(node, in);
  }
}

std::vector<Tensor> interpret(std::span<Node* const> outputs) {
  std::unordered_map<Node*, Tensor> values;
  std::vector<Node*> stack(outputs.begin(), outputs.end());
  while (!stack.empty()) {
    Node* node = stack.back();
    if (values.contains(node)) {
      stack.pop_back();
      continue;
    }
    if (node->ready()) {
      values.emplace(node, given(node));
      continue;
    }
    std::vector<const Tensor*> in;
    bool complete = true;
    for (Node* input : node->inputs) {
      auto found = values.find(input);
      if (found == values.end()) {
        stack.push_back(input);
        complete = false;
      } else {
        in.push_back(&found->second);
      }
    }
    if (!complete) continue;
    Tensor result = interpret_op(node, in);
    values.emplace(node, std::move(result));
    stack.pop_back();
  }
  std::vector<Tensor> result;
  for (Node* node : outputs) result.push_back(values.at(node));
  return result;
}

}  // namespace lazuli::reference
