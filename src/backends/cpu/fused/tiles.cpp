// Loops over blocks in memory for every dtype the accumulator of fused programs does not serve:
// bool, integers, float64 and complex64, conversions among all, choices and reductions.
#include <array>
#include <cstring>

#include "backends/cpu/fused/program.h"
#include "backends/cpu/fused/scalar_math.h"
#include "core/visit.h"

namespace lazuli::cpu {
namespace {

using namespace scalar;

template <class T>
constexpr bool accepts(Accepts a) {
  constexpr bool whole = std::is_integral_v<T>;
  switch (a) {
    case Accepts::Number: return true;
    case Accepts::Complex: return true;
    case Accepts::Signed: return !std::is_same_v<T, bool>;
    case Accepts::Ordered: return !is_complex<T>;
    case Accepts::Integral: return whole;
    case Accepts::Whole: return whole && !std::is_same_v<T, bool>;
    case Accepts::Inexact: return !whole;
    case Accepts::Float: return !whole && !is_complex<T>;
  }
  return false;
}

template <class R>
struct Stored {
  using type = R;
};
template <class T>
struct Stored<Scalar<T>> {
  using type = T;
};
template <class T>
T stored(Scalar<T> x) {
  return x.v;
}
inline bool stored(bool x) { return x; }

template <class T, class F>
void unary_tile(int64_t n, void* out, const void* a, const void*, const void*) {
  using R = decltype(stored(F()(Scalar<T>(T{}))));
  const T* x = static_cast<const T*>(a);
  R* to = static_cast<R*>(out);
  for (int64_t i = 0; i < n; ++i) to[i] = stored(F()(Scalar<T>(x[i])));
}

template <class T, class F>
void binary_tile(int64_t n, void* out, const void* a, const void* b, const void*) {
  using R = decltype(stored(F()(Scalar<T>(T{}), Scalar<T>(T{}))));
  const T* x = static_cast<const T*>(a);
  const T* y = static_cast<const T*>(b);
  R* to = static_cast<R*>(out);
  for (int64_t i = 0; i < n; ++i) to[i] = stored(F()(Scalar<T>(x[i]), Scalar<T>(y[i])));
}

#define UNARY(name, accepted, result, low, high, forward, ...) \
  struct name##_form {                                         \
    static constexpr Accepts accepts = Accepts::accepted;      \
    template <class T>                                         \
    auto operator()(T x) const {                               \
      return forward;                                          \
    }                                                          \
  };
#define BINARY(name, accepted, result, xl, xh, yl, yh, forward, ...) \
  struct name##_form {                                               \
    static constexpr Accepts accepts = Accepts::accepted;            \
    template <class T>                                               \
    auto operator()(T x, T y) const {                                \
      return forward;                                                \
    }                                                                \
  };
#include "ops/table/binary.def"
#include "ops/table/unary.def"
#undef UNARY
#undef BINARY

constexpr size_t dtype_count = 14;
struct Tables {
  std::array<std::array<Tile, dtype_count>, static_cast<size_t>(Op::count_)> by_op{};
  std::array<std::array<Tile, dtype_count>, dtype_count> convert{};
};

// float32 is served by the accumulator, and halves are widened to it.
template <class T>
constexpr bool has_tiles =
    !std::is_same_v<T, float> && !std::is_same_v<T, float16_t> && !std::is_same_v<T, bfloat16_t>;

template <class F, bool Binary>
void add_op(Tables& tables, Op op) {
  for (size_t d = 0; d < dtype_count; ++d) {
    visit(static_cast<Dtype::Val>(d), [&]<class T>() {
      if constexpr (has_tiles<T> && accepts<T>(F::accepts)) {
        Tile& tile = tables.by_op[static_cast<size_t>(op)][d];
        if constexpr (Binary) tile = binary_tile<T, F>;
        else tile = unary_tile<T, F>;
      }
    });
  }
}

template <class From, class To>
void convert_tile(int64_t n, void* out, const void* a, const void*, const void*) {
  const From* x = static_cast<const From*>(a);
  To* to = static_cast<To*>(out);
  for (int64_t i = 0; i < n; ++i) to[i] = convert_value<To>(x[i]);
}

template <class T>
void select_tile(int64_t n, void* out, const void* condition, const void* a, const void* b) {
  const bool* c = static_cast<const bool*>(condition);
  const T* x = static_cast<const T*>(a);
  const T* y = static_cast<const T*>(b);
  T* to = static_cast<T*>(out);
  for (int64_t i = 0; i < n; ++i) to[i] = c[i] ? x[i] : y[i];
}

Tables make_tables() {
  Tables tables;
#define UNARY(name, ...) add_op<name##_form, false>(tables, Op::name);
#define BINARY(name, ...) add_op<name##_form, true>(tables, Op::name);
#include "ops/table/binary.def"
#include "ops/table/unary.def"
#undef UNARY
#undef BINARY
  for (size_t from = 0; from < dtype_count; ++from) {
    visit(static_cast<Dtype::Val>(from), [&]<class From>() {
      tables.by_op[static_cast<size_t>(Op::select)][from] = select_tile<From>;
      for (size_t to = 0; to < dtype_count; ++to) {
        visit(static_cast<Dtype::Val>(to),
              [&]<class To>() { tables.convert[from][to] = convert_tile<From, To>; });
      }
    });
  }
  return tables;
}

// ---- Reductions ----
// Sums and products of float64 and complex64 run over several lanes, as those of float32 do.
template <class T>
using Total = std::conditional_t<is_complex<T>, std::complex<double>, T>;

template <class T, Op op>
Total<T> identity() {
  using Limits = std::numeric_limits<T>;
  if constexpr (op == Op::sum || op == Op::any) return Total<T>{};
  else if constexpr (op == Op::prod || op == Op::all) return Total<T>(1);
  else if constexpr (is_complex<T>) {
    double end = op == Op::max ? -HUGE_VAL : HUGE_VAL;
    return {end, end};
  } else if constexpr (Limits::has_infinity) {
    return op == Op::max ? -Limits::infinity() : Limits::infinity();
  } else {
    return op == Op::max ? Limits::lowest() : Limits::max();
  }
}

template <class T, Op op>
Total<T> step(Total<T> total, Total<T> x) {
  if constexpr (op == Op::any) return total || x;
  else if constexpr (op == Op::all) return total && x;
  else if constexpr (op == Op::sum || op == Op::prod) {
    if constexpr (std::is_same_v<T, complex64_t>) {
      return op == Op::sum ? total + x : total * x;
    } else {
      Scalar<T> a(total), b(x);
      return op == Op::sum ? (a + b).v : (a * b).v;
    }
  } else if constexpr (is_complex<T>) {
    Complex a(total), b(x);
    return op == Op::max ? maximum(Scalar<T>(a), Scalar<T>(b)).v
                         : minimum(Scalar<T>(a), Scalar<T>(b)).v;
  } else {
    return op == Op::max ? maximum(Scalar<T>(total), Scalar<T>(x)).v
                         : minimum(Scalar<T>(total), Scalar<T>(x)).v;
  }
}

constexpr int lanes = 8;

template <class T, Op op>
void reduce_tile(int64_t n, void* state, const void* a, const void*, const void*) {
  const T* x = static_cast<const T*>(a);
  Total<T>* total = static_cast<Total<T>*>(state);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (int k = 0; k < lanes; ++k) total[k] = step<T, op>(total[k], Total<T>(x[i + k]));
  }
  for (int k = 0; i < n; ++i, ++k) total[k] = step<T, op>(total[k], Total<T>(x[i]));
}
template <class T, Op op>
void init_state(void* state) {
  for (int k = 0; k < lanes; ++k) static_cast<Total<T>*>(state)[k] = identity<T, op>();
}
template <class T, Op op>
void finish_state(const void* state, void* total) {
  Total<T> result = identity<T, op>();
  for (int k = 0; k < lanes; ++k) {
    result = step<T, op>(result, static_cast<const Total<T>*>(state)[k]);
  }
  *static_cast<Total<T>*>(total) = result;
}
template <class T, Op op>
void combine_totals(void* total, const void* other) {
  Total<T>& result = *static_cast<Total<T>*>(total);
  result = step<T, op>(result, *static_cast<const Total<T>*>(other));
}
template <class T>
void write_total(const void* total, void* value) {
  *static_cast<T*>(value) = T(*static_cast<const Total<T>*>(total));
}

template <class T, Op op>
const Reducer* reducer() {
  static constexpr Reducer r{reduce_tile<T, op>, init_state<T, op>, finish_state<T, op>,
                             combine_totals<T, op>, write_total<T>};
  return &r;
}

}  // namespace

Tile elementwise_tile(Op op, Dtype::Val input, Dtype::Val output) {
  static const Tables tables = make_tables();
  if (op == Op::astype || op == Op::copy || op == Op::identity) {
    return tables.convert[static_cast<size_t>(input)][static_cast<size_t>(output)];
  }
  return tables.by_op[static_cast<size_t>(op)][static_cast<size_t>(input)];
}

const Reducer* tile_reducer(Op op, Dtype::Val dtype) {
  return visit(dtype, [&]<class T>() -> const Reducer* {
    if constexpr (std::is_same_v<T, bool>) {
      if (op == Op::all) return reducer<T, Op::all>();
      if (op == Op::any) return reducer<T, Op::any>();
    }
    if constexpr (has_tiles<T>) {
      switch (op) {
        case Op::sum: return reducer<T, Op::sum>();
        case Op::prod: return reducer<T, Op::prod>();
        case Op::max: return reducer<T, Op::max>();
        case Op::min: return reducer<T, Op::min>();
        default: break;
      }
    }
    return nullptr;
  });
}

}  // namespace lazuli::cpu
