// Reductions and what is composed of them.
#include <algorithm>
#include <limits>

#include "lazuli/ops.h"
#include "lazuli/transforms.h"
#include "ops/record.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

Dtype accumulated(Op op, Dtype dtype) {
  if (op == Op::all || op == Op::any) return bool_;
  return op == Op::sum || op == Op::prod ? accumulated_dtype(dtype) : dtype;
}

Shape reduced_shape(const array& a, const std::vector<int>& axes, bool keepdims) {
  Shape shape;
  for (size_t i = 0, r = 0; i < a.ndim(); ++i) {
    if (r < axes.size() && axes[r] == static_cast<int>(i)) {
      ++r;
      if (keepdims) shape.push_back(1);
    } else {
      shape.push_back(a.shape()[i]);
    }
  }
  return shape;
}

// The node always keeps the reduced axes with extent 1; dropping them is a view.
array reduce(Op op, const array& a, const std::vector<int>& axes, bool keepdims, StreamOrDevice s) {
  const char* name = op_info(op).name;
  Stream stream = to_stream(s);
  std::vector<int> reduced = normalize_axes(name, axes, a.ndim());
  Dtype dtype = accumulated(op, a.dtype());
  array x = op == Op::all || op == Op::any ? astype(a, bool_, stream) : astype(a, dtype, stream);
  if (op == Op::max || op == Op::min) {
    for (int axis : reduced) {
      if (a.shape()[axis] == 0) {
        throw ArgumentError("[" + std::string(name) + "] Axis " + std::to_string(axis) + " of " +
                            describe(a) + " is empty and the op has no identity.");
      }
    }
  }
  bool nothing =
      std::all_of(reduced.begin(), reduced.end(), [&](int axis) { return a.shape()[axis] == 1; });
  array kept = x;
  if (!nothing) {
    SmallVector<int64_t> list(reduced);
    kept =
        record(op, dtype, reduced_shape(a, reduced, true), {&x}, encode(AxesParams{list}), stream);
  }
  return keepdims || reduced.empty() ? kept : squeeze(kept, reduced, stream);
}

int64_t reduced_count(const array& a, const std::vector<int>& axes) {
  note_shape_use();
  int64_t count = 1;
  for (int axis : axes) count *= a.shape()[normalize_axis("reduce", axis, a.ndim())];
  return count;
}

array arg_reduce(Op op, const array& a, int axis, bool keepdims, StreamOrDevice s) {
  int at = normalize_axis(op_info(op).name, axis, a.ndim());
  if (a.shape()[at] == 0) {
    throw ArgumentError("[" + std::string(op_info(op).name) + "] Axis " + std::to_string(axis) +
                        " of " + describe(a) + " is empty.");
  }
  Shape shape = a.shape();
  shape[at] = 1;
  array kept = record(op, uint32, std::move(shape), {&a}, encode(AxisParams{at}), to_stream(s));
  return keepdims ? kept : squeeze(kept, at, s);
}

array arg_reduce_all(Op op, const array& a, bool keepdims, StreamOrDevice s) {
  array result = arg_reduce(op, flatten(a, s), 0, false, s);
  return keepdims ? reshape(result, Shape(a.ndim(), 1), s) : result;
}

}  // namespace

#define LAZULI_REDUCTION(name)                                                                \
  array name(const array& a, const std::vector<int>& axes, bool keepdims, StreamOrDevice s) { \
    return reduce(Op::name, a, axes, keepdims, s);                                            \
  }                                                                                           \
  array name(const array& a, bool keepdims, StreamOrDevice s) {                               \
    return reduce(Op::name, a, all_axes(a), keepdims, s);                                     \
  }                                                                                           \
  array name(const array& a, int axis, bool keepdims, StreamOrDevice s) {                     \
    return reduce(Op::name, a, {axis}, keepdims, s);                                          \
  }
LAZULI_REDUCTION(all)
LAZULI_REDUCTION(any)
LAZULI_REDUCTION(sum)
LAZULI_REDUCTION(prod)
LAZULI_REDUCTION(max)
LAZULI_REDUCTION(min)
#undef LAZULI_REDUCTION

// Moments of halves are taken in float32, since their sums leave the range of float16, and those of
// 64-bit integers in float64, since their squares leave the range of float32.
namespace {

array widened(const array& a, StreamOrDevice s) {
  Dtype dtype = a.dtype();
  if (issubdtype(dtype, integer) && dtype.size() == 8) return astype(a, float64, s);
  return astype(a, dtype.size() < 4 ? float32 : at_least_float(dtype), s);
}

array narrowed(const array& kept, const array& a, const std::vector<int>& axes, bool keepdims,
               Dtype dtype, StreamOrDevice s) {
  array result = astype(kept, dtype, s);
  return keepdims ? result : squeeze(result, normalize_axes("reduce", axes, a.ndim()), s);
}

}  // namespace

array mean(const array& a, const std::vector<int>& axes, bool keepdims, StreamOrDevice s) {
  array x = widened(a, s);
  double count = static_cast<double>(reduced_count(a, axes));
  array kept = divide(sum(x, axes, true, s), scalar_like(x, count), s);
  return narrowed(kept, a, axes, keepdims, at_least_float(a.dtype()), s);
}

array var(const array& a, const std::vector<int>& axes, bool keepdims, int ddof, StreamOrDevice s) {
  array x = widened(a, s);
  array centered = subtract(x, mean(x, axes, true, s), s);
  bool complex = a.dtype() == complex64;
  array squared = complex ? square(abs(centered, s), s) : square(centered, s);
  int64_t count = std::max<int64_t>(reduced_count(a, axes) - ddof, 0);
  array kept =
      divide(sum(squared, axes, true, s), scalar_like(squared, static_cast<double>(count)), s);
  Dtype dtype = complex ? float32 : at_least_float(a.dtype());
  return narrowed(kept, a, axes, keepdims, dtype, s);
}

array std(const array& a, const std::vector<int>& axes, bool keepdims, int ddof, StreamOrDevice s) {
  return sqrt(var(a, axes, keepdims, ddof, s), s);
}

#define LAZULI_MOMENT(name)                                                         \
  array name(const array& a, bool keepdims, int ddof, StreamOrDevice s) {           \
    return name(a, all_axes(a), keepdims, ddof, s);                                 \
  }                                                                                 \
  array name(const array& a, int axis, bool keepdims, int ddof, StreamOrDevice s) { \
    return name(a, std::vector<int>{axis}, keepdims, ddof, s);                      \
  }
LAZULI_MOMENT(var)
LAZULI_MOMENT(std)
#undef LAZULI_MOMENT

array logsumexp(const array& a, const std::vector<int>& axes, bool keepdims, StreamOrDevice s) {
  array x = astype(a, at_least_float(a.dtype()), s);
  array peak = stop_gradient(max(x, axes, true, s), s);
  // An infinite peak would turn the difference into NaN.
  array shift = where(isfinite(peak, s), peak, zeros_like(peak, s), s);
  array result = add(log(sum(exp(subtract(x, shift, s), s), axes, true, s), s), shift, s);
  return keepdims ? result : squeeze(result, normalize_axes("logsumexp", axes, a.ndim()), s);
}

array count_nonzero(const array& a, const std::vector<int>& axes, bool keepdims, StreamOrDevice s) {
  return sum(astype(not_equal(a, array(0, a.dtype()), s), int32, s), axes, keepdims, s);
}

#define LAZULI_COMPOSED(name)                                             \
  array name(const array& a, bool keepdims, StreamOrDevice s) {           \
    return name(a, all_axes(a), keepdims, s);                             \
  }                                                                       \
  array name(const array& a, int axis, bool keepdims, StreamOrDevice s) { \
    return name(a, std::vector<int>{axis}, keepdims, s);                  \
  }
LAZULI_COMPOSED(mean)
LAZULI_COMPOSED(logsumexp)
LAZULI_COMPOSED(count_nonzero)
#undef LAZULI_COMPOSED

array argmax(const array& a, int axis, bool keepdims, StreamOrDevice s) {
  return arg_reduce(Op::argmax, a, axis, keepdims, s);
}
array argmax(const array& a, bool keepdims, StreamOrDevice s) {
  return arg_reduce_all(Op::argmax, a, keepdims, s);
}
array argmin(const array& a, int axis, bool keepdims, StreamOrDevice s) {
  return arg_reduce(Op::argmin, a, axis, keepdims, s);
}
array argmin(const array& a, bool keepdims, StreamOrDevice s) {
  return arg_reduce_all(Op::argmin, a, keepdims, s);
}

array softmax(const array& a, const std::vector<int>& axes, bool precise, StreamOrDevice s) {
  Dtype dtype = at_least_float(a.dtype());
  if (a.ndim() == 0 && !axes.empty()) {
    throw ArgumentError("[softmax] " + describe(a) + " has no axes.");
  }
  if (a.size() == 0) return astype(a, dtype, s);
  array x = astype(a, precise && dtype.size() == 2 ? float32 : dtype, s);
  array e = exp(subtract(x, stop_gradient(max(x, axes, true, s), s), s), s);
  return astype(divide(e, sum(e, axes, true, s), s), dtype, s);
}
array softmax(const array& a, int axis, bool precise, StreamOrDevice s) {
  return softmax(a, std::vector<int>{axis}, precise, s);
}
array softmax(const array& a, bool precise, StreamOrDevice s) {
  return softmax(a, all_axes(a), precise, s);
}

array allclose(const array& a, const array& b, double rtol, double atol, bool equal_nan,
               StreamOrDevice s) {
  return all(isclose(a, b, rtol, atol, equal_nan, s), s);
}

array isclose(const array& a, const array& b, double rtol, double atol, bool equal_nan,
              StreamOrDevice s) {
  // Differences of integers wrap and those of halves are coarse.
  auto wide = [](Dtype dtype) {
    if (issubdtype(dtype, inexact)) return dtype.size() < 4 ? float32 : dtype;
    return dtype.size() < 4 ? float32 : float64;
  };
  Dtype dtype = promote_types(wide(a.dtype()), wide(b.dtype()));
  Dtype real = dtype == float64 ? float64 : float32;
  array x = astype(a, dtype, s), y = astype(b, dtype, s);
  array bound = add(array(atol, real), multiply(array(rtol, real), abs(y, s), s), s);
  array near = less_equal(abs(subtract(x, y, s), s), bound, s);
  array finite = logical_and(isfinite(a, s), isfinite(b, s), s);
  array result = logical_or(logical_and(near, finite, s), equal(a, b, s), s);
  if (equal_nan) result = logical_or(result, logical_and(isnan(a, s), isnan(b, s), s), s);
  return result;
}

array array_equal(const array& a, const array& b, bool equal_nan, StreamOrDevice s) {
  note_shape_use();
  if (a.shape() != b.shape()) return array(false);
  array same = equal(a, b, s);
  if (equal_nan) same = logical_or(same, logical_and(isnan(a, s), isnan(b, s), s), s);
  return all(same, s);
}

}  // namespace lazuli
