// sort, argsort, partition, argpartition along the last axis; argmax and argmin; cumulative ops.
//
// NaN sorts last. Rows are dealt to the threads. argmax of one long row is cut in parts: its floor
// is one read of the row.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/thread_pool.h"
#include "compiler/backend.h"
#include "core/visit.h"
#include "ops/table/op.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

template <class T>
bool is_nan(T x) {
  if constexpr (std::is_integral_v<T>) return false;
  else if constexpr (std::is_same_v<T, complex64_t>)
    return std::isnan(x.real()) || std::isnan(x.imag());
  else return std::isnan(static_cast<float>(x));
}

template <class T>
bool before(T a, T b) {
  if constexpr (std::is_same_v<T, complex64_t>) {
    if (is_nan(a) || is_nan(b)) return !is_nan(a) && is_nan(b);
    return a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
  } else if constexpr (std::is_integral_v<T>) {
    return a < b;
  } else {
    using F = std::conditional_t<std::is_same_v<T, double>, double, float>;
    F x = static_cast<F>(a), y = static_cast<F>(b);
    return x < y || (y != y && x == x);
  }
}

struct Rows {
  int64_t count, length;
  explicit Rows(const Operand& operand)
      : count(1), length(operand.shape->empty() ? 1 : operand.shape->back()) {
    count = length ? operand.size() / length : 0;
  }
};

template <class F>
void each_row(const Rows& rows, F f) {
  int64_t tasks =
      std::clamp<int64_t>(rows.count * rows.length / 4096, 1, std::max<int64_t>(rows.count, 1));
  if (rows.count == 0) return;
  ThreadPool::instance().run(tasks, [&](int64_t t) {
    for (int64_t r = rows.count * t / tasks; r < rows.count * (t + 1) / tasks; ++r) f(r);
  });
}

void sort_values(const KernelCall& call, bool partial) {
  Rows rows(call.inputs[0]);
  int64_t kth = params<OrderParams>(call.node).kth;
  visit(call.output.dtype, [&]<class T>() {
    each_row(rows, [&](int64_t r) {
      const T* from = call.inputs[0].as<T>() + r * rows.length;
      T* to = call.output.as<T>() + r * rows.length;
      std::copy_n(from, rows.length, to);
      if (partial) std::nth_element(to, to + kth, to + rows.length, before<T>);
      else std::stable_sort(to, to + rows.length, before<T>);
    });
  });
}

void sort_indices(const KernelCall& call, bool partial) {
  Rows rows(call.inputs[0]);
  int64_t kth = params<OrderParams>(call.node).kth;
  visit(call.inputs[0].dtype, [&]<class T>() {
    each_row(rows, [&](int64_t r) {
      const T* x = call.inputs[0].as<T>() + r * rows.length;
      uint32_t* to = call.output.as<uint32_t>() + r * rows.length;
      std::iota(to, to + rows.length, 0u);
      auto less = [x](uint32_t a, uint32_t b) { return before(x[a], x[b]); };
      if (partial) std::nth_element(to, to + kth, to + rows.length, less);
      else std::stable_sort(to, to + rows.length, less);
    });
  });
}

// Whether b replaces the best so far, a. The first NaN wins, then the first extreme.
template <bool Largest, class T>
bool better(T a, T b) {
  if (is_nan(a)) return false;
  if (is_nan(b)) return true;
  return Largest ? before(a, b) : before(b, a);
}

// Whether one of 64 neighbours beats the value, or is NaN: a loop without branches, for vectors.
template <bool Largest, class T>
bool any_better(T value, const T* x) {
  bool any = false;
  for (int j = 0; j < 64; ++j) any |= !(Largest ? x[j] <= value : x[j] >= value);
  return any;
}

template <bool Largest, class T>
int64_t best_in(const T* x, int64_t stride, int64_t first, int64_t last) {
  int64_t best = first;
  T value = x[first * stride];
  for (int64_t i = first + 1; i < last; ++i) {
    if constexpr (std::is_arithmetic_v<T>) {
      while (stride == 1 && i + 64 <= last && !any_better<Largest>(value, x + i)) i += 64;
      if (i == last) break;
    }
    if (better<Largest>(value, x[i * stride])) {
      best = i;
      value = x[i * stride];
    }
  }
  return best;
}

template <bool Largest>
void arg_extreme(const KernelCall& call) {
  const Shape& shape = *call.inputs[0].shape;
  size_t axis = static_cast<size_t>(params<AxisParams>(call.node).axis);
  int64_t outer = 1, extent = shape[axis], inner = 1;
  for (size_t d = 0; d < axis; ++d) outer *= shape[d];
  for (size_t d = axis + 1; d < shape.size(); ++d) inner *= shape[d];
  visit(call.inputs[0].dtype, [&]<class T>() {
    const T* x = call.inputs[0].as<T>();
    uint32_t* out = call.output.as<uint32_t>();
    if (outer * inner == 1) {
      int64_t parts = std::clamp<int64_t>(extent / 16384, 1, 64);
      std::vector<int64_t> best(static_cast<size_t>(parts));
      ThreadPool::instance().run(parts, [&](int64_t p) {
        best[static_cast<size_t>(p)] =
            best_in<Largest>(x, 1, extent * p / parts, extent * (p + 1) / parts);
      });
      int64_t winner = best[0];
      for (int64_t b : best)
        if (better<Largest>(x[winner], x[b])) winner = b;
      out[0] = static_cast<uint32_t>(winner);
      return;
    }
    ThreadPool::instance().run(outer, [&](int64_t o) {
      for (int64_t i = 0; i < inner; ++i) {
        out[o * inner + i] =
            static_cast<uint32_t>(best_in<Largest>(x + o * extent * inner + i, inner, 0, extent));
      }
    });
  });
}

template <class T>
using Running = std::conditional_t<
    std::is_same_v<T, complex64_t>, std::complex<double>,
    std::conditional_t<std::is_integral_v<T>,
                       std::conditional_t<(sizeof(T) < 8), uint32_t, uint64_t>, double>>;

template <class T>
T joined(T a, T b, bool larger) {
  if (is_nan(a)) return a;
  if (is_nan(b)) return b;
  return before(a, b) == larger ? b : a;
}

// One line of a cumulative op, in steps of `stride` elements.
template <class T>
void accumulate_line(const T* x, T* out, int64_t extent, int64_t stride, ScatterMode mode,
                     bool inclusive) {
  bool sums = mode == ScatterMode::add, products = mode == ScatterMode::multiply;
  Running<T> running = products ? Running<T>(1) : Running<T>(0);
  bool larger = mode == ScatterMode::maximum;
  T extreme{};
  for (int64_t i = 0; i < extent; ++i) {
    T value = x[i * stride];
    T result;
    if (sums || products) {
      Running<T> before_value = running;
      if constexpr (std::is_same_v<T, complex64_t> || std::is_integral_v<T>) {
        running = sums ? static_cast<Running<T>>(running + static_cast<Running<T>>(value))
                       : static_cast<Running<T>>(running * static_cast<Running<T>>(value));
      } else {
        using F = std::conditional_t<std::is_same_v<T, double>, double, float>;
        running = sums ? running + static_cast<F>(value) : running * static_cast<F>(value);
      }
      result = convert_value<T>(
          static_cast<std::conditional_t<std::is_same_v<T, complex64_t>, complex64_t, Running<T>>>(
              inclusive ? running : before_value));
    } else {
      T previous = extreme;
      extreme = i == 0 ? value : joined(extreme, value, larger);
      result = inclusive ? extreme : previous;
      if (!inclusive && i == 0) {
        if constexpr (std::is_same_v<T, complex64_t>) {
          result = T(larger ? -HUGE_VALF : HUGE_VALF, larger ? -HUGE_VALF : HUGE_VALF);
        } else if constexpr (std::is_integral_v<T>) {
          result = larger ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max();
        } else {
          result = T(static_cast<float>(larger ? -HUGE_VALF : HUGE_VALF));
        }
      }
    }
    out[i * stride] = result;
  }
}

}  // namespace

void kernel_sort(const KernelCall& call) { sort_values(call, false); }
void kernel_partition(const KernelCall& call) { sort_values(call, true); }
void kernel_argsort(const KernelCall& call) { sort_indices(call, false); }
void kernel_argpartition(const KernelCall& call) { sort_indices(call, true); }
void kernel_argmax(const KernelCall& call) { arg_extreme<true>(call); }
void kernel_argmin(const KernelCall& call) { arg_extreme<false>(call); }

void kernel_cumulative(const KernelCall& call) {
  const Shape& shape = *call.output.shape;
  auto scan = params<CumulativeParams>(call.node);
  size_t axis = static_cast<size_t>(scan.axis);
  int64_t outer = 1, extent = shape[axis], inner = 1;
  for (size_t d = 0; d < axis; ++d) outer *= shape[d];
  for (size_t d = axis + 1; d < shape.size(); ++d) inner *= shape[d];
  if (extent == 0) return;
  visit(call.output.dtype, [&]<class T>() {
    ThreadPool::instance().run(outer * inner, [&](int64_t line) {
      int64_t first = line / inner * extent * inner + line % inner;
      int64_t stride = scan.reverse ? -inner : inner;
      if (scan.reverse) first += (extent - 1) * inner;
      accumulate_line(call.inputs[0].as<T>() + first, call.output.as<T>() + first, extent, stride,
                      scan.mode, scan.inclusive);
    });
  });
}

}  // namespace lazuli
