// Compositions of products, sums and slices.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "lazuli/ops.h"
#include "ops/record.h"

namespace lazuli {
namespace {

std::vector<int> range(int first, int last) {
  std::vector<int> axes(static_cast<size_t>(std::max(0, last - first)));
  std::iota(axes.begin(), axes.end(), first);
  return axes;
}

// Extents first, last and so on of a slice that takes [from, to) of an axis and all of the others.
array along(const array& a, int axis, int64_t from, int64_t to, const Stream& s) {
  Shape start(a.ndim(), 0), stop = a.shape();
  start[static_cast<size_t>(axis)] = from;
  stop[static_cast<size_t>(axis)] = to;
  return slice(a, start, stop, s);
}

}  // namespace

array kron(const array& a, const array& b, StreamOrDevice s) {
  Stream stream = to_stream(s);
  size_t rank = std::max(a.ndim(), b.ndim());
  // Axes of a and of b in turn: [a0, 1, a1, 1 ...] times [1, b0, 1, b1 ...].
  Shape outer(2 * rank, 1), inner(2 * rank, 1), result(rank, 1);
  for (size_t d = 0; d < rank; ++d) {
    size_t from_a = d + a.ndim(), from_b = d + b.ndim();
    if (from_a >= rank) outer[2 * d] = a.shape()[from_a - rank];
    if (from_b >= rank) inner[2 * d + 1] = b.shape()[from_b - rank];
    result[d] = checked_product("kron", outer[2 * d], inner[2 * d + 1]);
  }
  return reshape(multiply(reshape(a, outer, stream), reshape(b, inner, stream), stream), result,
                 stream);
}

array tensordot(const array& a, const array& b, const std::vector<int>& axes_a,
                const std::vector<int>& axes_b, StreamOrDevice s) {
  Stream stream = to_stream(s);
  if (axes_a.size() != axes_b.size()) {
    throw ArgumentError("[tensordot] " + std::to_string(axes_a.size()) + " axes of the first and " +
                        std::to_string(axes_b.size()) + " of the second array are contracted.");
  }
  std::vector<int> left, right;
  for (size_t k = 0; k < axes_a.size(); ++k) {
    left.push_back(normalize_axis("tensordot", axes_a[k], a.ndim()));
    right.push_back(normalize_axis("tensordot", axes_b[k], b.ndim()));
    if (a.shape()[static_cast<size_t>(left[k])] != b.shape()[static_cast<size_t>(right[k])]) {
      throw ArgumentError("[tensordot] The contracted axes of " + describe(a) + " and " +
                          describe(b) + " differ in their extents.");
    }
  }
  normalize_axes("tensordot", left, a.ndim());
  normalize_axes("tensordot", right, b.ndim());
  auto free_axes = [](const array& x, const std::vector<int>& used) {
    std::vector<int> free;
    for (int axis : all_axes(x)) {
      if (std::find(used.begin(), used.end(), axis) == used.end()) free.push_back(axis);
    }
    return free;
  };
  std::vector<int> free_a = free_axes(a, left), free_b = free_axes(b, right);
  Shape result;
  int64_t rows = 1, columns = 1, depth = 1;
  for (int axis : free_a) rows *= a.shape()[static_cast<size_t>(axis)];
  for (int axis : free_b) columns *= b.shape()[static_cast<size_t>(axis)];
  for (int axis : left) depth *= a.shape()[static_cast<size_t>(axis)];
  for (int axis : free_a) result.push_back(a.shape()[static_cast<size_t>(axis)]);
  for (int axis : free_b) result.push_back(b.shape()[static_cast<size_t>(axis)]);
  std::vector<int> order_a = free_a, order_b = right;
  order_a.insert(order_a.end(), left.begin(), left.end());
  order_b.insert(order_b.end(), free_b.begin(), free_b.end());
  array x = reshape(transpose(a, order_a, stream), {rows, depth}, stream);
  array y = reshape(transpose(b, order_b, stream), {depth, columns}, stream);
  return reshape(matmul(x, y, stream), result, stream);
}

array tensordot(const array& a, const array& b, int axis, StreamOrDevice s) {
  int rank_a = static_cast<int>(a.ndim()), rank_b = static_cast<int>(b.ndim());
  if (axis < 0 || axis > std::min(rank_a, rank_b)) {
    throw ArgumentError("[tensordot] " + std::to_string(axis) + " axes of " + describe(a) +
                        " and " + describe(b) + " cannot be contracted.");
  }
  return tensordot(a, b, range(rank_a - axis, rank_a), range(0, axis), s);
}

array trace(const array& a, int offset, int axis1, int axis2, Dtype dtype, StreamOrDevice s) {
  if (a.ndim() < 2) {
    throw ArgumentError("[trace] " + describe(a) + " has no two dimensions.");
  }
  return sum(astype(diagonal(a, offset, axis1, axis2, s), dtype, s), -1, false, s);
}
array trace(const array& a, int offset, int axis1, int axis2, StreamOrDevice s) {
  return trace(a, offset, axis1, axis2, a.dtype(), s);
}
array trace(const array& a, StreamOrDevice s) { return trace(a, 0, 0, 1, s); }

array diff(const array& a, int n, int axis, StreamOrDevice s) {
  if (n < 0) throw ArgumentError("[diff] The order " + std::to_string(n) + " is negative.");
  Stream stream = to_stream(s);
  int at = normalize_axis("diff", axis, a.ndim());
  array result = a;
  for (int k = 0; k < n; ++k) {
    int64_t extent = result.shape()[static_cast<size_t>(at)];
    if (extent == 0) break;
    array next = along(result, at, 1, extent, stream);
    array last = along(result, at, 0, extent - 1, stream);
    result = a.dtype() == bool_ ? not_equal(next, last, stream) : subtract(next, last, stream);
  }
  return result;
}

array vecdot(const array& a, const array& b, int axis, StreamOrDevice s) {
  array left = a.dtype() == complex64 ? conjugate(a, s) : a;
  return sum(multiply(left, b, s), axis, false, s);
}

namespace {

// Axes in front and behind, so that there are as many as wanted.
array with_axes(const array& a, size_t wanted, StreamOrDevice s) {
  if (a.ndim() >= wanted) return a;
  Shape shape(wanted, 1);
  bool behind = wanted == 3 && a.ndim() > 0;  // [n] -> [1, n, 1], [n, m] -> [n, m, 1]
  size_t first = behind ? 2 - a.ndim() : wanted - a.ndim();
  std::copy(a.shape().begin(), a.shape().end(), shape.begin() + static_cast<long>(first));
  return reshape(a, shape, s);
}
std::vector<array> each_with_axes(const std::vector<array>& arrays, size_t wanted,
                                  StreamOrDevice s) {
  std::vector<array> result;
  for (const array& a : arrays) result.push_back(with_axes(a, wanted, s));
  return result;
}

}  // namespace

array atleast_1d(const array& a, StreamOrDevice s) { return with_axes(a, 1, s); }
array atleast_2d(const array& a, StreamOrDevice s) { return with_axes(a, 2, s); }
array atleast_3d(const array& a, StreamOrDevice s) { return with_axes(a, 3, s); }
std::vector<array> atleast_1d(const std::vector<array>& a, StreamOrDevice s) {
  return each_with_axes(a, 1, s);
}
std::vector<array> atleast_2d(const std::vector<array>& a, StreamOrDevice s) {
  return each_with_axes(a, 2, s);
}
std::vector<array> atleast_3d(const std::vector<array>& a, StreamOrDevice s) {
  return each_with_axes(a, 3, s);
}

array median(const array& a, const std::vector<int>& axes, bool keepdims, StreamOrDevice s) {
  Stream stream = to_stream(s);
  std::vector<int> over = normalize_axes("median", axes, a.ndim());
  std::vector<int> order;
  Shape kept, result;
  int64_t count = 1;
  for (int axis : all_axes(a)) {
    int64_t extent = a.shape()[static_cast<size_t>(axis)];
    bool reduced = std::binary_search(over.begin(), over.end(), axis);
    if (reduced) {
      count *= extent;
    } else {
      order.push_back(axis);
      kept.push_back(extent);
    }
    if (!reduced || keepdims) result.push_back(reduced ? 1 : extent);
  }
  if (count == 0) throw ArgumentError("[median] " + describe(a) + " has an empty axis.");
  order.insert(order.end(), over.begin(), over.end());
  kept.push_back(count);
  Dtype dtype = at_least_float(a.dtype());
  array rows = reshape(transpose(astype(a, dtype, stream), order, stream), kept, stream);
  int last = static_cast<int>(rows.ndim()) - 1;
  array sorted = sort(rows, last, stream);
  array middle = along(sorted, last, (count - 1) / 2, count / 2 + 1, stream);
  array value = mean(middle, last, true, stream);
  // NaN is sorted behind everything.
  array end = along(sorted, last, count - 1, count, stream);
  value = where(isnan(end, stream), end, value, stream);
  return reshape(value, result, stream);
}
array median(const array& a, bool keepdims, StreamOrDevice s) {
  return median(a, all_axes(a), keepdims, s);
}

std::vector<array> depends(const std::vector<array>& inputs,
                           const std::vector<array>& dependencies) {
  std::vector<array> result;
  for (const array& input : inputs) {
    std::vector<array> all = {input};
    all.insert(all.end(), dependencies.begin(), dependencies.end());
    result.push_back(
        record(Op::identity, input.dtype(), input.shape(), all, Params{0}, to_stream({})));
  }
  return result;
}

namespace {

// A window of raised cosines: sum of coefficients times cos(2 pi k n / (size - 1)), with signs in
// turn (Harris, 1978, doi:10.1109/PROC.1978.10837).
array cosine_window(int size, std::initializer_list<float> coefficients, StreamOrDevice s) {
  if (size < 1) return zeros({0}, float32, s);
  if (size == 1) return ones({1}, float32, s);
  double step = 2 * std::numbers::pi / (size - 1);
  array angle = multiply(arange(0, size, 1, float32, s), array(static_cast<float>(step)), s);
  // Those that are added come first: at the ends they make up exactly for the others.
  array added = zeros({size}, float32, s), subtracted = added;
  int k = 0;
  for (float coefficient : coefficients) {
    array turns = multiply(angle, array(static_cast<float>(k)), s);
    array& sum = k % 2 ? subtracted : added;
    sum = add(sum, multiply(cos(turns, s), array(coefficient), s), s);
    ++k;
  }
  return subtract(added, subtracted, s);
}

}  // namespace

array hanning(int size, StreamOrDevice s) { return cosine_window(size, {0.5f, 0.5f}, s); }
array hamming(int size, StreamOrDevice s) { return cosine_window(size, {0.54f, 0.46f}, s); }
array blackman(int size, StreamOrDevice s) { return cosine_window(size, {0.42f, 0.5f, 0.08f}, s); }
array bartlett(int size, StreamOrDevice s) {
  if (size < 1) return zeros({0}, float32, s);
  if (size == 1) return ones({1}, float32, s);
  float half = static_cast<float>(size - 1) / 2;
  array place = divide(arange(0, size, 1, float32, s), array(half), s);
  return subtract(array(1.0f), abs(subtract(place, array(1.0f), s), s), s);
}

}  // namespace lazuli
