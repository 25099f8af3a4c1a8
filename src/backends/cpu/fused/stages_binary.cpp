// The stages of fused programs for the rows of ops/table/binary.def, in float32; the second operand
// of the commonest may be a half type in memory.
#include "backends/cpu/fused/program.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/fused/stages_binary.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "backends/cpu/fused/stages-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::HWY_NAMESPACE {

template <class F, bool Reversed>
HWY_INLINE V apply(V x, V y) {
  return Reversed ? F()(Float(y), Float(x)).v : F()(Float(x), Float(y)).v;
}

template <class F, bool Reversed, class Form>
void binary_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  InMemory<Form> y(context, at->a);
  auto of = [=](V x, size_t k) HWY_ATTR { return apply<F, Reversed>(x, y[k]); };
  v0 = of(v0, 0), v1 = of(v1, 1), v2 = of(v2, 2), v3 = of(v3, 3);
  v4 = of(v4, 4), v5 = of(v5, 5), v6 = of(v6, 6), v7 = of(v7, 7);
  LAZULI_NEXT;
}

// Divides by one number, of which slot a holds copies: x / s is q + (x - q s) r with q = x r and
// r = 1 / s, rounded correctly unless a step leaves the range of normal numbers. For half types q
// will do.
template <bool Half>
void divide_by_row_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  float divisor = *reinterpret_cast<const float*>(context->slots[at->a].base);
  float magnitude = std::fabs(divisor);
  V s = hn::Set(D(), divisor), r = hn::Set(D(), 1.0f / divisor);
  if (HWY_UNLIKELY(!(magnitude > 1e-30f && magnitude < 1e30f))) {
    v0 = hn::Div(v0, s), v1 = hn::Div(v1, s), v2 = hn::Div(v2, s), v3 = hn::Div(v3, s);
    v4 = hn::Div(v4, s), v5 = hn::Div(v5, s), v6 = hn::Div(v6, s), v7 = hn::Div(v7, s);
    LAZULI_NEXT;
  }
  auto divided = [=](V x) HWY_ATTR {
    V q = hn::Mul(x, r);
    if constexpr (Half) return q;
    V rest = hn::NegMulAdd(q, s, x);
    // Infinite or NaN where q is infinite: anything finite will do there.
#if HWY_ARCH_X86
    rest = hn::Max(hn::Min(rest, hn::Set(D(), 3e38f)), hn::Set(D(), -3e38f));
#else
    rest = hn::IfThenElseZero(hn::IsFinite(rest), rest);
#endif
    return hn::MulAdd(rest, r, q);
  };
  v0 = divided(v0), v1 = divided(v1), v2 = divided(v2), v3 = divided(v3);
  v4 = divided(v4), v5 = divided(v5), v6 = divided(v6), v7 = divided(v7);
  LAZULI_NEXT;
}

template <class F>
void compare_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  Block other = read_slot<F32>(context, at->a);
  HWY_ALIGN uint8_t bytes[elements_max];
  auto compare = [&](V x, V y, size_t k)
                     HWY_ATTR { Bool::store(F()(Float(x), Float(y)), bytes + k * Lanes(D())); };
  compare(v0, other.v0, 0), compare(v1, other.v1, 1), compare(v2, other.v2, 2);
  compare(v3, other.v3, 3), compare(v4, other.v4, 4), compare(v5, other.v5, 5);
  compare(v6, other.v6, 6), compare(v7, other.v7, 7);
  std::memcpy(address(context, at->out), bytes, static_cast<size_t>(context->n));
  LAZULI_NEXT;
}

#define BINARY(name, accepts, result, xl, xh, yl, yh, forward, ...) \
  struct name##_form {                                              \
    template <class T>                                              \
    HWY_INLINE auto operator()(T x, T y) const {                    \
      return forward;                                               \
    }                                                               \
  };
#include "ops/table/binary.def"
#undef BINARY

// The commonest: they read halves as they lie in memory, and neighbours become one stage, since a
// jump to another stage costs as much as the op.
constexpr bool is_common(Op op) {
  return op == Op::add || op == Op::subtract || op == Op::multiply || op == Op::divide ||
         op == Op::maximum || op == Op::minimum;
}
constexpr bool commutes(Op op) {
  return op == Op::add || op == Op::multiply || op == Op::maximum || op == Op::minimum;
}

template <class S>
StageTable::Stage erase(S stage) {
  return reinterpret_cast<StageTable::Stage>(stage);
}

template <Op op, class F, Accepts accepts, Result result>
void add(StageTable& t) {
  size_t k = static_cast<size_t>(op);
  if constexpr (is_integral(accepts)) {
    return;
  } else if constexpr (result == Result::Boolean) {
    t.compare[k] = erase(compare_stage<F>);
  } else {
    constexpr bool turned = !commutes(op);
    t.binary[k] = erase(binary_stage<F, false, F32>);
    t.reversed[k] = erase(binary_stage<F, turned, F32>);
    if constexpr (is_common(op)) {
      t.binary_f16[k] = erase(binary_stage<F, false, F16>);
      t.reversed_f16[k] = erase(binary_stage<F, turned, F16>);
      t.binary_bf16[k] = erase(binary_stage<F, false, BF16>);
      t.reversed_bf16[k] = erase(binary_stage<F, turned, BF16>);
    }
  }
}

// ---- Pairs ----
struct Load {
  static HWY_INLINE V apply(V, V y) { return y; }
};
template <class F, bool Reversed>
struct Apply {
  static HWY_INLINE V apply(V x, V y) { return HWY_NAMESPACE::apply<F, Reversed>(x, y); }
};

template <class First, class Second, class Form>
void pair_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  InMemory<Form> y(context, at->a), z(context, at->b);
  auto both = [=](V x, size_t k) HWY_ATTR { return Second::apply(First::apply(x, y[k]), z[k]); };
  v0 = both(v0, 0), v1 = both(v1, 1), v2 = both(v2, 2), v3 = both(v3, 3);
  v4 = both(v4, 4), v5 = both(v5, 5), v6 = both(v6, 6), v7 = both(v7, 7);
  LAZULI_NEXT;
}

template <class... Second>
struct Seconds {
  // The stages of Second, one form of them, in the order of the types.
  template <class First, class Form>
  static void add(StageTable& t, StageTable::Stage first,
                  const StageTable::Stage (&second)[sizeof...(Second)]) {
    size_t k = 0;
    (t.pairs.push_back({first, second[k++], erase(pair_stage<First, Second, Form>)}), ...);
  }
};
using Add = Apply<add_form, false>;
using Subtract = Apply<subtract_form, false>;
using SubtractFrom = Apply<subtract_form, true>;
using Multiply = Apply<multiply_form, false>;
using Maximum = Apply<maximum_form, false>;

using Stages = StageTable::Stage[static_cast<size_t>(Op::count_)];
template <class Form>
void add_pairs(StageTable& t, StageTable::Stage load, const Stages& binary,
               const Stages& reversed) {
  auto of = [](Op op) { return static_cast<size_t>(op); };
  StageTable::Stage second[] = {binary[of(Op::add)], binary[of(Op::subtract)],
                                reversed[of(Op::subtract)], binary[of(Op::multiply)],
                                binary[of(Op::maximum)]};
  using Others = Seconds<Add, Subtract, SubtractFrom, Multiply, Maximum>;
  Others::add<Load, Form>(t, load, second);
  Others::add<Add, Form>(t, second[0], second);
  Others::add<Subtract, Form>(t, second[1], second);
  Others::add<SubtractFrom, Form>(t, second[2], second);
  Others::add<Multiply, Form>(t, second[3], second);
  Others::add<Maximum, Form>(t, second[4], second);
}

void add_binary(StageTable& t) {
  t.divide_by_row[0] = erase(divide_by_row_stage<false>);
  t.divide_by_row[1] = erase(divide_by_row_stage<true>);
#define BINARY(name, accepts, result, ...) \
  add<Op::name, name##_form, Accepts::accepts, Result::result>(t);
#include "ops/table/binary.def"
#undef BINARY
  add_pairs<F32>(t, t.load_f32, t.binary, t.reversed);
  add_pairs<F16>(t, t.load_f16, t.binary_f16, t.reversed_f16);
  add_pairs<BF16>(t, t.load_bf16, t.binary_bf16, t.reversed_bf16);
}

}  // namespace lazuli::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::cpu {
HWY_EXPORT(add_binary);
void add_binary_stages(StageTable& t) { HWY_DYNAMIC_DISPATCH(add_binary)(t); }
}  // namespace lazuli::cpu
#endif
