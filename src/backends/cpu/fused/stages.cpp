// The stages of fused programs, for each SIMD target.
//
// A block is eight vectors of float32 (128 elements in AVX-512), passed from stage to stage in
// registers. A stage ends in a jump to the next one, so a chain of n ops on a block in the first
// cache costs n times a few cycles and no memory traffic but its operands. Floor of a chain: the
// bytes of its operands and outputs over the memory bandwidth.
#include "backends/cpu/fused/program.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/fused/stages.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

#include "backends/cpu/fused/float_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::HWY_NAMESPACE {

using hn::Lanes;
using Next = void (*)(const Instruction*, Context*, V, V, V, V, V, V, V, V);

#define LAZULI_ACCUMULATOR V v0, V v1, V v2, V v3, V v4, V v5, V v6, V v7
#define LAZULI_PASS v0, v1, v2, v3, v4, v5, v6, v7
#define LAZULI_NEXT return reinterpret_cast<Next>(at[1].stage)(at + 1, context, LAZULI_PASS)

constexpr size_t vectors = 8;
HWY_INLINE int64_t block() { return static_cast<int64_t>(vectors * Lanes(D())); }
HWY_INLINE char* address(const Context* context, uint16_t slot) {
  const Slot& s = context->slots[slot];
  return s.base + context->i * s.step;
}
HWY_INLINE bool whole(const Context* context) { return context->n == block(); }

struct Block {
  V v[vectors];
};

// ---- Element forms in memory ----
struct F32 {
  using T = float;
  static HWY_INLINE V load(const T* p) { return hn::LoadU(D(), p); }
  static HWY_INLINE void store(V v, T* p) { hn::StoreU(v, D(), p); }
};
struct F16 {
  using T = hwy::float16_t;
  static HWY_INLINE V load(const T* p) {
    return hn::PromoteTo(D(), hn::LoadU(hn::Rebind<hwy::float16_t, D>(), p));
  }
  static HWY_INLINE void store(V v, T* p) {
    hn::Rebind<hwy::float16_t, D> d;
    hn::StoreU(hn::DemoteTo(d, v), d, p);
  }
};
struct BF16 {
  using T = uint16_t;
  static HWY_INLINE V load(const T* p) {
    auto wide = hn::PromoteTo(hn::RebindToUnsigned<D>(), hn::LoadU(hn::Rebind<uint16_t, D>(), p));
    return hn::BitCast(D(), hn::ShiftLeft<16>(wide));
  }
  // Round to nearest, ties to even; NaN stays NaN.
  static HWY_INLINE void store(V v, T* p) {
    hn::RebindToUnsigned<D> du;
    auto bits = hn::BitCast(du, v);
    auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
    auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(bits, hn::Set(du, 0x7fff)), odd));
    auto quiet = hn::Or(hn::ShiftRight<16>(bits), hn::Set(du, 0x40));
    auto nan = hn::RebindMask(du, hn::IsNaN(v));
    hn::Rebind<uint16_t, D> d16;
    hn::StoreU(hn::TruncateTo(d16, hn::IfThenElse(nan, quiet, rounded)), d16, p);
  }
};
struct Bool {
  using T = uint8_t;
  static HWY_INLINE V load(const T* p) {
    auto wide = hn::PromoteTo(DI(), hn::LoadU(hn::Rebind<uint8_t, DI>(), p));
    return hn::ConvertTo(D(), wide);
  }
  static HWY_INLINE void store(Mask m, T* p) {
    auto one = hn::IfThenElseZero(hn::RebindMask(DI(), m.m), hn::Set(DI(), 1));
    hn::Rebind<uint8_t, DI> d8;
    hn::StoreU(hn::DemoteTo(d8, one), d8, p);
  }
};

// Elements ahead of a block that are asked for early.
constexpr int64_t prefetch_distance = 512;

// Loads the block at `p`; past the block's last element, zeros.
template <class Form>
HWY_INLINE void load_block(const Context* context, const char* p, Block& b) {
  using T = typename Form::T;
  const T* from = reinterpret_cast<const T*>(p);
  HWY_ALIGN T padded[vectors * HWY_MAX_BYTES / 4];
  if (HWY_UNLIKELY(!whole(context))) {
    std::memset(static_cast<void*>(padded), 0, sizeof padded);
    std::memcpy(static_cast<void*>(padded), p, static_cast<size_t>(context->n) * sizeof(T));
    from = padded;
  } else {
    constexpr size_t lines = vectors * HWY_MAX_BYTES / 4 * sizeof(T) / 64;
#pragma GCC unroll 8
    for (size_t line = 0; line < lines; ++line) {
      hwy::Prefetch(p + prefetch_distance * static_cast<int64_t>(sizeof(T)) + line * 64);
    }
  }
  for (size_t k = 0; k < vectors; ++k) b.v[k] = Form::load(from + k * Lanes(D()));
}

template <class Form>
HWY_INLINE void store_block(const Context* context, const Block& b, char* p) {
  using T = typename Form::T;
  T* to = reinterpret_cast<T*>(p);
  if (HWY_LIKELY(whole(context))) {
    for (size_t k = 0; k < vectors; ++k) Form::store(b.v[k], to + k * Lanes(D()));
    return;
  }
  HWY_ALIGN T padded[vectors * HWY_MAX_BYTES / 4];
  for (size_t k = 0; k < vectors; ++k) Form::store(b.v[k], padded + k * Lanes(D()));
  std::memcpy(p, static_cast<const void*>(padded), static_cast<size_t>(context->n) * sizeof(T));
}

#define LAZULI_GATHER_BLOCK(b) \
  Block b {                    \
    {                          \
      LAZULI_PASS              \
    }                          \
  }
#define LAZULI_SPREAD_BLOCK(b)                                                               \
  v0 = b.v[0], v1 = b.v[1], v2 = b.v[2], v3 = b.v[3], v4 = b.v[4], v5 = b.v[5], v6 = b.v[6], \
  v7 = b.v[7]

// ---- Moving ----
void end_stage(const Instruction*, Context*, LAZULI_ACCUMULATOR) {
  (void)v0, (void)v1, (void)v2, (void)v3, (void)v4, (void)v5, (void)v6, (void)v7;
}

void tile_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  at->tile(context->n, address(context, at->out), address(context, at->a), address(context, at->b),
           address(context, at->c));
  LAZULI_NEXT;
}

template <class Form>
void load_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  Block b;
  load_block<Form>(context, address(context, at->a), b);
  LAZULI_SPREAD_BLOCK(b);
  LAZULI_NEXT;
}

template <class Form>
void expand_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  Block b;
  load_block<Form>(context, address(context, at->a), b);
  float* to = reinterpret_cast<float*>(context->slots[at->out].base);
  for (size_t k = 0; k < vectors; ++k) hn::Store(b.v[k], D(), to + k * Lanes(D()));
  LAZULI_NEXT;
}

template <class Form>
void store_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  LAZULI_GATHER_BLOCK(b);
  store_block<Form>(context, b, address(context, at->out));
  LAZULI_NEXT;
}

void store_f32_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  LAZULI_GATHER_BLOCK(b);
  const Slot& slot = context->slots[at->out];
  char* p = slot.base + context->i * slot.step;
  bool stream = context->nontemporal && slot.step != 0 && whole(context) &&
                (reinterpret_cast<uintptr_t>(p) & 63) == 0;
  if (stream) {
    float* to = reinterpret_cast<float*>(p);
    for (size_t k = 0; k < vectors; ++k) hn::Stream(b.v[k], D(), to + k * Lanes(D()));
  } else {
    store_block<F32>(context, b, p);
  }
  LAZULI_NEXT;
}

// Rounds to a half type and back. (A block of halves has 256 bytes at most.)
template <class Form>
void round_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  LAZULI_GATHER_BLOCK(b);
  HWY_ALIGN typename Form::T halves[HWY_MAX_BYTES / 4];
  for (size_t k = 0; k < vectors; ++k) {
    Form::store(b.v[k], halves);
    b.v[k] = Form::load(halves);
  }
  LAZULI_SPREAD_BLOCK(b);
  LAZULI_NEXT;
}

// ---- Ops ----
template <class F>
void unary_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  LAZULI_GATHER_BLOCK(b);
#pragma GCC unroll 1
  for (size_t k = 0; k < vectors; k += 2) {
    b.v[k] = F()(Float(b.v[k])).v;
    b.v[k + 1] = F()(Float(b.v[k + 1])).v;
  }
  LAZULI_SPREAD_BLOCK(b);
  LAZULI_NEXT;
}

// For a few instructions a vector, where going through memory would cost more than the op.
template <class F>
void short_unary_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  v0 = F()(Float(v0)).v, v1 = F()(Float(v1)).v, v2 = F()(Float(v2)).v, v3 = F()(Float(v3)).v;
  v4 = F()(Float(v4)).v, v5 = F()(Float(v5)).v, v6 = F()(Float(v6)).v, v7 = F()(Float(v7)).v;
  LAZULI_NEXT;
}

template <class F>
void test_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  LAZULI_GATHER_BLOCK(b);
  HWY_ALIGN uint8_t bytes[vectors * HWY_MAX_BYTES / 4];
  for (size_t k = 0; k < vectors; ++k) Bool::store(F()(Float(b.v[k])), bytes + k * Lanes(D()));
  std::memcpy(address(context, at->out), bytes, static_cast<size_t>(context->n));
  LAZULI_NEXT;
}

template <class F, bool Reversed>
void compare_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  LAZULI_GATHER_BLOCK(b);
  Block other;
  load_block<F32>(context, address(context, at->a), other);
  HWY_ALIGN uint8_t bytes[vectors * HWY_MAX_BYTES / 4];
  for (size_t k = 0; k < vectors; ++k) {
    Mask m =
        Reversed ? F()(Float(other.v[k]), Float(b.v[k])) : F()(Float(b.v[k]), Float(other.v[k]));
    Bool::store(m, bytes + k * Lanes(D()));
  }
  std::memcpy(address(context, at->out), bytes, static_cast<size_t>(context->n));
  LAZULI_NEXT;
}

// The second operand's block at `from`; all of it can be read.
#define LAZULI_APPLY_BINARY(from)                                             \
  auto apply = [&](V x, size_t k) HWY_ATTR {                                  \
    V y = hn::LoadU(D(), (from) + k * Lanes(D()));                            \
    return Reversed ? F()(Float(y), Float(x)).v : F()(Float(x), Float(y)).v;  \
  };                                                                          \
  v0 = apply(v0, 0), v1 = apply(v1, 1), v2 = apply(v2, 2), v3 = apply(v3, 3); \
  v4 = apply(v4, 4), v5 = apply(v5, 5), v6 = apply(v6, 6), v7 = apply(v7, 7)

// The last block of a row. Apart, so that whole blocks need no stack frame.
template <class F, bool Reversed>
HWY_NOINLINE void partial_binary_stage(const Instruction* at, Context* context,
                                       LAZULI_ACCUMULATOR) {
  HWY_ALIGN float padded[vectors * HWY_MAX_BYTES / 4] = {};
  std::memcpy(padded, address(context, at->a), static_cast<size_t>(context->n) * 4);
  LAZULI_APPLY_BINARY(padded);
  LAZULI_NEXT;
}

template <class F, bool Reversed>
void binary_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  if (HWY_UNLIKELY(!whole(context))) {
    return partial_binary_stage<F, Reversed>(at, context, LAZULI_PASS);
  }
  const float* from = reinterpret_cast<const float*>(address(context, at->a));
#pragma GCC unroll 8
  for (int line = 0; line < 8; ++line) hwy::Prefetch(from + prefetch_distance + line * 16);
  LAZULI_APPLY_BINARY(from);
  LAZULI_NEXT;
}

// The accumulator where the condition in slot b is `Taken`, slot a elsewhere.
template <bool Taken>
void select_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  LAZULI_GATHER_BLOCK(b);
  Block condition, other;
  load_block<Bool>(context, address(context, at->b), condition);
  load_block<F32>(context, address(context, at->a), other);
  for (size_t k = 0; k < vectors; ++k) {
    auto holds = hn::Ne(condition.v[k], hn::Zero(D()));
    b.v[k] = Taken ? hn::IfThenElse(holds, b.v[k], other.v[k])
                   : hn::IfThenElse(holds, other.v[k], b.v[k]);
  }
  LAZULI_SPREAD_BLOCK(b);
  LAZULI_NEXT;
}

// ---- Reductions ----
struct Sum {
  static constexpr float identity = 0.0f;
  static HWY_INLINE V apply(V total, V x) { return hn::Add(total, x); }
};
struct Prod {
  static constexpr float identity = 1.0f;
  static HWY_INLINE V apply(V total, V x) { return hn::Mul(total, x); }
};
struct Max {
  static constexpr float identity = -HUGE_VALF;
  static HWY_INLINE V apply(V total, V x) { return maximum(Float(total), Float(x)).v; }
};
struct Min {
  static constexpr float identity = HUGE_VALF;
  static HWY_INLINE V apply(V total, V x) { return minimum(Float(total), Float(x)).v; }
};

template <class R>
void reduce_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  LAZULI_GATHER_BLOCK(b);
  float* state = reinterpret_cast<float*>(context->slots[at->out].base);
  if (HWY_UNLIKELY(!whole(context))) {
    // Elements past the end must not count.
    auto count = hn::Set(DI(), static_cast<int32_t>(context->n));
    for (size_t k = 0; k < vectors; ++k) {
      auto index = hn::Iota(DI(), static_cast<int32_t>(k * Lanes(D())));
      auto inside = hn::RebindMask(D(), hn::Lt(index, count));
      b.v[k] = hn::IfThenElse(inside, b.v[k], hn::Set(D(), R::identity));
    }
  }
  for (size_t k = 0; k < vectors; ++k) {
    float* p = state + k * Lanes(D());
    hn::Store(R::apply(hn::Load(D(), p), b.v[k]), D(), p);
  }
  LAZULI_NEXT;
}

template <class R>
void init_state(void* state) {
  std::fill_n(static_cast<float*>(state), block_max, R::identity);
}

inline float extreme(float a, float b, bool larger) {
  if (std::isnan(a)) return a;
  if (std::isnan(b)) return b;
  return larger ? std::max(a, b) : std::min(a, b);
}

// Totals of sums and products are kept in double.
template <class R>
void finish_state(const void* state, void* total) {
  const float* lanes = static_cast<const float*>(state);
  double& result = *static_cast<double*>(total);
  result = R::identity;
  for (int64_t k = 0; k < block(); ++k) {
    if constexpr (std::is_same_v<R, Sum>) result += lanes[k];
    if constexpr (std::is_same_v<R, Prod>) result *= lanes[k];
    if constexpr (std::is_same_v<R, Max>)
      result = extreme(static_cast<float>(result), lanes[k], true);
    if constexpr (std::is_same_v<R, Min>)
      result = extreme(static_cast<float>(result), lanes[k], false);
  }
}

template <class R>
void combine_totals(void* total, const void* other) {
  double& result = *static_cast<double*>(total);
  double x = *static_cast<const double*>(other);
  if constexpr (std::is_same_v<R, Sum>) result += x;
  if constexpr (std::is_same_v<R, Prod>) result *= x;
  if constexpr (std::is_same_v<R, Max>)
    result = extreme(static_cast<float>(result), static_cast<float>(x), true);
  if constexpr (std::is_same_v<R, Min>)
    result = extreme(static_cast<float>(result), static_cast<float>(x), false);
}

inline void write_total(const void* total, void* value) {
  *static_cast<float*>(value) = static_cast<float>(*static_cast<const double*>(total));
}

template <class R>
Reducer float_reducer() {
  return {nullptr, init_state<R>, finish_state<R>, combine_totals<R>, write_total};
}

// ---- The table ----
#define UNARY(name, accepts, result, low, high, forward, ...) \
  struct name##_form {                                             \
    template <class T>                                             \
    HWY_INLINE auto operator()(T x) const {                        \
      return forward;                                              \
    }                                                              \
  };
#define BINARY(name, accepts, result, xl, xh, yl, yh, forward, ...) \
  struct name##_form {                                                 \
    template <class T>                                                 \
    HWY_INLINE auto operator()(T x, T y) const {                       \
      return forward;                                                  \
    }                                                                  \
  };
#include "ops/table/binary.def"
#include "ops/table/unary.def"
#undef UNARY
#undef BINARY

template <class S>
StageTable::Stage erase(S stage) {
  return reinterpret_cast<StageTable::Stage>(stage);
}

// Rows whose results are too cheap to go through a loop.
constexpr bool is_short(Op op) {
  return op == Op::abs || op == Op::negative || op == Op::square || op == Op::floor ||
         op == Op::ceil || op == Op::trunc || op == Op::rint || op == Op::conjugate ||
         op == Op::real;
}

enum class RowKind { values, booleans, none };
constexpr RowKind row_kind(Accepts accepts, Result result) {
  if (accepts == Accepts::Integral) return RowKind::none;
  return result == Result::Boolean ? RowKind::booleans : RowKind::values;
}

template <Op op, class F, RowKind kind>
void add_unary(StageTable& t) {
  size_t k = static_cast<size_t>(op);
  if constexpr (kind == RowKind::booleans) t.test[k] = erase(test_stage<F>);
  if constexpr (kind == RowKind::values) {
    t.unary[k] = is_short(op) ? erase(short_unary_stage<F>) : erase(unary_stage<F>);
  }
}

template <Op op, class F, RowKind kind>
void add_binary(StageTable& t) {
  size_t k = static_cast<size_t>(op);
  if constexpr (kind == RowKind::booleans) {
    t.compare[k] = erase(compare_stage<F, false>);
  }
  if constexpr (kind == RowKind::values) {
    t.binary[k] = erase(binary_stage<F, false>);
    t.reversed[k] = erase(binary_stage<F, true>);
  }
}

void run_chain(const Instruction* first, Context* context, int64_t begin, int64_t end) {
  Next stage = reinterpret_cast<Next>(first->stage);
  V z = hn::Zero(D());
  int64_t step = block();
  for (int64_t i = begin; i < end; i += step) {
    context->i = i;
    context->n = std::min(step, end - i);
    stage(first, context, z, z, z, z, z, z, z, z);
  }
  if (context->nontemporal) hwy::FlushStream();
}

StageTable make_table() {
  StageTable t{};
  t.block = block();
  t.end = erase(end_stage);
  t.tile = erase(tile_stage);
  t.load_f32 = erase(load_stage<F32>);
  t.load_f16 = erase(load_stage<F16>);
  t.load_bf16 = erase(load_stage<BF16>);
  t.load_bool = erase(load_stage<Bool>);
  t.expand_f16 = erase(expand_stage<F16>);
  t.expand_bf16 = erase(expand_stage<BF16>);
  t.store_f32 = erase(store_f32_stage);
  t.store_f16 = erase(store_stage<F16>);
  t.store_bf16 = erase(store_stage<BF16>);
  t.round_f16 = erase(round_stage<F16>);
  t.round_bf16 = erase(round_stage<BF16>);
  t.select_true = erase(select_stage<true>);
  t.select_false = erase(select_stage<false>);
  t.reduce_sum = erase(reduce_stage<Sum>);
  t.reduce_prod = erase(reduce_stage<Prod>);
  t.reduce_max = erase(reduce_stage<Max>);
  t.reduce_min = erase(reduce_stage<Min>);
  t.float_sum = float_reducer<Sum>();
  t.float_prod = float_reducer<Prod>();
  t.float_max = float_reducer<Max>();
  t.float_min = float_reducer<Min>();
  t.run = run_chain;
#define UNARY(name, accepts, result, ...) \
  add_unary<Op::name, name##_form, row_kind(Accepts::accepts, Result::result)>(t);
#define BINARY(name, accepts, result, ...) \
  add_binary<Op::name, name##_form, row_kind(Accepts::accepts, Result::result)>(t);
#include "ops/table/binary.def"
#include "ops/table/unary.def"
#undef UNARY
#undef BINARY
  return t;
}

}  // namespace lazuli::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::cpu {
HWY_EXPORT(make_table);

const StageTable& stage_table() {
  static const StageTable table = HWY_DYNAMIC_DISPATCH(make_table)();
  return table;
}

}  // namespace lazuli::cpu
#endif
