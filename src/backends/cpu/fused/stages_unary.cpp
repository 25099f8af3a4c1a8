// The stages of fused programs for the rows of ops/table/unary.def, in float32.
#include "backends/cpu/fused/program.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/fused/stages_unary.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "backends/cpu/fused/stages-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::HWY_NAMESPACE {

// Eight evaluations side by side hide each other's latency and share their constants.
template <class F>
void unary_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  v0 = F()(Float(v0)).v, v1 = F()(Float(v1)).v, v2 = F()(Float(v2)).v, v3 = F()(Float(v3)).v;
  v4 = F()(Float(v4)).v, v5 = F()(Float(v5)).v, v6 = F()(Float(v6)).v, v7 = F()(Float(v7)).v;
  LAZULI_NEXT;
}

// Functions that are written for four vectors at once.
template <class F>
void quad_unary_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  Quad low = F()(Quad{v0, v1, v2, v3}), high = F()(Quad{v4, v5, v6, v7});
  v0 = low.a, v1 = low.b, v2 = low.c, v3 = low.d;
  v4 = high.a, v5 = high.b, v6 = high.c, v7 = high.d;
  LAZULI_NEXT;
}

// For functions of many instructions, whose copies would take long to compile.
template <class F>
void looped_unary_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  V v[vectors] = {LAZULI_PASS};
#pragma GCC unroll 1
  for (size_t k = 0; k < vectors; k += 2) {
    v[k] = F()(Float(v[k])).v;
    v[k + 1] = F()(Float(v[k + 1])).v;
  }
  v0 = v[0], v1 = v[1], v2 = v[2], v3 = v[3], v4 = v[4], v5 = v[5], v6 = v[6], v7 = v[7];
  LAZULI_NEXT;
}

// On a block of copies of one number.
template <class F>
void row_unary_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  v0 = v1 = v2 = v3 = v4 = v5 = v6 = v7 = F()(Float(v0)).v;
  LAZULI_NEXT;
}

template <class F>
void test_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  HWY_ALIGN uint8_t bytes[elements_max];
  for_each(Block{LAZULI_PASS},
           [&](V v, size_t k) HWY_ATTR { Bool::store(F()(Float(v)), bytes + k * Lanes(D())); });
  std::memcpy(address(context, at->out), bytes, static_cast<size_t>(context->n));
  LAZULI_NEXT;
}

#define UNARY(name, accepts, result, low, high, forward, ...) \
  struct name##_form {                                        \
    template <class T>                                        \
    HWY_INLINE auto operator()(T x) const {                   \
      return forward;                                         \
    }                                                         \
  };
#include "ops/table/unary.def"
#undef UNARY

constexpr bool is_looped(Op op) {
  switch (op) {
    case Op::arccos:
    case Op::arccosh:
    case Op::arcsin:
    case Op::arcsinh:
    case Op::arctan:
    case Op::arctanh:
    case Op::cos:
    case Op::cosh:
    case Op::erfinv:
    case Op::expm1:
    case Op::log:
    case Op::log10:
    case Op::log1p:
    case Op::log2:
    case Op::sin:
    case Op::sinh:
    case Op::tan: return true;
    default: return false;
  }
}

template <Op op, class F, Accepts accepts, Result result>
void add(StageTable& t) {
  size_t k = static_cast<size_t>(op);
  if constexpr (!is_integral(accepts) && result != Result::Boolean) {
    t.unary_of_row[k] = reinterpret_cast<StageTable::Stage>(row_unary_stage<F>);
  }
  if constexpr (is_integral(accepts)) {
    return;
  } else if constexpr (result == Result::Boolean) {
    t.test[k] = reinterpret_cast<StageTable::Stage>(test_stage<F>);
  } else if constexpr (is_looped(op)) {
    t.unary[k] = reinterpret_cast<StageTable::Stage>(looped_unary_stage<F>);
  } else if constexpr (op == Op::exp || op == Op::sigmoid || op == Op::tanh) {
    t.unary[k] = reinterpret_cast<StageTable::Stage>(quad_unary_stage<F>);
  } else {
    t.unary[k] = reinterpret_cast<StageTable::Stage>(unary_stage<F>);
  }
}

struct exp_half {
  HWY_INLINE Quad operator()(Quad x) const { return exp_rough(x); }
};
struct sigmoid_half {
  HWY_INLINE Quad operator()(Quad x) const { return sigmoid_rough(x); }
};
struct tanh_half {
  HWY_INLINE Quad operator()(Quad x) const { return tanh_rough(x); }
};
template <class F>
void add_half(StageTable& t, Op op) {
  t.unary_half[static_cast<size_t>(op)] = reinterpret_cast<StageTable::Stage>(quad_unary_stage<F>);
}

void add_unary(StageTable& t) {
  add_half<exp_half>(t, Op::exp);
  add_half<sigmoid_half>(t, Op::sigmoid);
  add_half<tanh_half>(t, Op::tanh);
#define UNARY(name, accepts, result, ...) \
  add<Op::name, name##_form, Accepts::accepts, Result::result>(t);
#include "ops/table/unary.def"
#undef UNARY
}

}  // namespace lazuli::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::cpu {
HWY_EXPORT(add_unary);
void add_unary_stages(StageTable& t) { HWY_DYNAMIC_DISPATCH(add_unary)(t); }
}  // namespace lazuli::cpu
#endif
