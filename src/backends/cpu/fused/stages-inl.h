// What the stages of fused programs share, for each SIMD target: the accumulator, the forms of
// elements in memory, blocks.
//
// A block is eight vectors of float32 (128 elements in AVX-512), passed from stage to stage in
// registers. A stage ends in a jump to the next one, so a chain of n ops on a block in the first
// cache costs n times a few cycles and no memory traffic but its operands.
#if defined(LAZULI_STAGES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef LAZULI_STAGES_INL
#undef LAZULI_STAGES_INL
#else
#define LAZULI_STAGES_INL
#endif

#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/fused/float_math-inl.h"
#include "backends/cpu/fused/program.h"
#include "backends/cpu/half_vectors-inl.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

#undef LAZULI_ACCUMULATOR
#undef LAZULI_PASS
#undef LAZULI_NEXT
#undef LAZULI_SPREAD_BLOCK
#define LAZULI_ACCUMULATOR V v0, V v1, V v2, V v3, V v4, V v5, V v6, V v7
#define LAZULI_PASS v0, v1, v2, v3, v4, v5, v6, v7
#define LAZULI_NEXT return reinterpret_cast<Next>(at[1].stage)(at + 1, context, LAZULI_PASS)
#define LAZULI_SPREAD_BLOCK(b) \
  v0 = b.v0, v1 = b.v1, v2 = b.v2, v3 = b.v3, v4 = b.v4, v5 = b.v5, v6 = b.v6, v7 = b.v7

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::HWY_NAMESPACE {

using hn::Lanes;
using Next = void (*)(const Instruction*, Context*, V, V, V, V, V, V, V, V);
using DU = hn::RebindToUnsigned<D>;

constexpr size_t vectors = 8;
constexpr size_t elements_max = vectors * HWY_MAX_BYTES / 4;
HWY_INLINE int64_t block() { return static_cast<int64_t>(vectors * Lanes(D())); }
HWY_INLINE char* address(const Context* context, uint16_t slot) {
  const Slot& s = context->slots[slot];
  return s.base + context->i * s.step;
}
HWY_INLINE bool whole(const Context* context) { return context->n == block(); }

// Named members and no loops over them: compilers keep such a block in registers.
struct Block {
  V v0, v1, v2, v3, v4, v5, v6, v7;
};
template <class F>
HWY_INLINE Block block_of(F f) {
  return {f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)};
}
template <class F>
HWY_INLINE void for_each(const Block& b, F f) {
  f(b.v0, 0), f(b.v1, 1), f(b.v2, 2), f(b.v3, 3), f(b.v4, 4), f(b.v5, 5), f(b.v6, 6), f(b.v7, 7);
}
template <class F>
HWY_INLINE void for_each_pair(const Block& b, F f) {
  f(b.v0, b.v1, 0), f(b.v2, b.v3, 2), f(b.v4, b.v5, 4), f(b.v6, b.v7, 6);
}

// Rounds to bfloat16 in the upper halves: to nearest, ties to even; NaN stays NaN. The caller has
// made sure that no lane is NaN if `Ordered`.
template <bool Ordered>
HWY_INLINE hn::Vec<DU> rounded_bf16(V v) {
  DU du;
  auto bits = hn::BitCast(du, v);
  auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
  auto rounded = hn::Add(hn::Add(bits, hn::Set(du, 0x7fff)), odd);
  if constexpr (Ordered) return rounded;
  auto quiet = hn::Or(bits, hn::Set(du, 0x400000));
  return hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(v)), quiet, rounded);
}
HWY_INLINE bool any_nan(const Block& b) {
  auto first = hn::Or(hn::IsEitherNaN(b.v0, b.v1), hn::IsEitherNaN(b.v2, b.v3));
  auto second = hn::Or(hn::IsEitherNaN(b.v4, b.v5), hn::IsEitherNaN(b.v6, b.v7));
  return !hn::AllFalse(D(), hn::Or(first, second));
}

// ---- Element forms in memory ----
// Each loads a vector of a block, and stores a block, past the caches if `Stream` (then `p` lies
// on a cache line).
struct F32 {
  using T = float;
  static HWY_INLINE V load(const T* p, size_t k) { return hn::LoadU(D(), p + k * Lanes(D())); }
  template <bool Stream>
  static HWY_INLINE void store(const Block& b, T* p) {
    for_each(b, [=](V v, size_t k) HWY_ATTR {
      if constexpr (Stream) hn::Stream(v, D(), p + k * Lanes(D()));
      else hn::StoreU(v, D(), p + k * Lanes(D()));
    });
  }
};
struct F16 {
  using T = hwy::float16_t;
  using Half = hn::Rebind<hwy::float16_t, D>;
  static HWY_INLINE V load(const T* p, size_t k) {
    return promote(D(), hn::LoadU(Half(), p + k * Lanes(D())));
  }
  template <bool Stream>
  static HWY_INLINE void store(const Block& b, T* p) {
    uint16_t* to = reinterpret_cast<uint16_t*>(p);
    for_each(b, [=](V v, size_t k) HWY_ATTR {
      hn::Rebind<uint16_t, D> d16;
      auto bits = hn::BitCast(d16, hn::DemoteTo(Half(), v));
      if constexpr (Stream) hn::Stream(bits, d16, to + k * Lanes(D()));
      else hn::StoreU(bits, d16, to + k * Lanes(D()));
    });
  }
  static HWY_INLINE V rounded(V v) { return promote(D(), hn::DemoteTo(Half(), v)); }
};
struct BF16 {
  using T = uint16_t;
  static HWY_INLINE V load(const T* p, size_t k) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
    // One permutation puts zeros between the halves.
    hn::Repartition<uint16_t, D> d16;
    auto pair = hn::LoadU(d16, p + k / 2 * 2 * Lanes(D()));
    auto index = hn::ShiftLeft<16>(hn::Iota(DU(), k % 2 * 16));
    return V{_mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(0xaaaaaaaa, index.raw, pair.raw))};
#else
    hn::Rebind<uint16_t, D> d16;
    auto wide = hn::PromoteTo(DU(), hn::LoadU(d16, p + k * Lanes(D())));
    return hn::BitCast(D(), hn::ShiftLeft<16>(wide));
#endif
  }
  template <bool Stream>
  static HWY_INLINE void store(const Block& b, T* p) {
    if (HWY_UNLIKELY(any_nan(b))) return store_as<Stream, false>(b, p);
    store_as<Stream, true>(b, p);
  }
  template <bool Stream, bool Ordered>
  static HWY_INLINE void store_as(const Block& b, T* p) {
    for_each_pair(b, [=](V x, V y, size_t k) HWY_ATTR {
      hn::Repartition<uint16_t, D> d16;
      auto low = hn::BitCast(d16, rounded_bf16<Ordered>(x));
      auto high = hn::BitCast(d16, rounded_bf16<Ordered>(y));
      auto pair = hn::ConcatOdd(d16, high, low);
      if constexpr (Stream) hn::Stream(pair, d16, p + k * Lanes(D()));
      else hn::StoreU(pair, d16, p + k * Lanes(D()));
    });
  }
  static HWY_INLINE V rounded(V v) {
    return hn::BitCast(D(), hn::And(rounded_bf16<false>(v), hn::Set(DU(), 0xffff0000u)));
  }
};
struct Bool {
  using T = uint8_t;
  static HWY_INLINE V load(const T* p, size_t k) {
    auto wide = hn::PromoteTo(DI(), hn::LoadU(hn::Rebind<uint8_t, DI>(), p + k * Lanes(D())));
    return hn::ConvertTo(D(), wide);
  }
  static HWY_INLINE void store(Mask m, T* p) {
    auto one = hn::IfThenElseZero(hn::RebindMask(DI(), m.m), hn::Set(DI(), 1));
    hn::Rebind<uint8_t, DI> d8;
    hn::StoreU(hn::DemoteTo(d8, one), d8, p);
  }
};

// A block in memory. Read vector by vector, where each is used: a block of AVX2 beside the
// accumulator fills the registers.
template <class Form>
class InMemory {
 public:
  InMemory(const Context* context, uint16_t slot)
      : from_(reinterpret_cast<const typename Form::T*>(address(context, slot))) {}
  HWY_INLINE V operator[](size_t k) const { return Form::load(from_, k); }

 private:
  const typename Form::T* from_;
};
template <class Form>
HWY_INLINE Block read_slot(const Context* context, uint16_t slot) {
  InMemory<Form> from(context, slot);
  return block_of([=](size_t k) HWY_ATTR { return from[k]; });
}

}  // namespace lazuli::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
