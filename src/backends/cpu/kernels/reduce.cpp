// Reductions over axes that are not the last ones, and arange.
//
// The input is seen as [outer, reduced, inner] after its axes are brought in order. Each output
// column is reduced in blocks of columns, so that rows are read along memory. Float sums and products
// are kept in double. Floor: one read of the input.
#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <vector>

#include "backends/cpu/kernels/move.h"
#include "base/thread_pool.h"
#include "compiler/backend.h"
#include "core/visit.h"
#include "ops/table/op.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

template <class T>
constexpr bool is_complex = std::is_same_v<T, complex64_t>;
template <class T>
constexpr bool is_inexact = !std::is_integral_v<T>;

// What partial results are kept in.
template <class T>
using Partial = std::conditional_t<is_complex<T>, std::complex<double>,
                                   std::conditional_t<is_inexact<T>, double, T>>;

template <class P>
bool less(P a, P b) {
  if constexpr (std::is_same_v<P, std::complex<double>>) {
    return a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
  } else {
    return a < b;
  }
}
template <class P>
bool is_nan(P a) {
  return !(a == a);
}

template <Op op, class T>
Partial<T> start() {
  using P = Partial<T>;
  if constexpr (op == Op::sum || op == Op::any) return P(0);
  else if constexpr (op == Op::prod || op == Op::all) return P(1);
  else {
    double end = op == Op::max ? -HUGE_VAL : HUGE_VAL;
    if constexpr (is_complex<T>) return {end, end};
    else if constexpr (is_inexact<T>) return end;
    else return op == Op::max ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max();
  }
}

template <Op op, class P>
void accumulate(P& total, P x) {
  if constexpr (op == Op::sum) {
    if constexpr (std::is_integral_v<P> && !std::is_same_v<P, bool>) {
      using U = std::make_unsigned_t<P>;
      total = static_cast<P>(static_cast<U>(total) + static_cast<U>(x));
    } else {
      total = static_cast<P>(total + x);
    }
  } else if constexpr (op == Op::prod) {
    if constexpr (std::is_integral_v<P>) {
      total = static_cast<P>(static_cast<uint64_t>(total) * static_cast<uint64_t>(x));
    } else {
      total = total * x;
    }
  } else if constexpr (op == Op::any) {
    total = total || x != P(0);
  } else if constexpr (op == Op::all) {
    total = total && x != P(0);
  } else if (is_nan(x)) {
    total = x;
  } else if (!is_nan(total)) {
    if (op == Op::max ? less(total, x) : less(x, total)) total = x;
  }
}

template <class T>
Partial<T> widen(T x) {
  if constexpr (std::is_same_v<T, float16_t> || std::is_same_v<T, bfloat16_t>) {
    return static_cast<float>(x);
  } else {
    return Partial<T>(x);
  }
}
template <class T>
T narrow(Partial<T> x) {
  if constexpr (std::is_same_v<T, float16_t> || std::is_same_v<T, bfloat16_t>) {
    return T(static_cast<float>(x));
  } else {
    return T(x);
  }
}

constexpr int64_t columns_at_once = 512;

template <Op op, class T>
void reduce_columns(const T* in, T* out, int64_t outer, int64_t reduced, int64_t inner) {
  int64_t blocks = (inner + columns_at_once - 1) / columns_at_once;
  ThreadPool::instance().run(outer * blocks, [&](int64_t task) {
    int64_t o = task / blocks, first = task % blocks * columns_at_once;
    int64_t count = std::min(columns_at_once, inner - first);
    Partial<T> totals[columns_at_once];
    std::fill_n(totals, count, start<op, T>());
    for (int64_t r = 0; r < reduced; ++r) {
      const T* row = in + (o * reduced + r) * inner + first;
      for (int64_t c = 0; c < count; ++c) accumulate<op>(totals[c], widen<T>(row[c]));
    }
    for (int64_t c = 0; c < count; ++c) out[o * inner + first + c] = narrow<T>(totals[c]);
  });
}

// The input as [kept..., reduced...] or, where the reduced axes are neighbours, as it is.
template <Op op>
void reduce(const KernelCall& call) {
  const Operand& input = call.inputs[0];
  const Shape& shape = *input.shape;
  Words axes = params<AxesParams>(call.node).axes;
  size_t count = axes.size(), rank = shape.size();
  std::vector<bool> is_reduced(rank, false);
  for (int64_t axis : axes) is_reduced[static_cast<size_t>(axis)] = true;
  size_t first = static_cast<size_t>(axes.front());
  bool neighbours = static_cast<size_t>(axes.back()) == first + count - 1;
  int64_t itemsize = call.node->type().size(), reduced = 1, outer = 1, inner = 1;
  Layout ordered;
  const char* data = input.data();
  for (size_t d = 0; d < rank; ++d) {
    if (is_reduced[d]) reduced *= shape[d];
    else if (neighbours && d > first) inner *= shape[d];
    else outer *= shape[d];
  }
  if (!neighbours || !input.layout->dense) {
    Strides strides = input.layout->dense ? dense_strides(shape) : input.layout->strides;
    Shape arranged;
    Strides from;
    auto take = [&](size_t d) {
      arranged.push_back(shape[d]);
      from.push_back(strides[d] * itemsize);
    };
    for (size_t d = 0; d < rank; ++d)
      if (!is_reduced[d] && (!neighbours || d < first)) take(d);
    for (size_t d = 0; d < rank; ++d)
      if (is_reduced[d]) take(d);
    for (size_t d = 0; d < rank; ++d)
      if (!is_reduced[d] && neighbours && d > first) take(d);
    ordered = Layout(allocate_buffer(static_cast<size_t>(input.size() * itemsize)), 0, {}, true);
    Strides to = dense_strides(arranged);
    for (int64_t& s : to) s *= itemsize;
    cpu::copy_strided(arranged, itemsize, data, from, ordered.data(), to);
    data = ordered.data();
  }
  visit(call.output.dtype, [&]<class T>() {
    if constexpr ((op != Op::all && op != Op::any) || std::is_same_v<T, bool>) {
      reduce_columns<op, T>(reinterpret_cast<const T*>(data), call.output.as<T>(), outer, reduced,
                            inner);
    }
  });
}

}  // namespace

void kernel_sum(const KernelCall& call) { reduce<Op::sum>(call); }
void kernel_prod(const KernelCall& call) { reduce<Op::prod>(call); }
void kernel_max(const KernelCall& call) { reduce<Op::max>(call); }
void kernel_min(const KernelCall& call) { reduce<Op::min>(call); }
void kernel_all(const KernelCall& call) { reduce<Op::all>(call); }
void kernel_any(const KernelCall& call) { reduce<Op::any>(call); }

void kernel_arange(const KernelCall& call) {
  int64_t count = call.output.size();
  visit(call.output.dtype, [&]<class T>() {
    T* out = call.output.as<T>();
    if constexpr (std::is_integral_v<T>) {
      auto [start, step] = params<ArangeParams<int64_t>>(call.node);
      for (int64_t i = 0; i < count; ++i) out[i] = static_cast<T>(start + i * step);
    } else if constexpr (!is_complex<T>) {
      auto [start, step] = params<ArangeParams<double>>(call.node);
      for (int64_t i = 0; i < count; ++i) {
        out[i] = convert_value<T>(start + static_cast<double>(i) * step);
      }
    }
  });
}

}  // namespace lazuli
