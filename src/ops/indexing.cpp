// Reading and writing at positions given by arrays.
#include <algorithm>

#include "lazuli/ops.h"
#include "ops/record.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

void check_indices(const char* op, const array& indices) {
  if (issubdtype(indices.dtype(), inexact) || indices.dtype() == bool_) {
    throw TypeError("[" + std::string(op) + "] Indices are integers, not " +
                    dtype_name(indices.dtype()) + ".");
  }
}

// Indices of one dtype and shape: the first is enough to read them all.
std::vector<array> aligned_indices(const char* op, const std::vector<array>& indices,
                                   const Stream& stream) {
  std::vector<array> result;
  for (const array& index : indices) {
    check_indices(op, index);
    result.push_back(astype(index, int64, stream));
  }
  return broadcast_arrays(result, stream);
}

// Axes in the order given, in range, none twice.
SmallVector<int64_t> index_axes(const char* op, const std::vector<int>& axes, const array& a,
                                size_t indices) {
  if (axes.size() != indices) {
    throw ArgumentError("[" + std::string(op) + "] " + std::to_string(indices) +
                        " index arrays were given for " + std::to_string(axes.size()) + " axes.");
  }
  normalize_axes(op, axes, a.ndim());
  SmallVector<int64_t> result;
  for (int axis : axes) result.push_back(normalize_axis(op, axis, a.ndim()));
  return result;
}

array scatter(const char* name, const array& a, const std::vector<array>& indices,
              const array& updates, const std::vector<int>& axes, ScatterMode mode,
              StreamOrDevice s) {
  Stream stream = to_stream(s);
  SmallVector<int64_t> at = index_axes(name, axes, a, indices.size());
  std::vector<array> inputs = {a, astype(updates, a.dtype(), stream)};
  Shape lead;
  for (array& index : aligned_indices(name, indices, stream)) {
    lead = index.shape();
    inputs.push_back(std::move(index));
  }
  const Shape& shape = updates.shape();
  bool fits =
      shape.size() == lead.size() + a.ndim() && std::equal(lead.begin(), lead.end(), shape.begin());
  for (size_t d = 0; fits && d < a.ndim(); ++d) fits = shape[lead.size() + d] <= a.shape()[d];
  if (!fits) {
    throw ArgumentError("[" + std::string(name) + "] Updates " + describe(updates) +
                        " do not have the shape of the indices " + describe(lead) +
                        " followed by a slice of " + describe(a) + ".");
  }
  return record(Op::scatter, a.dtype(), a.shape(), inputs, encode(ScatterParams{mode, at}), stream);
}

// Shapes that agree but for `axis`; the others broadcast.
Shape along_shape(const char* op, const Shape& a, const Shape& indices, int axis) {
  if (a.size() != indices.size()) {
    throw ArgumentError("[" + std::string(op) + "] Indices " + describe(indices) +
                        " need as many dimensions as the array " + describe(a) + ".");
  }
  Shape x = a, y = indices;
  x[static_cast<size_t>(axis)] = y[static_cast<size_t>(axis)] = 1;
  return broadcast_shapes(op, x, y);
}

array scatter_along(const char* name, const array& a, const array& indices, const array& values,
                    int axis, ScatterMode mode, StreamOrDevice s) {
  Stream stream = to_stream(s);
  check_indices(name, indices);
  int at = normalize_axis(name, axis, a.ndim());
  Shape shape = along_shape(name, a.shape(), indices.shape(), at);
  shape[static_cast<size_t>(at)] = indices.shape()[static_cast<size_t>(at)];
  array index = broadcast_to(astype(indices, int64, stream), shape, stream);
  array update = broadcast_to(astype(values, a.dtype(), stream), shape, stream);
  return record(Op::scatter_axis, a.dtype(), a.shape(), {&a, &index, &update},
                encode(ScatterAxisParams{at, mode}), stream);
}

}  // namespace

array gather(const array& a, const std::vector<array>& indices, const std::vector<int>& axes,
             const Shape& slice_sizes, StreamOrDevice s) {
  Stream stream = to_stream(s);
  SmallVector<int64_t> at = index_axes("gather", axes, a, indices.size());
  bool fits = slice_sizes.size() == a.ndim();
  for (size_t d = 0; fits && d < a.ndim(); ++d) {
    fits = slice_sizes[d] >= 0 && slice_sizes[d] <= a.shape()[d];
  }
  if (!fits) {
    throw ArgumentError("[gather] Slice sizes " + describe(slice_sizes) + " do not fit " +
                        describe(a) + ".");
  }
  std::vector<array> inputs = {a};
  Shape shape;
  for (array& index : aligned_indices("gather", indices, stream)) {
    shape = index.shape();
    inputs.push_back(std::move(index));
  }
  for (int64_t extent : slice_sizes) shape.push_back(extent);
  return record(Op::gather, a.dtype(), std::move(shape), inputs, encode(AxesParams{at}), stream);
}

array take(const array& a, const array& indices, int axis, StreamOrDevice s) {
  int at = normalize_axis("take", axis, a.ndim());
  if (a.shape()[static_cast<size_t>(at)] == 0 && indices.size() != 0) {
    throw ArgumentError("[take] Nothing can be taken from the empty axis " + std::to_string(axis) +
                        " of " + describe(a) + ".");
  }
  Shape sizes = a.shape();
  sizes[static_cast<size_t>(at)] = std::min<int64_t>(1, sizes[static_cast<size_t>(at)]);
  array gathered = gather(a, {indices}, {at}, sizes, s);
  // [indices..., slice...] with the taken axis of extent 1: put the indices in its place.
  int lead = static_cast<int>(indices.ndim());
  std::vector<int> order;
  for (int d = 0; d < at; ++d) order.push_back(lead + d);
  for (int d = 0; d < lead; ++d) order.push_back(d);
  for (int d = at; d < static_cast<int>(a.ndim()); ++d) order.push_back(lead + d);
  Shape shape(a.shape().begin(), a.shape().begin() + at);
  for (int64_t extent : indices.shape()) shape.push_back(extent);
  for (size_t d = static_cast<size_t>(at) + 1; d < a.ndim(); ++d) shape.push_back(a.shape()[d]);
  return reshape(transpose(gathered, order, s), shape, s);
}
array take(const array& a, const array& indices, StreamOrDevice s) {
  return take(flatten(a, s), indices, 0, s);
}

array take_along_axis(const array& a, const array& indices, int axis, StreamOrDevice s) {
  Stream stream = to_stream(s);
  check_indices("take_along_axis", indices);
  int at = normalize_axis("take_along_axis", axis, a.ndim());
  Shape shape = along_shape("take_along_axis", a.shape(), indices.shape(), at);
  Shape source = shape;
  source[static_cast<size_t>(at)] = a.shape()[static_cast<size_t>(at)];
  shape[static_cast<size_t>(at)] = indices.shape()[static_cast<size_t>(at)];
  array from = broadcast_to(a, source, stream);
  array index = broadcast_to(astype(indices, int64, stream), shape, stream);
  return record(Op::gather_axis, a.dtype(), std::move(shape), {&from, &index},
                encode(AxisParams{at}), stream);
}

array put_along_axis(const array& a, const array& indices, const array& values, int axis,
                     StreamOrDevice s) {
  return scatter_along("put_along_axis", a, indices, values, axis, ScatterMode::replace, s);
}
array scatter_add_axis(const array& a, const array& indices, const array& values, int axis,
                       StreamOrDevice s) {
  return scatter_along("scatter_add_axis", a, indices, values, axis, ScatterMode::add, s);
}

#define LAZULI_SCATTER(name, mode)                                                    \
  array name(const array& a, const std::vector<array>& indices, const array& updates, \
             const std::vector<int>& axes, StreamOrDevice s) {                        \
    return scatter(#name, a, indices, updates, axes, ScatterMode::mode, s);           \
  }
LAZULI_SCATTER(scatter, replace)
LAZULI_SCATTER(scatter_add, add)
LAZULI_SCATTER(scatter_prod, multiply)
LAZULI_SCATTER(scatter_max, maximum)
LAZULI_SCATTER(scatter_min, minimum)
#undef LAZULI_SCATTER

}  // namespace lazuli
