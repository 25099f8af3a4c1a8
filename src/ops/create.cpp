// Arrays from nothing, changes of dtype, and elementwise choices.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/visit.h"
#include "lazuli/ops.h"
#include "lazuli/transforms.h"
#include "ops/record.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

// Row numbers from the number of the k-th diagonal's column 0 on, and column numbers. Beyond the
// corners all diagonals are alike.
std::pair<array, array> along_diagonal(int64_t n, int64_t m, int64_t k, StreamOrDevice s) {
  array rows = reshape(integer_range(0, n, 1, int64, s), {n, 1}, s);
  return {add(rows, array(std::clamp(k, -n, m), int64), s), integer_range(0, m, 1, int64, s)};
}

// The k-th diagonal and what lies below it, as booleans.
array below_diagonal(int64_t n, int64_t m, int64_t k, StreamOrDevice s) {
  auto [rows, columns] = along_diagonal(n, m, k, s);
  return greater_equal(rows, columns, s);
}

}  // namespace

array arange(double start, double stop, double step, Dtype dtype, StreamOrDevice s) {
  if (dtype == bool_ || dtype == complex64) {
    throw TypeError("[arange] Not supported for " + std::string(dtype_name(dtype)) + ".");
  }
  if (!(std::isfinite(start) && std::isfinite(stop)) || std::isnan(step) || step == 0) {
    throw ArgumentError("[arange] Start, stop and step must be finite and step not zero.");
  }
  double count = std::isinf(step) ? (((step > 0) == (start < stop)) && start != stop ? 1.0 : 0.0)
                                  : std::max(0.0, std::ceil((stop - start) / step));
  if (count > std::numeric_limits<int32_t>::max()) {
    throw ArgumentError("[arange] The range holds too many elements.");
  }
  double by = std::isinf(step) ? 0 : step;
  Params params =
      issubdtype(dtype, integer)
          ? encode(ArangeParams<int64_t>{convert_value<int64_t>(start), convert_value<int64_t>(by)})
          : encode(ArangeParams<double>{start, by});
  return record(Op::arange, dtype, {static_cast<int64_t>(count)}, {}, std::move(params),
                to_stream(s));
}
array integer_range(int128 start, int128 stop, int128 step, Dtype dtype, StreamOrDevice s) {
  if (!issubdtype(dtype, integer)) {
    return arange(static_cast<double>(start), static_cast<double>(stop), static_cast<double>(step),
                  dtype, s);
  }
  if (step == 0) throw ArgumentError("[arange] The step is zero.");
  int128 span = step > 0 ? stop - start : start - stop, by = step > 0 ? step : -step;
  int128 count = span > 0 ? (span + by - 1) / by : 0;
  if (count > std::numeric_limits<int32_t>::max()) {
    throw ArgumentError("[arange] The range holds too many elements.");
  }
  return record(
      Op::arange, dtype, {static_cast<int64_t>(count)}, {},
      encode(ArangeParams<int64_t>{static_cast<int64_t>(start), static_cast<int64_t>(step)}),
      to_stream(s));
}
array arange(double start, double stop, double step, StreamOrDevice s) {
  return arange(start, stop, step, float32, s);
}
array arange(double start, double stop, Dtype dtype, StreamOrDevice s) {
  return arange(start, stop, 1.0, dtype, s);
}
array arange(double start, double stop, StreamOrDevice s) {
  return arange(start, stop, 1.0, float32, s);
}
array arange(double stop, Dtype dtype, StreamOrDevice s) {
  return arange(0.0, stop, 1.0, dtype, s);
}
array arange(double stop, StreamOrDevice s) { return arange(0.0, stop, 1.0, float32, s); }
array arange(int start, int stop, int step, StreamOrDevice s) {
  return integer_range(start, stop, step, int32, s);
}
array arange(int start, int stop, StreamOrDevice s) { return arange(start, stop, 1, s); }
array arange(int stop, StreamOrDevice s) { return arange(0, stop, 1, s); }

array linspace(double start, double stop, int num, Dtype dtype, StreamOrDevice s) {
  if (num < 0) throw ArgumentError("[linspace] The number of samples is negative.");
  // What float32 does not hold is computed in float64.
  bool narrow = issubdtype(dtype, inexact) ? dtype != float64 : dtype.size() < 4;
  Dtype inner = narrow ? float32 : float64;
  if (num == 1) return astype(full({1}, array(start, inner), s), dtype, s);
  array t = divide(arange(0.0, num, 1.0, inner, s), array(num - 1.0, inner), s);
  array low = multiply(subtract(array(1, inner), t, s), array(start, inner), s);
  return astype(add(low, multiply(t, array(stop, inner), s), s), dtype, s);
}

array full(Shape shape, array values, Dtype dtype, StreamOrDevice s) {
  return broadcast_to(astype(std::move(values), dtype, s), shape, s);
}
array full(Shape shape, array values, StreamOrDevice s) {
  Dtype dtype = values.dtype();
  return full(std::move(shape), std::move(values), dtype, s);
}
array zeros(const Shape& shape, Dtype dtype, StreamOrDevice s) {
  return full(shape, array(0, dtype), dtype, s);
}
array zeros_like(const array& a, StreamOrDevice s) {
  note_shape_use();
  return zeros(a.shape(), a.dtype(), s);
}
array ones(const Shape& shape, Dtype dtype, StreamOrDevice s) {
  return full(shape, array(1, dtype), dtype, s);
}
array ones_like(const array& a, StreamOrDevice s) {
  note_shape_use();
  return ones(a.shape(), a.dtype(), s);
}
array full_like(const array& a, array values, StreamOrDevice s) {
  note_shape_use();
  return full(a.shape(), std::move(values), a.dtype(), s);
}

array eye(int n, int m, int k, Dtype dtype, StreamOrDevice s) {
  if (n < 0 || m < 0) throw ArgumentError("[eye] An extent is negative.");
  auto [rows, columns] = along_diagonal(n, m, k, s);
  return astype(equal(rows, columns, s), dtype, s);
}
array eye(int n, StreamOrDevice s) { return eye(n, n, 0, float32, s); }
array identity(int n, Dtype dtype, StreamOrDevice s) { return eye(n, n, 0, dtype, s); }
array tri(int n, int m, int k, Dtype dtype, StreamOrDevice s) {
  if (n < 0 || m < 0) throw ArgumentError("[tri] An extent is negative.");
  return astype(below_diagonal(n, m, k, s), dtype, s);
}
array tril(array x, int k, StreamOrDevice s) {
  if (x.ndim() < 2) throw ArgumentError("[tril] " + describe(x) + " is not a matrix.");
  array kept = below_diagonal(x.shape(-2), x.shape(-1), k, s);
  return where(kept, x, zeros_like(x, s), s);
}
array triu(array x, int k, StreamOrDevice s) {
  if (x.ndim() < 2) throw ArgumentError("[triu] " + describe(x) + " is not a matrix.");
  array dropped = below_diagonal(x.shape(-2), x.shape(-1), int64_t{k} - 1, s);
  return where(dropped, zeros_like(x, s), x, s);
}

array astype(array a, Dtype dtype, StreamOrDevice s) {
  if (a.dtype() == dtype) return a;
  Stream stream = to_stream(s);
  // A fused step rounds a half itself where it widens it to float32.
  array from = dtype == float32 ? a : as_stored(a, stream);
  return record(Op::astype, dtype, a.shape(), {&from}, {}, stream);
}

array copy(array a, StreamOrDevice s) {
  return record(Op::copy, a.dtype(), a.shape(), {&a}, {}, to_stream(s));
}
array contiguous(const array& a, bool, StreamOrDevice s) { return copy(a, s); }

array stop_gradient(const array& a, StreamOrDevice s) {
  return record(Op::identity, a.dtype(), a.shape(), {&a},
                encode(IdentityParams{IdentityKind::stop}), to_stream(s));
}

array where(const array& condition, const array& x, const array& y, StreamOrDevice s) {
  Stream stream = to_stream(s);
  Dtype dtype = promote_types(x.dtype(), y.dtype());
  array c = astype(condition, bool_, stream);
  array a = astype(x, dtype, stream), b = astype(y, dtype, stream);
  Shape shape =
      broadcast_shapes("where", broadcast_shapes("where", a.shape(), b.shape()), c.shape());
  return record(Op::select, dtype, std::move(shape), {&c, &a, &b}, {}, stream);
}

array clip(const array& a, const std::optional<array>& low, const std::optional<array>& high,
           StreamOrDevice s) {
  if (!low && !high) throw ArgumentError("[clip] A lower or an upper bound is needed.");
  array result = a;
  if (low) result = maximum(result, *low, s);
  if (high) result = minimum(result, *high, s);
  return result;
}

array nan_to_num(const array& a, double nan, std::optional<double> posinf,
                 std::optional<double> neginf, StreamOrDevice s) {
  Dtype dtype = a.dtype();
  if (!issubdtype(dtype, inexact)) return a;
  if (dtype == complex64) {
    array re = nan_to_num(real(a, s), nan, posinf, neginf, s);
    array im = nan_to_num(imag(a, s), nan, posinf, neginf, s);
    return add(re, multiply(im, array(complex64_t(0, 1)), s), s);
  }
  double largest = dtype == float16    ? 65504.0
                   : dtype == bfloat16 ? 0x1.fep127
                   : dtype == float64  ? std::numeric_limits<double>::max()
                                       : static_cast<double>(std::numeric_limits<float>::max());
  array high(posinf ? *posinf : largest, dtype), low(neginf ? *neginf : -largest, dtype);
  array result = where(isnan(a, s), array(nan, dtype), a, s);
  result = where(isposinf(result, s), high, result, s);
  return where(isneginf(result, s), low, result, s);
}

}  // namespace lazuli
