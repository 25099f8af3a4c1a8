// Nothing here divides by x, so that zeros are values like all others, in every order of
// derivatives. A derivative of a cumulative product obeys S_i = b_i + a_i S_{i-1}, which is solved
// in log2(n) steps; a maximum takes its derivative to the element that it came from.
#include "transforms/cumulative_rules.h"

#include "lazuli/ops.h"
#include "ops/record.h"
#include "ops/table/params.h"
#include "transforms/rule_parts.h"

namespace lazuli {
namespace {

struct Scan : CumulativeParams {
  int64_t extent;
  Stream stream;

  Scan(const Node* node, const Stream& s)
      : CumulativeParams(params<CumulativeParams>(node)),
        extent(node->shape[static_cast<size_t>(axis)]),
        stream(s) {}

  array part(const array& x, int64_t from, int64_t to) const {
    Shape start(x.ndim(), 0), stop = x.shape();
    start[static_cast<size_t>(axis)] = from;
    stop[static_cast<size_t>(axis)] = to;
    return slice(x, start, stop, stream);
  }
  array joined(const array& a, const array& b) const { return concatenate({a, b}, axis, stream); }

  // What stands `steps` places before each element in the direction of the scan, or behind it if
  // `backwards`; `fill` where there is nothing.
  array shifted(const array& x, int64_t steps, double fill, bool backwards) const {
    Shape shape = x.shape();
    shape[static_cast<size_t>(axis)] = steps;
    array edge = full(shape, array(fill, x.dtype()), stream);
    if (backwards == reverse) return joined(edge, part(x, 0, extent - steps));
    return joined(part(x, steps, extent), edge);
  }

  // S with S_i = b_i + a_i S_{i-1}, in the direction of the scan or against it.
  array recurrence(array a, array b, bool backwards) const {
    for (int64_t steps = 1; steps < extent; steps *= 2) {
      b = add(b, multiply(a, shifted(b, steps, 0, backwards), stream), stream);
      if (steps * 2 < extent) a = multiply(a, shifted(a, steps, 1, backwards), stream);
    }
    return b;
  }

  array products_before(const array& x) const { return cumprod(x, axis, reverse, false, stream); }

  // The places along the axis of the elements that an inclusive scan holds: of equal ones the last.
  array origins(const array& x) const {
    array places = arange(0.0, static_cast<double>(extent), 1.0, int64, stream);
    if (reverse) places = subtract(array(extent - 1, int64), places, stream);
    Shape along(x.ndim(), 1);
    along[static_cast<size_t>(axis)] = extent;
    places = broadcast_to(reshape(places, along, stream), x.shape(), stream);
    bool larger = mode == ScatterMode::maximum;
    array best =
        larger ? cummax(x, axis, reverse, true, stream) : cummin(x, axis, reverse, true, stream);
    array held = where(held_by(best, x, stream), places, array(0, int64), stream);
    array latest = cummax(held, axis, reverse, true, stream);
    return reverse ? subtract(array(extent - 1, int64), latest, stream) : latest;
  }
};

}  // namespace

array cumulative_vjp(const Node* node, const array& x, const array& cotangent, const Stream& s) {
  Scan scan(node, s);
  if (scan.extent == 0) return cotangent;
  if (scan.mode == ScatterMode::add) {
    return cumsum(cotangent, scan.axis, !scan.reverse, scan.inclusive, s);
  }
  // An exclusive scan is an inclusive one moved by a place.
  array g = scan.inclusive ? cotangent : scan.shifted(cotangent, 1, 0, true);
  if (scan.mode == ScatterMode::multiply) {
    array factors = conjugated(scan.shifted(x, 1, 1, true), s);
    return multiply(conjugated(scan.products_before(x), s), scan.recurrence(factors, g, true), s);
  }
  return scatter_add_axis(zeros_like(g, s), scan.origins(x), g, scan.axis, s);
}

array cumulative_jvp(const Node* node, const array& x, const array& t, const Stream& s) {
  Scan scan(node, s);
  if (scan.extent == 0) return t;
  if (scan.mode == ScatterMode::add) {
    return cumsum(t, scan.axis, scan.reverse, scan.inclusive, s);
  }
  array result = scan.mode == ScatterMode::multiply
                     ? scan.recurrence(x, multiply(t, scan.products_before(x), s), false)
                     : take_along_axis(t, scan.origins(x), scan.axis, s);
  return scan.inclusive ? result : scan.shifted(result, 1, 0, false);
}

}  // namespace lazuli
