// Order: sort, partition and what is composed of them.
#include "lazuli/ops.h"
#include "lazuli/transforms.h"
#include "ops/record.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

array ordered(Op op, const array& a, int axis, int64_t kth, StreamOrDevice s) {
  const char* name = op_info(op).name;
  bool by_index = op == Op::argsort || op == Op::argpartition;
  int at = normalize_axis(name, axis, a.ndim());
  int64_t extent = a.shape()[static_cast<size_t>(at)];
  bool partial = op == Op::partition || op == Op::argpartition;
  if (partial && (kth < -extent || kth >= extent)) {
    throw ArgumentError("[" + std::string(name) + "] kth = " + std::to_string(kth) +
                        " lies outside of axis " + std::to_string(axis) + " of " + describe(a) +
                        ".");
  }
  // The kernel sorts along the last axis.
  array moved = swapaxes(a, at, -1, s);
  array result = record(op, by_index ? uint32 : a.dtype(), moved.shape(), {&moved},
                        encode(OrderParams{kth < 0 ? kth + extent : kth}), to_stream(s));
  return swapaxes(result, at, -1, s);
}

}  // namespace

array sort(const array& a, int axis, StreamOrDevice s) { return ordered(Op::sort, a, axis, 0, s); }
array argsort(const array& a, int axis, StreamOrDevice s) {
  return ordered(Op::argsort, a, axis, 0, s);
}
array partition(const array& a, int kth, int axis, StreamOrDevice s) {
  return ordered(Op::partition, a, axis, kth, s);
}
array argpartition(const array& a, int kth, int axis, StreamOrDevice s) {
  return ordered(Op::argpartition, a, axis, kth, s);
}

array topk(const array& a, int k, int axis, StreamOrDevice s) {
  int at = normalize_axis("topk", axis, a.ndim());
  int64_t extent = a.shape()[static_cast<size_t>(at)];
  if (k < 0 || k > extent) {
    throw ArgumentError("[topk] k = " + std::to_string(k) + " of axis " + std::to_string(axis) +
                        " of " + describe(a) + " cannot be chosen.");
  }
  note_shape_use();
  if (k == extent) return a;
  Shape start(a.ndim(), 0), stop = a.shape();
  start[static_cast<size_t>(at)] = extent - k;
  if (k == 0) return slice(a, start, stop, s);
  return slice(partition(a, static_cast<int>(extent - k), at, s), start, stop, s);
}

#define LAZULI_CUMULATIVE(name, mode)                                                    \
  array name(const array& a, int axis, bool reverse, bool inclusive, StreamOrDevice s) { \
    return cumulative(#name, a, axis, reverse, inclusive, mode, s);                      \
  }

namespace {

array cumulative(const char* name, const array& a, int axis, bool reverse, bool inclusive,
                 ScatterMode mode, StreamOrDevice s) {
  int at = normalize_axis(name, axis, a.ndim());
  bool sums = mode == ScatterMode::add || mode == ScatterMode::multiply;
  array x = sums ? astype(a, accumulated_dtype(a.dtype()), s) : a;
  return record(Op::cumulative, x.dtype(), x.shape(), {&x},
                encode(CumulativeParams{at, mode, reverse, inclusive}), to_stream(s));
}

}  // namespace

LAZULI_CUMULATIVE(cumsum, ScatterMode::add)
LAZULI_CUMULATIVE(cumprod, ScatterMode::multiply)
LAZULI_CUMULATIVE(cummax, ScatterMode::maximum)
LAZULI_CUMULATIVE(cummin, ScatterMode::minimum)

}  // namespace lazuli
