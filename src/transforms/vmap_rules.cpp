// Vectorisation: an op on inputs that carry a batch as their axis 0.
#include <algorithm>

#include "lazuli/ops.h"
#include "lazuli/packed.h"
#include "lazuli/transforms.h"
#include "ops/compositions.h"
#include "ops/elementwise.h"
#include "ops/record.h"
#include "ops/table/params.h"
#include "transforms/custom.h"
#include "transforms/trace.h"

namespace lazuli {
namespace {

struct Batch {
  const Node* node;
  std::vector<array> in;
  std::vector<bool> batched;
  int64_t size;
  Stream stream;

  // Ranks the inputs had when the function was traced.
  size_t rank(size_t k) const { return in[k].ndim() - (batched[k] ? 1 : 0); }

  // Input k with the batch in front.
  array spread(size_t k) const {
    if (batched[k]) return in[k];
    Shape shape = in[k].shape();
    shape.insert(shape.begin(), size);
    return broadcast_to(expand_dims(in[k], 0, stream), shape, stream);
  }
  // Input k with `rank` axes behind the batch axis, so that it broadcasts as before.
  array aligned(size_t k, size_t to_rank) const {
    if (!batched[k] || in[k].ndim() == to_rank + 1) return in[k];
    Shape shape = in[k].shape();
    while (shape.size() < to_rank + 1) shape.insert(shape.begin() + 1, 1);
    return reshape(in[k], shape, stream);
  }
  Shape batched_shape() const {
    Shape shape = node->shape;
    shape.insert(shape.begin(), size);
    return shape;
  }
  std::vector<int> shifted_axes() const {
    std::vector<int> axes;
    for (int64_t axis : params<AxesParams>(node).axes) axes.push_back(static_cast<int>(axis) + 1);
    return axes;
  }
  array again(const std::vector<array>& inputs, Params words) const {
    return record(node->op, node->type(), batched_shape(), inputs, std::move(words), stream);
  }
};

array elementwise(const Batch& b) {
  size_t rank = b.node->shape.size();
  std::vector<array> in;
  for (size_t k = 0; k < b.in.size(); ++k) in.push_back(b.aligned(k, rank));
  return b.again(in, {});
}

// Starts and strides with the whole batch axis in front.
Params sliced_params(const Batch& b) {
  auto part = params<SliceParams>(b.node);
  SmallVector<int64_t> starts = {0}, strides = {1};
  for (int64_t start : part.starts) starts.push_back(start);
  for (int64_t stride : part.strides) strides.push_back(stride);
  return encode(SliceParams{starts, strides});
}

array strided(const Batch& b) {
  auto [offset, strides] = params<AsStridedParams>(b.node);
  array index = array(offset, int64);
  const Shape& shape = b.node->shape;
  for (size_t d = 0; d < shape.size(); ++d) {
    Shape along(shape.size(), 1);
    along[d] = shape[d];
    array steps = arange(0.0, static_cast<double>(shape[d]), 1.0, int64, b.stream);
    index =
        add(index, reshape(multiply(steps, array(strides[d], int64), b.stream), along, b.stream),
            b.stream);
  }
  return take(b.in[0], broadcast_to(index, shape, b.stream), 1, b.stream);
}

Params next_axes(const Batch& b) {
  SmallVector<int64_t> axes(b.shifted_axes());
  return encode(AxesParams{axes});
}

Params same(const Batch& b) { return same_params(b.node); }

array view(const Batch& b) {
  const array& x = b.in[0];
  switch (b.node->op) {
    // A gate of custom_vjp loses its rule: derivatives go through what the function has recorded.
    case Op::identity: return is_gate(b.node) ? b.spread(0) : b.again({b.spread(0)}, same(b));
    case Op::reshape: return reshape(x, b.batched_shape(), b.stream);
    case Op::broadcast_to:
      return broadcast_to(b.aligned(0, b.node->shape.size()), b.batched_shape(), b.stream);
    case Op::squeeze: return squeeze(x, b.shifted_axes(), b.stream);
    case Op::expand_dims: return expand_dims(x, b.shifted_axes(), b.stream);
    case Op::transpose: {
      std::vector<int> axes = b.shifted_axes();
      axes.insert(axes.begin(), 0);
      return transpose(x, axes, b.stream);
    }
    case Op::slice: return b.again({x}, sliced_params(b));
    default: return strided(b);
  }
}

// Index arrays for the batch axis in front of those for the other axes.
std::vector<array> batch_indices(const Batch& b, size_t first) {
  std::vector<array> indices;
  size_t rank = 0;
  for (size_t k = first; k < b.in.size(); ++k) rank = std::max(rank, b.rank(k));
  Shape along(rank + 1, 1);
  along[0] = b.size;
  indices.push_back(
      reshape(arange(0.0, static_cast<double>(b.size), 1.0, int64, b.stream), along, b.stream));
  for (size_t k = first; k < b.in.size(); ++k) indices.push_back(b.aligned(k, rank));
  return indices;
}

array gather_rule(const Batch& b) {
  std::vector<int> axes = b.shifted_axes();
  size_t lead = b.node->shape.size() - b.rank(0);
  Shape sizes(b.node->shape.begin() + static_cast<long>(lead), b.node->shape.end());
  std::vector<array> indices;
  if (!b.batched[0]) {
    for (size_t k = 1; k < b.in.size(); ++k) indices.push_back(b.spread(k));
    for (int& axis : axes) --axis;
    return gather(b.in[0], indices, axes, sizes, b.stream);
  }
  indices = batch_indices(b, 1);
  axes.insert(axes.begin(), 0);
  sizes.insert(sizes.begin(), 1);
  array result = gather(b.in[0], indices, axes, sizes, b.stream);
  return reshape(result, b.batched_shape(), b.stream);
}

array scatter_rule(const Batch& b) {
  // Updates: [batch, indices..., slice...] become [batch, indices..., 1, slice...].
  std::vector<array> indices = batch_indices(b, 2);
  size_t lead = b.rank(1) - b.rank(0);
  array updates = expand_dims(b.spread(1), static_cast<int>(lead) + 1, b.stream);
  auto scatter = params<ScatterParams>(b.node);
  SmallVector<int64_t> axes = {0};
  for (int64_t axis : scatter.axes) axes.push_back(axis + 1);
  std::vector<array> in = {b.spread(0), updates};
  for (array& index : broadcast_arrays(indices, b.stream)) in.push_back(index);
  return b.again(in, encode(ScatterParams{scatter.mode, axes}));
}

// Along the axis that was counted without the batch.
template <class P>
Params next_axis(const Batch& b) {
  P moved = params<P>(b.node);
  ++moved.axis;
  return encode(moved);
}

std::vector<array> all_spread(const Batch& b) {
  std::vector<array> in;
  for (size_t k = 0; k < b.in.size(); ++k) in.push_back(b.spread(k));
  return in;
}

// Through the composition of the op.
array composed_rule(const Batch& b, Composition compose) {
  std::vector<int> axes;
  for (bool batched : b.batched) axes.push_back(batched ? 0 : -1);
  auto fun = [&](const std::vector<array>& inputs) {
    return std::vector<array>{compose(b.node, inputs, b.stream)};
  };
  return vmap(fun, axes)(b.in)[0];
}

array kernel(const Batch& b) {
  switch (b.node->op) {
    case Op::matmul: {
      size_t rank = b.node->shape.size();
      return matmul(b.aligned(0, rank), b.aligned(1, rank), b.stream);
    }
    case Op::concatenate:
    case Op::gather_axis:
    case Op::argmax:
    case Op::argmin: return b.again(all_spread(b), next_axis<AxisParams>(b));
    case Op::scatter_axis: return b.again(all_spread(b), next_axis<ScatterAxisParams>(b));
    case Op::cumulative: return b.again(all_spread(b), next_axis<CumulativeParams>(b));
    case Op::slice_update: return b.again(all_spread(b), sliced_params(b));
    case Op::sort:
    case Op::argsort:
    case Op::partition:
    case Op::argpartition:
    case Op::random_bits: return b.again(b.in, same(b));
    case Op::gather: return gather_rule(b);
    case Op::scatter: return scatter_rule(b);
    case Op::affine_quantize:
    case Op::affine_dequantize: return b.again(all_spread(b), same(b));
    case Op::quantized_matmul:
    case Op::packed_matmul:
      if (std::count(b.batched.begin() + 1, b.batched.end(), true)) break;
      return b.again(b.in, same(b));
    case Op::packed_take:
      if (b.batched[0]) break;
      return b.again(b.in, same(b));
    default: break;
  }
  if (Composition compose = composition_of(b.node->op)) return composed_rule(b, compose);
  throw ArgumentError("[vmap] '" + std::string(op_info(b.node->op).name) + "' has no rule.");
}

}  // namespace

array vmap_of(const Node* node, const std::vector<array>& inputs, const std::vector<bool>& batched,
              int64_t batch) {
  Batch b{node, inputs, batched, batch, stream_at(node->stream)};
  switch (op_info(node->op).form) {
    case OpForm::Elementwise: return elementwise(b);
    case OpForm::View: return view(b);
    case OpForm::Reduce: return b.again(b.in, next_axes(b));
    default: return kernel(b);
  }
}

}  // namespace lazuli
