// The stages of fused programs that move blocks, and the loop that runs a chain of stages.
//
// Floor of a chain: the bytes of its operands and outputs over the memory bandwidth. Reached with
// two cores of a Zen 4 (bench/fused_floor_bench.cpp, 2^24 elements): 8 adds, multiplies and maxima
// in float32 1.1 times the floor, in bfloat16 and float16 1.5 to 2.3 times, for the conversions.
#include "backends/cpu/fused/program.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/fused/stages.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "backends/cpu/fused/stages-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::HWY_NAMESPACE {

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
  Block b = read_slot<Form>(context, at->a);
  LAZULI_SPREAD_BLOCK(b);
  LAZULI_NEXT;
}

// Widens into memory and leaves the accumulator alone.
template <class Form>
void expand_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  Block b = read_slot<Form>(context, at->a);
  F32::store<false>(b, reinterpret_cast<float*>(context->slots[at->out].base));
  LAZULI_NEXT;
}

template <class Form>
void store_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  using T = typename Form::T;
  Block b{LAZULI_PASS};
  const Slot& slot = context->slots[at->out];
  char* p = slot.base + context->i * slot.step;
  bool aligned = (reinterpret_cast<uintptr_t>(p) & 63) == 0;
  if (context->nontemporal && slot.step != 0 && aligned) {
    Form::template store<true>(b, reinterpret_cast<T*>(p));
  } else {
    Form::template store<false>(b, reinterpret_cast<T*>(p));
  }
  LAZULI_NEXT;
}

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
// For processors with AVX-512 BF16. Their conversion takes subnormal numbers for zeros, so a block
// with a zero in its result is rounded as elsewhere.
__attribute__((target("avx512bf16"))) void native_store_bf16_stage(const Instruction* at,
                                                                   Context* context,
                                                                   LAZULI_ACCUMULATOR) {
  const Slot& slot = context->slots[at->out];
  char* p = slot.base + context->i * slot.step;
  __m512i r0 = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(v1.raw, v0.raw));
  __m512i r1 = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(v3.raw, v2.raw));
  __m512i r2 = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(v5.raw, v4.raw));
  __m512i r3 = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(v7.raw, v6.raw));
  __m512i magnitude = _mm512_set1_epi16(0x7fff);
  __mmask32 zeros = _mm512_testn_epi16_mask(r0, magnitude) |
                    _mm512_testn_epi16_mask(r1, magnitude) |
                    _mm512_testn_epi16_mask(r2, magnitude) | _mm512_testn_epi16_mask(r3, magnitude);
  if (HWY_UNLIKELY(zeros != 0)) return store_stage<BF16>(at, context, LAZULI_PASS);
  __m512i* to = reinterpret_cast<__m512i*>(p);
  bool aligned = (reinterpret_cast<uintptr_t>(p) & 63) == 0;
  if (context->nontemporal && slot.step != 0 && aligned) {
    _mm512_stream_si512(to, r0), _mm512_stream_si512(to + 1, r1);
    _mm512_stream_si512(to + 2, r2), _mm512_stream_si512(to + 3, r3);
  } else {
    _mm512_storeu_si512(to, r0), _mm512_storeu_si512(to + 1, r1);
    _mm512_storeu_si512(to + 2, r2), _mm512_storeu_si512(to + 3, r3);
  }
  LAZULI_NEXT;
}
#endif

// Stores into scratch or a row buffer, which is read again.
void keep_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  Block b{LAZULI_PASS};
  F32::store<false>(b, reinterpret_cast<float*>(address(context, at->out)));
  LAZULI_NEXT;
}

// Rounds to a half type and back.
template <class Form>
void round_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  v0 = Form::rounded(v0), v1 = Form::rounded(v1), v2 = Form::rounded(v2), v3 = Form::rounded(v3);
  v4 = Form::rounded(v4), v5 = Form::rounded(v5), v6 = Form::rounded(v6), v7 = Form::rounded(v7);
  LAZULI_NEXT;
}

// The accumulator where the condition in slot b is `Taken`, slot a elsewhere.
template <bool Taken>
void select_stage(const Instruction* at, Context* context, LAZULI_ACCUMULATOR) {
  Block condition = read_slot<Bool>(context, at->b), other = read_slot<F32>(context, at->a);
  auto choose = [](V c, V x, V y) HWY_ATTR {
    auto fails = hn::Eq(c, hn::Zero(D()));
    return Taken ? hn::IfThenElse(fails, y, x) : hn::IfThenElse(fails, x, y);
  };
  v0 = choose(condition.v0, v0, other.v0), v1 = choose(condition.v1, v1, other.v1);
  v2 = choose(condition.v2, v2, other.v2), v3 = choose(condition.v3, v3, other.v3);
  v4 = choose(condition.v4, v4, other.v4), v5 = choose(condition.v5, v5, other.v5);
  v6 = choose(condition.v6, v6, other.v6), v7 = choose(condition.v7, v7, other.v7);
  LAZULI_NEXT;
}

template <size_t Bytes, int Locality>
HWY_INLINE void prefetch_lines(const char* from) {
#pragma GCC unroll 16
  for (size_t line = 0; line < elements_max * Bytes; line += 64) {
    __builtin_prefetch(from + line, 0, Locality);
  }
}
template <int Locality>
HWY_INLINE void prefetch_block(const char* from, uint16_t itemsize) {
  if (HWY_LIKELY(itemsize == 4)) return prefetch_lines<4, Locality>(from);
  if (itemsize == 2) return prefetch_lines<2, Locality>(from);
  if (itemsize == 1) return prefetch_lines<1, Locality>(from);
  prefetch_lines<8, Locality>(from);
}
HWY_INLINE void prefetch(const Context* context, Prefetch p) {
  const char* from = address(context, p.slot);
  if (p.far) prefetch_block<2>(from, p.itemsize);
  else prefetch_block<3>(from, p.itemsize);
}

void run_chain(const Instruction* first, std::span<const Prefetch> prefetches, Context* context,
               int64_t begin, int64_t end) {
  Next stage = reinterpret_cast<Next>(first->stage);
  V z = hn::Zero(D());
  int64_t step = block();
  for (int64_t i = begin; i < end; i += step) {
    context->i = i;
    context->n = std::min(step, end - i);
    for (Prefetch p : prefetches) prefetch(context, p);
    stage(first, context, z, z, z, z, z, z, z, z);
  }
}

void fill_block(uint32_t bits, char* to) {
  auto value = hn::Set(DU(), bits);
  for (size_t k = 0; k < vectors; ++k) {
    hn::StoreU(value, DU(), reinterpret_cast<uint32_t*>(to) + k * Lanes(D()));
  }
}

template <class S>
StageTable::Stage erase(S stage) {
  return reinterpret_cast<StageTable::Stage>(stage);
}

void add_moving_stages(StageTable& t) {
  t.block = block();
  t.end = erase(end_stage);
  t.tile = erase(tile_stage);
  t.load_f32 = erase(load_stage<F32>);
  t.load_f16 = erase(load_stage<F16>);
  t.load_bf16 = erase(load_stage<BF16>);
  t.load_bool = erase(load_stage<Bool>);
  t.expand_f16 = erase(expand_stage<F16>);
  t.expand_bf16 = erase(expand_stage<BF16>);
  t.keep = erase(keep_stage);
  t.store_f32 = erase(store_stage<F32>);
  t.store_f16 = erase(store_stage<F16>);
  t.store_bf16 = erase(store_stage<BF16>);
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  if (__builtin_cpu_supports("avx512bf16")) t.store_bf16 = erase(native_store_bf16_stage);
#endif
  t.round_f16 = erase(round_stage<F16>);
  t.round_bf16 = erase(round_stage<BF16>);
  t.select_true = erase(select_stage<true>);
  t.select_false = erase(select_stage<false>);
  t.run = run_chain;
  t.fill = fill_block;
  t.flush = [] { hwy::FlushStream(); };
}

}  // namespace lazuli::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::cpu {
HWY_EXPORT(add_moving_stages);

const StageTable& stage_table() {
  static const StageTable table = [] {
    StageTable t{};
    HWY_DYNAMIC_DISPATCH(add_moving_stages)(t);
    add_unary_stages(t);
    add_binary_stages(t);
    add_reducing_stages(t);
    return t;
  }();
  return table;
}

}  // namespace lazuli::cpu
#endif
