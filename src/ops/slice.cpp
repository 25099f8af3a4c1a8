// Parts of arrays and arrays made of parts.
#include <algorithm>

#include "lazuli/ops.h"
#include "lazuli/transforms.h"
#include "ops/record.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

// NumPy's rules for start:stop:stride on an extent; returns the number of elements chosen. The
// stride of one element does not matter and becomes 1.
int64_t resolve_bounds(int64_t extent, int64_t& start, int64_t& stop, int64_t& stride) {
  int64_t count;
  if (stride > 0) {
    start = std::clamp(start < 0 ? start + extent : start, int64_t{0}, extent);
    stop = std::clamp(stop < 0 ? stop + extent : stop, int64_t{0}, extent);
    count = stop > start ? (stop - start - 1) / stride + 1 : 0;
  } else {
    start = std::clamp(start < 0 ? start + extent : start, int64_t{-1}, extent - 1);
    stop = std::clamp(stop < 0 ? stop + extent : stop, int64_t{-1}, extent - 1);
    count = start > stop ? (stop - start + 1) / stride + 1 : 0;
  }
  if (count <= 1) stride = 1;
  return count;
}

struct Slice {
  Shape shape;  // of the chosen part
  Shape starts, strides;
  bool whole;  // everything, in order

  Params params() const { return encode(SliceParams{starts, strides}); }
};

Slice resolve_slice(const char* op, const array& a, Shape start, Shape stop, Shape strides) {
  size_t rank = a.ndim();
  if (start.size() != rank || stop.size() != rank || strides.size() != rank) {
    throw ArgumentError("[" + std::string(op) + "] Start, stop and strides need " +
                        std::to_string(rank) + " entries for " + describe(a) + ".");
  }
  Slice result;
  result.whole = true;
  note_shape_use();
  for (size_t i = 0; i < rank; ++i) {
    if (strides[i] == 0) throw ArgumentError("[" + std::string(op) + "] A stride is zero.");
    int64_t extent = a.shape()[i];
    result.shape.push_back(resolve_bounds(extent, start[i], stop[i], strides[i]));
    result.whole = result.whole && result.shape[i] == extent && (strides[i] == 1 || extent == 0);
    if (!result.shape[i]) start[i] = 0;
  }
  result.starts = std::move(start);
  result.strides = std::move(strides);
  return result;
}

Shape unit_strides(const array& a) { return Shape(a.ndim(), 1); }

void check_same_dtype_rank(const char* op, const std::vector<array>& arrays, int axis) {
  for (const array& a : arrays) {
    bool fits = a.ndim() == arrays[0].ndim();
    for (size_t i = 0; fits && i < a.ndim(); ++i) {
      fits = static_cast<int>(i) == axis || a.shape()[i] == arrays[0].shape()[i];
    }
    if (!fits) {
      throw ArgumentError("[" + std::string(op) + "] " + describe(a) + " does not fit " +
                          describe(arrays[0]) + " along axis " + std::to_string(axis) + ".");
    }
  }
}

}  // namespace

array slice(const array& a, Shape start, Shape stop, Shape strides, StreamOrDevice s) {
  Slice part = resolve_slice("slice", a, std::move(start), std::move(stop), std::move(strides));
  if (part.whole) return a;
  return record(Op::slice, a.dtype(), std::move(part.shape), {&a}, part.params(), to_stream(s));
}
array slice(const array& a, Shape start, Shape stop, StreamOrDevice s) {
  return slice(a, std::move(start), std::move(stop), unit_strides(a), s);
}

array slice_update(const array& src, const array& update, Shape start, Shape stop, Shape strides,
                   StreamOrDevice s) {
  Stream stream = to_stream(s);
  Slice part =
      resolve_slice("slice_update", src, std::move(start), std::move(stop), std::move(strides));
  array fitted = astype(update, src.dtype(), stream);
  // Leading axes of extent 1 in the update are dropped, as in assignment.
  while (fitted.ndim() > part.shape.size() && fitted.shape(0) == 1) fitted = squeeze(fitted, 0, s);
  fitted = broadcast_to(fitted, part.shape, stream);
  if (part.whole) return fitted;
  if (element_count(part.shape) == 0) return src;
  return record(Op::slice_update, src.dtype(), src.shape(), {&src, &fitted}, part.params(), stream);
}
array slice_update(const array& src, const array& update, Shape start, Shape stop,
                   StreamOrDevice s) {
  return slice_update(src, update, std::move(start), std::move(stop), unit_strides(src), s);
}

array flip(const array& a, const std::vector<int>& axes, StreamOrDevice s) {
  Shape start(a.ndim(), 0), stop = a.shape(), strides(a.ndim(), 1);
  for (int axis : normalize_axes("flip", axes, a.ndim())) {
    start[axis] = a.shape()[axis] - 1;
    stop[axis] = -a.shape()[axis] - 1;
    strides[axis] = -1;
  }
  return slice(a, start, stop, strides, s);
}
array flip(const array& a, int axis, StreamOrDevice s) {
  return flip(a, std::vector<int>{axis}, s);
}
array flip(const array& a, StreamOrDevice s) { return flip(a, all_axes(a), s); }

array concatenate(std::vector<array> arrays, int axis, StreamOrDevice s) {
  if (arrays.empty()) throw ArgumentError("[concatenate] At least one array is needed.");
  Stream stream = to_stream(s);
  int at = normalize_axis("concatenate", axis, arrays[0].ndim());
  check_same_dtype_rank("concatenate", arrays, at);
  if (arrays.size() == 1) return arrays[0];
  Dtype dtype = arrays[0].dtype();
  Shape shape = arrays[0].shape();
  shape[at] = 0;
  for (const array& a : arrays) {
    dtype = promote_types(dtype, a.dtype());
    shape[at] = checked_sum("concatenate", shape[at], a.shape()[at]);
  }
  for (array& a : arrays) a = astype(a, dtype, stream);
  return record(Op::concatenate, dtype, std::move(shape), arrays, encode(AxisParams{at}), stream);
}

array stack(const std::vector<array>& arrays, int axis, StreamOrDevice s) {
  if (arrays.empty()) throw ArgumentError("[stack] At least one array is needed.");
  std::vector<array> expanded;
  for (const array& a : arrays) {
    if (a.shape() != arrays[0].shape()) {
      throw ArgumentError("[stack] " + describe(a) + " and " + describe(arrays[0]) + " differ.");
    }
    expanded.push_back(expand_dims(a, axis, s));
  }
  return concatenate(expanded, axis, s);
}

std::vector<array> split(const array& a, const Shape& indices, int axis, StreamOrDevice s) {
  int at = normalize_axis("split", axis, a.ndim());
  std::vector<array> parts;
  int64_t extent = a.shape()[at], from = 0;
  for (size_t i = 0; i <= indices.size(); ++i) {
    int64_t to = i == indices.size() ? extent : indices[i];
    if (to < 0) to += extent;
    Shape start(a.ndim(), 0), stop = a.shape();
    start[at] = std::clamp(from, int64_t{0}, extent);
    stop[at] = std::clamp(to, int64_t{0}, extent);
    parts.push_back(slice(a, start, stop, s));
    from = to;
  }
  return parts;
}
std::vector<array> split(const array& a, int num_splits, int axis, StreamOrDevice s) {
  int at = normalize_axis("split", axis, a.ndim());
  int64_t extent = a.shape()[at];
  if (num_splits <= 0 || extent % num_splits) {
    throw ArgumentError("[split] Axis " + std::to_string(axis) + " of " + describe(a) +
                        " does not divide into " + std::to_string(num_splits) + " equal parts.");
  }
  Shape indices;
  for (int i = 1; i < num_splits; ++i) indices.push_back(extent / num_splits * i);
  return split(a, indices, axis, s);
}

std::vector<array> unstack(const array& a, int axis, StreamOrDevice s) {
  int at = normalize_axis("unstack", axis, a.ndim());
  std::vector<array> parts;
  if (a.shape()[at] == 0) return parts;
  for (const array& part : split(a, static_cast<int>(a.shape()[at]), at, s)) {
    parts.push_back(squeeze(part, at, s));
  }
  return parts;
}

array repeat(const array& a, int repeats, int axis, StreamOrDevice s) {
  int at = normalize_axis("repeat", axis, a.ndim());
  if (repeats < 0) throw ArgumentError("[repeat] The number of repeats is negative.");
  Shape wide = a.shape();
  wide.insert(wide.begin() + at + 1, repeats);
  Shape shape = a.shape();
  shape[at] = checked_product("repeat", shape[at], repeats);
  return reshape(broadcast_to(expand_dims(a, at + 1, s), wide, s), shape, s);
}
array repeat(const array& a, int repeats, StreamOrDevice s) {
  return repeat(flatten(a, s), repeats, 0, s);
}

array tile(const array& a, std::vector<int> reps, StreamOrDevice s) {
  Shape shape = a.shape();
  while (shape.size() < reps.size()) shape.insert(shape.begin(), 1);
  while (reps.size() < shape.size()) reps.insert(reps.begin(), 1);
  Shape single, wide, result;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (reps[i] < 0) throw ArgumentError("[tile] A number of repeats is negative.");
    single.push_back(1);
    single.push_back(shape[i]);
    wide.push_back(reps[i]);
    wide.push_back(shape[i]);
    result.push_back(checked_product("tile", reps[i], shape[i]));
  }
  return reshape(broadcast_to(reshape(a, single, s), wide, s), result, s);
}

array roll(const array& a, const Shape& shift, const std::vector<int>& axes, StreamOrDevice s) {
  if (shift.size() < axes.size() && shift.size() != 1 && axes.size() != 1) {
    throw ArgumentError("[roll] " + std::to_string(shift.size()) + " shifts are not enough for " +
                        std::to_string(axes.size()) + " axes.");
  }
  array result = a;
  for (size_t i = 0; i < axes.size(); ++i) {
    int at = normalize_axis("roll", axes[i], a.ndim());
    int64_t extent = a.shape()[at];
    if (extent == 0) continue;
    // All shifts of one axis, or its own.
    int64_t by = 0;
    for (size_t k = 0; k < shift.size(); ++k) {
      bool counts = axes.size() == 1 || shift.size() == 1 || k == i;
      if (counts) by = (by + shift[k] % extent + extent) % extent;
    }
    if (by == 0) continue;
    std::vector<array> parts = split(result, Shape{extent - by}, at, s);
    result = concatenate({parts[1], parts[0]}, at, s);
  }
  return result;
}
array roll(const array& a, int shift, int axis, StreamOrDevice s) {
  return roll(a, Shape{shift}, std::vector<int>{axis}, s);
}

namespace {

// Padded by what a mirror at each end shows, again and again: "symmetric" with the end, "reflect"
// without it.
array mirrored(const array& a, int axis, int64_t before, int64_t after, bool with_end,
               StreamOrDevice s) {
  int64_t extent = a.shape()[axis];
  int64_t mirror = with_end ? 2 * extent - 1 : 2 * extent - 2;  // i and mirror - i show the same
  int64_t period = std::max<int64_t>(with_end ? mirror + 1 : mirror, 1);
  array place = remainder(
      arange(static_cast<double>(-before), static_cast<double>(extent + after), 1.0, int64, s),
      array(period, int64), s);
  return take(a, minimum(place, subtract(array(mirror, int64), place, s), s), axis, s);
}

}  // namespace

array pad(const array& a, const std::vector<int>& axes, const Shape& low, const Shape& high,
          const array& value, const std::string& mode, StreamOrDevice s) {
  if (mode != "constant" && mode != "edge" && mode != "reflect" && mode != "symmetric") {
    throw ArgumentError("[pad] mode is 'constant', 'edge', 'reflect' or 'symmetric', not '" + mode +
                        "'.");
  }
  if (axes.size() != low.size() || axes.size() != high.size()) {
    throw ArgumentError("[pad] Each axis needs a low and a high width.");
  }
  Shape shape = a.shape(), start(a.ndim(), 0), stop = a.shape();
  for (size_t i = 0; i < axes.size(); ++i) {
    int at = normalize_axis("pad", axes[i], a.ndim());
    if (low[i] < 0 || high[i] < 0) throw ArgumentError("[pad] A width is negative.");
    shape[at] = checked_sum("pad", shape[at], checked_sum("pad", low[i], high[i]));
    start[at] = low[i];
    stop[at] = low[i] + a.shape()[at];
  }
  if (mode == "constant") {
    return slice_update(full(shape, value, a.dtype(), s), a, start, stop, s);
  }
  array result = a;
  for (size_t axis = 0; axis < a.ndim(); ++axis) {
    int64_t before = start[axis], after = shape[axis] - stop[axis];
    if (before + after == 0) continue;
    int64_t extent = result.shape()[axis];
    if (extent == 0) {
      throw ArgumentError("[pad] mode '" + mode + "' needs an element along each axis.");
    }
    if (mode != "edge") {
      result = mirrored(result, static_cast<int>(axis), before, after, mode == "symmetric", s);
      continue;
    }
    Shape first(result.ndim(), 0), first_end = result.shape(), last(result.ndim(), 0);
    first_end[axis] = 1;
    last[axis] = extent - 1;
    Shape wide = result.shape();
    wide[axis] = before;
    array head = broadcast_to(slice(result, first, first_end, s), wide, s);
    wide[axis] = after;
    array tail = broadcast_to(slice(result, last, result.shape(), s), wide, s);
    result = concatenate({head, result, tail}, static_cast<int>(axis), s);
  }
  return result;
}
array pad(const array& a, const std::vector<std::pair<int, int>>& widths, const array& value,
          const std::string& mode, StreamOrDevice s) {
  Shape low, high;
  for (auto [before, after] : widths) {
    low.push_back(before);
    high.push_back(after);
  }
  return pad(a, all_axes(a), low, high, value, mode, s);
}

array diagonal(const array& a, int offset, int axis1, int axis2, StreamOrDevice s) {
  int first = normalize_axis("diagonal", axis1, a.ndim());
  int second = normalize_axis("diagonal", axis2, a.ndim());
  if (first == second) throw ArgumentError("[diagonal] The two axes are the same.");
  array moved = a;
  std::vector<int> axes;
  for (int i = 0; i < static_cast<int>(a.ndim()); ++i) {
    if (i != first && i != second) axes.push_back(i);
  }
  axes.push_back(first);
  axes.push_back(second);
  moved = transpose(a, axes, s);
  int64_t rows = a.shape()[first], columns = a.shape()[second];
  int64_t from = offset, row = std::max<int64_t>(-from, 0), column = std::max<int64_t>(from, 0);
  int64_t count = std::max<int64_t>(0, std::min(rows - row, columns - column));
  Shape shape(moved.shape().begin(), moved.shape().end() - 2);
  shape.push_back(count);
  Strides strides = dense_strides(moved.shape());
  strides.pop_back();
  strides.back() = columns + 1;
  return as_strided(moved, shape, strides, count ? row * columns + column : 0, s);
}

array diag(const array& a, int k, StreamOrDevice s) {
  if (a.ndim() == 2) return diagonal(a, k, 0, 1, s);
  if (a.ndim() != 1) throw ArgumentError("[diag] " + describe(a) + " is not of 1 or 2 dimensions.");
  int64_t above = std::max(k, 0), below = -std::min<int64_t>(k, 0);
  int64_t side = checked_sum("diag", a.shape()[0], above + below);
  array column = integer_range(0, side, 1, int64, s), row = expand_dims(column, 1, s);
  array on = equal(column, add(row, array(k, int64), s), s);
  array spread = pad(a, std::vector<int>{0}, Shape{above}, Shape{below}, array(0), "constant", s);
  return where(on, spread, zeros_like(spread, s), s);
}

}  // namespace lazuli
