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

#define LAZULI_APPLY_BINARY(o)                                                        \
  v0 = apply<F, Reversed>(v0, o.v0), v1 = apply<F, Reversed>(v1, o.v1),           \
  v2 = apply<F, Reversed>(v2, o.v2), v3 = apply<F, Reversed>(v3, o.v3),           \
  v4 = apply<F, Reversed>(v4, o.v4), v5 = apply<F, Reversed>(v5, o.v5),           \
  v6 = apply<F, Reversed>(v6, o.v6), v7 = apply<F, Reversed>(v7, o.v7)

// The last block of a row. Apart, so that whole blocks need no stack frame.
template <class F, bool Reversed, class Form>
HWY_NOINLINE void partial_binary_stage(const Instruction* at, Context* context,
                                       LAZULI_ACCUMULATOR) {
  Block other = load_block<Form>(context, address(context, at->a));
  LAZULI_APPLY_BINARY(other);
  LAZULI_NEXT;
}

template <class F, bool Reversed, class Form>
void binary_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  if (HWY_UNLIKELY(!whole(context))) {
    return partial_binary_stage<F, Reversed, Form>(at, context, LAZULI_PASS);
  }
  Block other =
      Form::load_block(reinterpret_cast<const typename Form::T*>(address(context, at->a)));
  LAZULI_APPLY_BINARY(other);
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
#if HWY_ARCH_X86
    rest = hn::Min(rest, hn::Set(D(), 3e38f));  // NaN where q is infinite: anything finite will do
#else
    rest = hn::IfThenZeroElse(hn::IsNaN(rest), rest);
#endif
    return hn::MulAdd(rest, r, q);
  };
  v0 = divided(v0), v1 = divided(v1), v2 = divided(v2), v3 = divided(v3);
  v4 = divided(v4), v5 = divided(v5), v6 = divided(v6), v7 = divided(v7);
  LAZULI_NEXT;
}

template <class F>
void compare_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  Block other = load_block<F32>(context, address(context, at->a));
  HWY_ALIGN uint8_t bytes[elements_max];
  auto compare = [&](V x, V y, size_t k) HWY_ATTR {
    Bool::store(F()(Float(x), Float(y)), bytes + k * Lanes(D()));
  };
  compare(v0, other.v0, 0), compare(v1, other.v1, 1), compare(v2, other.v2, 2);
  compare(v3, other.v3, 3), compare(v4, other.v4, 4), compare(v5, other.v5, 5);
  compare(v6, other.v6, 6), compare(v7, other.v7, 7);
  std::memcpy(address(context, at->out), bytes, static_cast<size_t>(context->n));
  LAZULI_NEXT;
}

#define BINARY(name, accepts, result, xl, xh, yl, yh, forward, ...) \
  struct name##_form {                                                 \
    template <class T>                                                 \
    HWY_INLINE auto operator()(T x, T y) const {                       \
      return forward;                                                  \
    }                                                                  \
  };
#include "ops/table/binary.def"
#undef BINARY

constexpr bool reads_halves(Op op) {
  return op == Op::add || op == Op::subtract || op == Op::multiply || op == Op::divide ||
         op == Op::maximum || op == Op::minimum;
}

template <class S>
StageTable::Stage erase(S stage) {
  return reinterpret_cast<StageTable::Stage>(stage);
}

template <Op op, class F, Accepts accepts, Result result>
void add(StageTable& t) {
  size_t k = static_cast<size_t>(op);
  if constexpr (accepts == Accepts::Integral) {
    return;
  } else if constexpr (result == Result::Boolean) {
    t.compare[k] = erase(compare_stage<F>);
  } else {
    t.binary[k] = erase(binary_stage<F, false, F32>);
    t.reversed[k] = erase(binary_stage<F, true, F32>);
    if constexpr (reads_halves(op)) {
      t.binary_f16[k] = erase(binary_stage<F, false, F16>);
      t.reversed_f16[k] = erase(binary_stage<F, true, F16>);
      t.binary_bf16[k] = erase(binary_stage<F, false, BF16>);
      t.reversed_bf16[k] = erase(binary_stage<F, true, BF16>);
    }
  }
}

void add_binary(StageTable& t) {
  t.divide_by_row[0] = erase(divide_by_row_stage<false>);
  t.divide_by_row[1] = erase(divide_by_row_stage<true>);
#define BINARY(name, accepts, result, ...) \
  add<Op::name, name##_form, Accepts::accepts, Result::result>(t);
#include "ops/table/binary.def"
#undef BINARY
}

}  // namespace lazuli::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::cpu {
HWY_EXPORT(add_binary);
void add_binary_stages(StageTable& t) { HWY_DYNAMIC_DISPATCH(add_binary)(t); }
}  // namespace lazuli::cpu
#endif
