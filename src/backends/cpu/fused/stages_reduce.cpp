// The stages of fused programs that reduce blocks of float32, and what becomes of their states.
//
// A block is reduced to one vector by a tree, and that is added to the state, one vector. So the
// order of a sum depends on the extents alone. Floor: one read of the operands.
#include "backends/cpu/fused/program.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/fused/stages_reduce.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "backends/cpu/fused/stages-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::HWY_NAMESPACE {

struct Sum {
  static constexpr float identity = 0.0f;
  static constexpr bool watches_nan = false;
  static HWY_INLINE V apply(V x, V y) { return hn::Add(x, y); }
  static HWY_INLINE V to_state(V total, V x) { return hn::Add(total, x); }
};
struct Prod {
  static constexpr float identity = 1.0f;
  static constexpr bool watches_nan = false;
  static HWY_INLINE V apply(V x, V y) { return hn::Mul(x, y); }
  static HWY_INLINE V to_state(V total, V x) { return hn::Mul(total, x); }
};
// The tree may lose a NaN, so the block is searched for one first.
struct Max {
  static constexpr float identity = -HUGE_VALF;
  static constexpr bool watches_nan = true;
  static HWY_INLINE V apply(V x, V y) { return hn::Max(x, y); }
  static HWY_INLINE V to_state(V total, V x) { return maximum(Float(total), Float(x)).v; }
};
struct Min {
  static constexpr float identity = HUGE_VALF;
  static constexpr bool watches_nan = true;
  static HWY_INLINE V apply(V x, V y) { return hn::Min(x, y); }
  static HWY_INLINE V to_state(V total, V x) { return minimum(Float(total), Float(x)).v; }
};

template <class R>
HWY_INLINE void reduce_block(const Block& b, float* state) {
  V x = R::apply(R::apply(R::apply(b.v0, b.v1), R::apply(b.v2, b.v3)),
                 R::apply(R::apply(b.v4, b.v5), R::apply(b.v6, b.v7)));
  if (R::watches_nan && HWY_UNLIKELY(any_nan(b))) x = hn::Set(D(), NAN);
  hn::Store(R::to_state(hn::Load(D(), state), x), D(), state);
}

// The last block of a row: elements past the end must not count.
template <class R>
HWY_NOINLINE void partial_reduce_stage(const Instruction* at, Context* context,
                                       LAZULI_ACCUMULATOR) {
  auto kept = [n = static_cast<int32_t>(context->n)](V v, size_t k) HWY_ATTR {
    auto index = hn::Iota(DI(), static_cast<int32_t>(k * Lanes(D())));
    auto inside = hn::RebindMask(D(), hn::Lt(index, hn::Set(DI(), n)));
    return hn::IfThenElse(inside, v, hn::Set(D(), R::identity));
  };
  Block b{kept(v0, 0), kept(v1, 1), kept(v2, 2), kept(v3, 3),
          kept(v4, 4), kept(v5, 5), kept(v6, 6), kept(v7, 7)};
  reduce_block<R>(b, reinterpret_cast<float*>(context->slots[at->out].base));
  LAZULI_NEXT;
}

template <class R>
void reduce_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  if (HWY_UNLIKELY(!whole(context))) return partial_reduce_stage<R>(at, context, LAZULI_PASS);
  Block b{LAZULI_PASS};
  reduce_block<R>(b, reinterpret_cast<float*>(context->slots[at->out].base));
  LAZULI_NEXT;
}

// ---- Sums of squares, of which norms are made ----
HWY_INLINE Block squared(const Block& b) {
  auto square = [](V v) HWY_ATTR { return hn::Mul(v, v); };
  return {square(b.v0), square(b.v1), square(b.v2), square(b.v3),
          square(b.v4), square(b.v5), square(b.v6), square(b.v7)};
}

template <bool Loads>
void reduce_squares_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  Block b{LAZULI_PASS};
  if constexpr (Loads) b = read_slot<F32>(context, at->a);
  b = squared(b);
  LAZULI_SPREAD_BLOCK(b);
  return reduce_stage<Sum>(at, context, LAZULI_PASS);
}

void load_square_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  Block b = squared(read_slot<F32>(context, at->a));
  LAZULI_SPREAD_BLOCK(b);
  LAZULI_NEXT;
}

void add_squares(StageTable& t) {
  auto erase = [](auto stage) { return reinterpret_cast<StageTable::Stage>(stage); };
  StageTable::Stage square = t.unary[static_cast<size_t>(Op::square)];
  StageTable::Stage load_square = erase(load_square_stage);
  t.pairs.push_back({t.load_f32, square, load_square});
  t.pairs.push_back({load_square, t.reduce_sum, erase(reduce_squares_stage<true>)});
  t.pairs.push_back({square, t.reduce_sum, erase(reduce_squares_stage<false>)});
}

template <class R>
void init_state(void* state) {
  hn::Store(hn::Set(D(), R::identity), D(), static_cast<float*>(state));
}

inline float extreme(float a, float b, bool larger) {
  if (std::isnan(a)) return a;
  if (std::isnan(b)) return b;
  return larger ? std::max(a, b) : std::min(a, b);
}

// Totals of sums and products are kept in double: four, of every fourth lane, then one.
template <class R>
HWY_INLINE double total_of_lanes(const float* lanes) {
  hn::CappedTag<double, 4> wide;
  hn::Rebind<float, decltype(wide)> narrow;
  alignas(32) double part[4];
  for (size_t j = 0; j < 4; j += Lanes(wide)) {
    auto total = hn::Set(wide, R::identity);
    for (size_t k = j; k < Lanes(D()); k += 4) {
      auto x = hn::PromoteTo(wide, hn::LoadU(narrow, lanes + k));
      if constexpr (std::is_same_v<R, Sum>) total = hn::Add(total, x);
      else total = hn::Mul(total, x);
    }
    hn::StoreU(total, wide, part + j);
  }
  if constexpr (std::is_same_v<R, Sum>) return (part[0] + part[1]) + (part[2] + part[3]);
  else return part[0] * part[1] * part[2] * part[3];
}

template <class R>
void finish_state(const void* state, void* total) {
  const float* lanes = static_cast<const float*>(state);
  double& result = *static_cast<double*>(total);
  if constexpr (R::watches_nan) {
    V all = hn::Load(D(), lanes);
    bool nan = !hn::AllFalse(D(), hn::IsNaN(all));
    float end = std::is_same_v<R, Max> ? hn::ReduceMax(D(), all) : hn::ReduceMin(D(), all);
    result = nan ? NAN : end;
  } else {
    result = total_of_lanes<R>(lanes);
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
void add(StageTable::Stage& stage, Reducer& reducer) {
  stage = reinterpret_cast<StageTable::Stage>(reduce_stage<R>);
  reducer = {nullptr, init_state<R>, finish_state<R>, combine_totals<R>, write_total};
}

void add_reducing(StageTable& t) {
  add<Sum>(t.reduce_sum, t.float_sum);
  add<Prod>(t.reduce_prod, t.float_prod);
  add<Max>(t.reduce_max, t.float_max);
  add<Min>(t.reduce_min, t.float_min);
  add_squares(t);
}

}  // namespace lazuli::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::cpu {
HWY_EXPORT(add_reducing);
void add_reducing_stages(StageTable& t) { HWY_DYNAMIC_DISPATCH(add_reducing)(t); }
}  // namespace lazuli::cpu
#endif
