#include "transforms/rule_parts.h"

#include <algorithm>

#include "lazuli/ops.h"
#include "ops/record.h"
#include "ops/table/params.h"

namespace lazuli {

array conjugated(const array& x, const Stream& s) {
  return x.dtype() == complex64 ? conjugate(x, s) : x;
}

array held_by(const array& result, const array& x, const Stream& s) {
  return logical_or(equal(x, result, s), isnan(x, s), s);
}

array products_of_others(const array& x, const std::vector<int>& axes, const Stream& s) {
  std::vector<int> order;
  for (int d : all_axes(x)) {
    if (std::find(axes.begin(), axes.end(), d) == axes.end()) order.push_back(d);
  }
  size_t kept = order.size();
  order.insert(order.end(), axes.begin(), axes.end());
  array moved = transpose(x, order, s);
  Shape rows(moved.shape().begin(), moved.shape().begin() + static_cast<long>(kept));
  rows.push_back(-1);
  array flat = reshape(moved, rows, s);
  array others = multiply(cumprod(flat, -1, false, false, s), cumprod(flat, -1, true, false, s), s);
  std::vector<int> inverse(order.size());
  for (size_t i = 0; i < order.size(); ++i)
    inverse[static_cast<size_t>(order[i])] = static_cast<int>(i);
  return transpose(reshape(others, moved.shape(), s), inverse, s);
}

std::vector<array> scatter_indices(const std::vector<array>& in) {
  return std::vector<array>(in.begin() + 2, in.end());
}

std::vector<int> scatter_axes(const Node* node) {
  Words axes = params<ScatterParams>(node).axes;
  return std::vector<int>(axes.begin(), axes.end());
}

Shape scatter_sizes(const std::vector<array>& in) {
  return Shape(in[1].shape().end() - static_cast<long>(in[0].ndim()), in[1].shape().end());
}

ScatterShares scatter_shares(const Node* node, const std::vector<array>& in, const array& out,
                             const Stream& s) {
  std::vector<array> indices = scatter_indices(in);
  std::vector<int> axes = scatter_axes(node);
  Dtype dtype = at_least_float(out.dtype());
  array base = astype(held_by(out, in[0], s), dtype, s);
  array held = gather(out, indices, axes, scatter_sizes(in), s);
  array updates = astype(held_by(held, in[1], s), dtype, s);
  return {base, updates, scatter_add(base, indices, updates, axes, s)};
}

}  // namespace lazuli
