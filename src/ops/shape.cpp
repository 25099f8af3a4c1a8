// Views: other ways to look at the same elements.
#include <algorithm>
#include <numeric>
#include <optional>

#include "lazuli/ops.h"
#include "lazuli/transforms.h"
#include "ops/record.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

// Replaces one -1 by what is left of `count` elements of `a`; ArgumentError if the extents do not
// multiply to it.
Shape resolve_shape(const char* op, const array& a, int64_t count, Shape shape) {
  int64_t known = 1;
  int unknown = -1;
  auto fail = [&] {
    throw ArgumentError("[" + std::string(op) + "] " + std::to_string(count) + " elements of " +
                        describe(a) + " do not fill " + describe(shape) + ".");
  };
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1 && unknown < 0) {
      unknown = static_cast<int>(i);
    } else if (shape[i] < 0 || __builtin_mul_overflow(known, shape[i], &known)) {
      fail();
    }
  }
  if (unknown >= 0) {
    if (known == 0 || count % known) fail();
    shape[unknown] = count / known;
  } else if (known != count) {
    fail();
  }
  return shape;
}

// A view op whose parameters are one list of axes.
Params axes_params(const std::vector<int>& axes) {
  SmallVector<int64_t> list(axes);
  return encode(AxesParams{list});
}

}  // namespace

namespace {

// The axes of extent 1 that the longer shape has beside those of the shorter; nothing if they
// differ in more.
std::optional<std::vector<int>> axes_beside(const Shape& longer, const Shape& shorter) {
  std::vector<int> axes;
  size_t matched = 0;
  for (size_t i = 0; i < longer.size(); ++i) {
    if (matched < shorter.size() && longer[i] == shorter[matched]) {
      ++matched;
    } else if (longer[i] == 1) {
      axes.push_back(static_cast<int>(i));
    } else {
      return std::nullopt;
    }
  }
  if (matched != shorter.size()) return std::nullopt;
  return axes;
}

}  // namespace

array reshape(const array& a, Shape shape, StreamOrDevice s) {
  shape = resolve_shape("reshape", a, static_cast<int64_t>(a.size()), std::move(shape));
  note_shape_use();
  if (shape == a.shape()) return a;
  // Said in axes, for the planner to see.
  if (shape.size() > a.ndim()) {
    if (auto added = axes_beside(shape, a.shape())) return expand_dims(a, *added, s);
  } else if (shape.size() < a.ndim()) {
    if (auto dropped = axes_beside(a.shape(), shape)) return squeeze(a, *dropped, s);
  }
  return record(Op::reshape, a.dtype(), std::move(shape), {&a}, {}, to_stream(s));
}

array flatten(const array& a, int start_axis, int end_axis, StreamOrDevice s) {
  if (a.ndim() == 0) return reshape(a, {1}, s);
  int rank = static_cast<int>(a.ndim());
  int first = start_axis < 0 ? std::max(start_axis + rank, 0) : start_axis;
  int last = end_axis < 0 ? end_axis + rank : std::min(end_axis, rank - 1);
  if (last < first) throw ArgumentError("[flatten] start_axis lies behind end_axis.");
  Shape shape(a.shape().begin(), a.shape().begin() + first);
  shape.push_back(std::accumulate(a.shape().begin() + first, a.shape().begin() + last + 1,
                                  int64_t{1}, std::multiplies<>()));
  for (size_t i = last + 1; i < a.ndim(); ++i) shape.push_back(a.shape()[i]);
  return reshape(a, std::move(shape), s);
}
array flatten(const array& a, StreamOrDevice s) { return flatten(a, 0, -1, s); }

array unflatten(const array& a, int axis, Shape shape, StreamOrDevice s) {
  int at = normalize_axis("unflatten", axis, a.ndim());
  Shape parts = resolve_shape("unflatten", a, a.shape()[at], std::move(shape));
  Shape result(a.shape().begin(), a.shape().begin() + at);
  for (int64_t extent : parts) result.push_back(extent);
  for (size_t i = at + 1; i < a.ndim(); ++i) result.push_back(a.shape()[i]);
  return reshape(a, std::move(result), s);
}

array squeeze(const array& a, const std::vector<int>& axes, StreamOrDevice s) {
  std::vector<int> drop = normalize_axes("squeeze", axes, a.ndim());
  if (drop.empty()) return a;
  Shape shape;
  for (size_t i = 0, d = 0; i < a.ndim(); ++i) {
    if (d < drop.size() && drop[d] == static_cast<int>(i)) {
      if (a.shape()[i] != 1) {
        throw ArgumentError("[squeeze] Axis " + std::to_string(i) + " of " + describe(a) +
                            " is not of extent 1.");
      }
      ++d;
    } else {
      shape.push_back(a.shape()[i]);
    }
  }
  return record(Op::squeeze, a.dtype(), std::move(shape), {&a}, axes_params(drop), to_stream(s));
}
array squeeze(const array& a, int axis, StreamOrDevice s) {
  return squeeze(a, std::vector<int>{axis}, s);
}
array squeeze(const array& a, StreamOrDevice s) {
  std::vector<int> axes;
  for (size_t i = 0; i < a.ndim(); ++i) {
    if (a.shape()[i] == 1) axes.push_back(static_cast<int>(i));
  }
  return squeeze(a, axes, s);
}

array expand_dims(const array& a, const std::vector<int>& axes, StreamOrDevice s) {
  if (axes.empty()) return a;
  size_t rank = a.ndim() + axes.size();
  std::vector<int> added = normalize_axes("expand_dims", axes, rank);
  Shape shape;
  for (size_t i = 0, d = 0, from = 0; i < rank; ++i) {
    if (d < added.size() && added[d] == static_cast<int>(i)) {
      shape.push_back(1);
      ++d;
    } else {
      shape.push_back(a.shape()[from++]);
    }
  }
  return record(Op::expand_dims, a.dtype(), std::move(shape), {&a}, axes_params(added),
                to_stream(s));
}
array expand_dims(const array& a, int axis, StreamOrDevice s) {
  return expand_dims(a, std::vector<int>{axis}, s);
}

array transpose(const array& a, std::vector<int> axes, StreamOrDevice s) {
  if (axes.size() != a.ndim()) {
    throw ArgumentError("[transpose] " + std::to_string(axes.size()) + " axes were given for " +
                        describe(a) + ".");
  }
  for (int& axis : axes) axis = normalize_axis("transpose", axis, a.ndim());
  normalize_axes("transpose", axes, a.ndim());
  if (std::is_sorted(axes.begin(), axes.end())) return a;
  Shape shape;
  for (int axis : axes) shape.push_back(a.shape()[axis]);
  return record(Op::transpose, a.dtype(), std::move(shape), {&a}, axes_params(axes), to_stream(s));
}
array transpose(const array& a, StreamOrDevice s) {
  std::vector<int> axes = all_axes(a);
  std::reverse(axes.begin(), axes.end());
  return transpose(a, axes, s);
}
array swapaxes(const array& a, int axis1, int axis2, StreamOrDevice s) {
  std::vector<int> axes = all_axes(a);
  std::swap(axes[normalize_axis("swapaxes", axis1, a.ndim())],
            axes[normalize_axis("swapaxes", axis2, a.ndim())]);
  return transpose(a, axes, s);
}
array moveaxis(const array& a, int source, int destination, StreamOrDevice s) {
  int from = normalize_axis("moveaxis", source, a.ndim());
  int to = normalize_axis("moveaxis", destination, a.ndim());
  std::vector<int> axes = all_axes(a);
  axes.erase(axes.begin() + from);
  axes.insert(axes.begin() + to, from);
  return transpose(a, axes, s);
}

array broadcast_to(const array& a, const Shape& shape, StreamOrDevice s) {
  note_shape_use();
  if (shape == a.shape()) return a;
  if (broadcast_shapes("broadcast_to", a.shape(), shape) != shape) {
    throw ArgumentError("[broadcast_to] Cannot broadcast " + describe(a) + " to " +
                        describe(shape) + ".");
  }
  return record(Op::broadcast_to, a.dtype(), shape, {&a}, {}, to_stream(s));
}

std::vector<array> broadcast_arrays(const std::vector<array>& inputs, StreamOrDevice s) {
  Shape shape;
  for (const array& a : inputs) shape = broadcast_shapes("broadcast_arrays", shape, a.shape());
  std::vector<array> result;
  for (const array& a : inputs) result.push_back(broadcast_to(a, shape, s));
  return result;
}

array as_strided(array a, Shape shape, Strides strides, size_t offset, StreamOrDevice s) {
  if (shape.size() != strides.size()) {
    throw ArgumentError("[as_strided] Shape " + describe(shape) + " and strides " +
                        describe(strides) + " differ in length.");
  }
  bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  int64_t low = static_cast<int64_t>(offset), high = low, reach;
  bool inside = empty || low >= 0;
  for (size_t i = 0; i < shape.size() && !empty; ++i) {
    if (shape[i] < 0) throw ArgumentError("[as_strided] Negative extent in " + describe(shape));
    int64_t& end = strides[i] < 0 ? low : high;
    inside = inside && !__builtin_mul_overflow(shape[i] - 1, strides[i], &reach) &&
             !__builtin_add_overflow(end, reach, &end);
  }
  if (!empty && !(inside && low >= 0 && high < static_cast<int64_t>(a.size()))) {
    throw ArgumentError("[as_strided] Shape " + describe(shape) + " with strides " +
                        describe(strides) + " leaves the " + std::to_string(a.size()) +
                        " elements of " + describe(a) + ".");
  }
  // Strides refer to the row-major elements of `a`.
  array flat = reshape(a, {-1}, s);
  return record(Op::as_strided, a.dtype(), std::move(shape), {&flat},
                encode(AsStridedParams{static_cast<int64_t>(offset), strides}), to_stream(s));
}

std::vector<array> meshgrid(const std::vector<array>& arrays, bool sparse,
                            const std::string& indexing, StreamOrDevice s) {
  if (indexing != "xy" && indexing != "ij") {
    throw ArgumentError("[meshgrid] indexing is 'xy' or 'ij', not '" + indexing + "'.");
  }
  size_t rank = arrays.size();
  bool swap = indexing == "xy" && rank > 1;
  std::vector<array> result;
  for (size_t i = 0; i < rank; ++i) {
    size_t at = swap && i < 2 ? 1 - i : i;
    Shape shape(rank, 1);
    shape[at] = static_cast<int64_t>(arrays[i].size());
    result.push_back(reshape(arrays[i], shape, s));
  }
  return sparse ? result : broadcast_arrays(result, s);
}

}  // namespace lazuli
