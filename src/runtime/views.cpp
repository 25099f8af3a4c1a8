#include "runtime/views.h"

#include "ops/table/op.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

Strides strides_of(const Layout& layout, const Shape& shape) {
  return layout.dense ? dense_strides(shape) : layout.strides;
}

Layout with_strides(const Node* node, const Layout& input, Strides strides, int64_t shift) {
  Layout result = input;
  result.offset += shift * node->type().size();
  result.dense = is_dense(node->shape, strides);
  result.strides = std::move(strides);
  return result;
}

// Strides for the new shape over the same elements, if there are any: runs of input dimensions that
// merge are cut into runs of new dimensions.
std::optional<Strides> reshaped_strides(const Shape& from, const Strides& strides,
                                        const Shape& to) {
  Shape extents;
  Strides steps;
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i] == 1) continue;
    if (!extents.empty() && steps.back() == strides[i] * from[i]) {
      extents.back() *= from[i];
      steps.back() = strides[i];
    } else {
      extents.push_back(from[i]);
      steps.push_back(strides[i]);
    }
  }
  Strides result(to.size(), 0);
  size_t run = 0;
  int64_t left = extents.empty() ? 1 : extents[0];
  for (size_t i = 0; i < to.size(); ++i) {
    if (to[i] == 1) continue;
    while (left == 1 && run + 1 < extents.size()) left = extents[++run];
    if (left % to[i]) return std::nullopt;
    left /= to[i];
    result[i] = steps[run] * left;
  }
  return result;
}

Strides broadcast_strides(const Shape& from, const Strides& strides, const Shape& to) {
  Strides result(to.size(), 0);
  size_t lead = to.size() - from.size();
  for (size_t i = 0; i < from.size(); ++i) result[lead + i] = from[i] == 1 ? 0 : strides[i];
  return result;
}

Layout expanded_layout(const Node* node, const Layout& input, const Strides& strides) {
  Words axes = params<AxesParams>(node).axes;
  Strides result;
  for (size_t i = 0, a = 0, from = 0; i < node->shape.size(); ++i) {
    bool added = a < axes.size() && axes[a] == static_cast<int64_t>(i);
    result.push_back(added ? 0 : strides[from]);
    added ? ++a : ++from;
  }
  return with_strides(node, input, std::move(result), 0);
}

Layout squeezed_layout(const Node* node, const Layout& input, const Strides& strides) {
  Words axes = params<AxesParams>(node).axes;
  Strides result;
  for (size_t i = 0, a = 0; i < strides.size(); ++i) {
    bool dropped = a < axes.size() && axes[a] == static_cast<int64_t>(i);
    if (dropped) {
      ++a;
    } else {
      result.push_back(strides[i]);
    }
  }
  return with_strides(node, input, std::move(result), 0);
}

Layout slice_layout(const Node* node, const Layout& input, const Strides& strides) {
  size_t rank = node->shape.size();
  auto part = params<SliceParams>(node);
  int64_t shift = 0;
  Strides result(rank);
  for (size_t i = 0; i < rank; ++i) {
    shift += part.starts[i] * strides[i];
    result[i] = strides[i] * part.strides[i];
  }
  return with_strides(node, input, std::move(result), shift);
}

}  // namespace

std::optional<Layout> view_layout(const Node* node, const Layout& input, const Shape& input_shape) {
  Strides strides = strides_of(input, input_shape);
  Strides result;
  switch (node->op) {
    case Op::identity: return input;
    case Op::reshape: {
      if (input.dense || element_count(input_shape) == 0) {
        return with_strides(node, input, dense_strides(node->shape), 0);
      }
      auto reshaped = reshaped_strides(input_shape, strides, node->shape);
      if (!reshaped) return std::nullopt;
      return with_strides(node, input, std::move(*reshaped), 0);
    }
    case Op::broadcast_to:
      return with_strides(node, input, broadcast_strides(input_shape, strides, node->shape), 0);
    case Op::transpose:
      for (int64_t axis : params<AxesParams>(node).axes) result.push_back(strides[axis]);
      return with_strides(node, input, std::move(result), 0);
    case Op::expand_dims: return expanded_layout(node, input, strides);
    case Op::squeeze: return squeezed_layout(node, input, strides);
    case Op::slice: return slice_layout(node, input, strides);
    case Op::as_strided: {
      if (!input.dense) return std::nullopt;
      auto [offset, given] = params<AsStridedParams>(node);
      result.assign(given.begin(), given.end());
      return with_strides(node, input, std::move(result), offset);
    }
    default: return std::nullopt;
  }
}

}  // namespace lazuli
