#include "lazuli/linalg.h"

#include <cmath>

#include "lazuli/ops.h"
#include "ops/record.h"

namespace lazuli::linalg {
namespace {

array vector_norm(const array& size, double ord, const std::vector<int>& axes, bool keepdims,
                  const Stream& s) {
  Dtype dtype = size.dtype();
  if (ord == 0) {
    array differs = not_equal(size, array(0, dtype), s);
    return astype(sum(differs, axes, keepdims, s), dtype, s);
  }
  if (ord == 1) return sum(size, axes, keepdims, s);
  if (ord == 2) return sqrt(sum(square(size, s), axes, keepdims, s), s);
  if (std::isinf(ord)) {
    return ord > 0 ? max(size, axes, keepdims, s) : min(size, axes, keepdims, s);
  }
  array powers = sum(power(size, array(ord, dtype), s), axes, keepdims, s);
  return power(powers, array(1 / ord, dtype), s);
}

// `axes` are the rows' and the columns'. The largest or smallest sum along one of them.
array matrix_norm(const array& size, double ord, const std::vector<int>& axes, bool keepdims,
                  const Stream& s) {
  bool infinite = std::isinf(ord);
  if (!infinite && std::fabs(ord) != 1) {
    std::string text = std::to_string(ord);
    throw ArgumentError("[linalg::norm] The order " + text.substr(0, text.find('.')) +
                        (std::fabs(ord) == 2 ? " of matrices needs singular values, which are not "
                                               "there yet."
                                             : " is none of matrices."));
  }
  int summed = axes[infinite ? 1 : 0], other = axes[infinite ? 0 : 1];
  array sums = sum(size, summed, true, s);
  array result = ord > 0 ? max(sums, other, true, s) : min(sums, other, true, s);
  return keepdims ? result : squeeze(result, axes, s);
}

std::vector<int> checked_axes(const array& a, const std::vector<int>& axes) {
  if (axes.size() > 2) {
    throw ArgumentError("[linalg::norm] " + std::to_string(axes.size()) +
                        " axes; vectors have one and matrices two.");
  }
  std::vector<int> result;
  for (int axis : axes) result.push_back(normalize_axis("linalg::norm", axis, a.ndim()));
  normalize_axes("linalg::norm", axes, a.ndim());
  return result;
}

array absolute(const array& a, const Stream& s) {
  return abs(astype(a, at_least_float(a.dtype()), s), s);
}

}  // namespace

array norm(const array& a, const std::optional<std::vector<int>>& axes, bool keepdims,
           StreamOrDevice s) {
  Stream stream = to_stream(s);
  if (axes) checked_axes(a, *axes);
  return vector_norm(absolute(a, stream), 2, axes.value_or(all_axes(a)), keepdims, stream);
}

array norm(const array& a, double ord, const std::optional<std::vector<int>>& axes, bool keepdims,
           StreamOrDevice s) {
  Stream stream = to_stream(s);
  std::vector<int> over = checked_axes(a, axes.value_or(all_axes(a)));
  array size = absolute(a, stream);
  if (over.size() == 2) return matrix_norm(size, ord, over, keepdims, stream);
  return vector_norm(size, ord, over, keepdims, stream);
}

array norm(const array& a, const std::string& ord, const std::optional<std::vector<int>>& axes,
           bool keepdims, StreamOrDevice s) {
  std::vector<int> over = checked_axes(a, axes.value_or(all_axes(a)));
  if (over.size() != 2) {
    throw ArgumentError("[linalg::norm] '" + ord + "' is a norm of matrices, not of " +
                        std::to_string(over.size()) + " axes.");
  }
  if (ord == "nuc") {
    throw ArgumentError("[linalg::norm] 'nuc' needs singular values, which are not there yet.");
  }
  if (ord != "fro" && ord != "f") {
    throw ArgumentError("[linalg::norm] '" + ord + "' is none of 'fro' and 'nuc'.");
  }
  return norm(a, std::optional(over), keepdims, s);
}

array cross(const array& a, const array& b, int axis, StreamOrDevice s) {
  Stream stream = to_stream(s);
  auto part_of = [&](const array& x) {
    int at = normalize_axis("linalg::cross", axis, x.ndim());
    int64_t extent = x.shape()[static_cast<size_t>(at)];
    if (extent != 2 && extent != 3) {
      throw ArgumentError("[linalg::cross] Axis " + std::to_string(axis) + " of " + describe(x) +
                          " has neither 2 nor 3 elements.");
    }
    std::vector<array> parts = split(x, static_cast<int>(extent), at, stream);
    if (extent == 2) parts.push_back(zeros_like(parts[0], stream));
    return parts;
  };
  std::vector<array> x = part_of(a), y = part_of(b), result;
  for (size_t k = 0; k < 3; ++k) {
    size_t i = (k + 1) % 3, j = (k + 2) % 3;
    result.push_back(subtract(multiply(x[i], y[j], stream), multiply(x[j], y[i], stream), stream));
  }
  return concatenate(result, axis < 0 ? axis + static_cast<int>(result[0].ndim()) : axis, stream);
}

}  // namespace lazuli::linalg
