// The chains of the elementwise rows as one loop each, written by hand with Highway: what a fusing
// engine can hope for. Two arrays in, one out, 2^24 elements, prefetched and stored past the cache,
// all threads of the pool. The exponential has a relative error of 2e-7, so the half types are
// exact to their rounding; in float32 tanh is Highway's own, which keeps small values.
#include <sys/mman.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <random>

#include "base/thread_pool.h"
#include "rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hand_fused_bench.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

// After foreach_target.h, which compiles the file once for each target.
#include "hwy/cache_control.h"
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::bench {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

template <class T>
V Read(const T* from) {
  const D d;
  if constexpr (sizeof(T) == 4) {
    return hn::Load(d, from);
  } else {
    return hn::PromoteTo(d, hn::Load(hn::Rebind<T, D>(), from));
  }
}

template <class T>
void Write(V v, T* to) {
  const D d;
  if constexpr (sizeof(T) == 4) {
    hn::Stream(v, d, to);
  } else {
    const hn::Rebind<T, D> half;
    const hn::RebindToUnsigned<decltype(half)> bits;
    hn::Stream(hn::BitCast(bits, hn::DemoteTo(half, v)), bits, reinterpret_cast<uint16_t*>(to));
  }
}

// e^x by 2^n * p(r): n the nearest integer of x / ln 2, p of degree 5 on |r| <= 1/2 (Taylor).
V Exponential(V x) {
  const D d;
  const hn::RebindToSigned<D> di;
  V t = hn::Mul(hn::Clamp(x, hn::Set(d, -87.0f), hn::Set(d, 88.0f)), hn::Set(d, 1.44269504f));
  V n = hn::Round(t);
  V r = hn::Sub(t, n);
  V p = hn::Set(d, 1.33335581e-3f);
  p = hn::MulAdd(p, r, hn::Set(d, 9.61812911e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 5.55041087e-2f));
  p = hn::MulAdd(p, r, hn::Set(d, 2.40226507e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 6.93147181e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  auto scale = hn::ShiftLeft<23>(hn::Add(hn::ConvertTo(di, n), hn::Set(di, 127)));
  return hn::Mul(p, hn::BitCast(d, scale));
}

V Sigmoid(V x) {
  const D d;
  return hn::Div(hn::Set(d, 1.0f), hn::Add(hn::Set(d, 1.0f), Exponential(hn::Neg(x))));
}

template <class T>
struct ChainTanh {
  V operator()(V a, V b) const {
    const D d;
    V x = hn::MulAdd(a, b, a);
    V t;
    if constexpr (sizeof(T) == 4) {
      t = hn::Tanh(d, x);
    } else {
      t = hn::MulSub(Sigmoid(hn::Add(x, x)), hn::Set(d, 2.0f), hn::Set(d, 1.0f));
    }
    return hn::Add(hn::NegMulAdd(a, hn::Set(d, 0.5f), hn::Mul(t, Sigmoid(b))), b);
  }
};

struct Chain8 {
  V operator()(V a, V b) const {
    V y = hn::Mul(hn::Add(a, b), a);
    y = hn::Mul(hn::Add(hn::Max(y, b), a), b);
    return hn::Mul(hn::Add(hn::Max(y, a), b), a);
  }
};

template <class T, class Chain>
void Loop(const void* a_bytes, const void* b_bytes, void* to_bytes, size_t begin, size_t end) {
  const size_t lanes = hn::Lanes(D());
  const T* a = static_cast<const T*>(a_bytes);
  const T* b = static_cast<const T*>(b_bytes);
  T* to = static_cast<T*>(to_bytes);
  const Chain chain;
  constexpr size_t ahead = 2048 / sizeof(T);
  for (size_t i = begin; i < end; i += 4 * lanes) {
    for (size_t line = 0; line < 4 * lanes; line += 64 / sizeof(T)) {
      hwy::Prefetch(a + i + ahead + line);
      hwy::Prefetch(b + i + ahead + line);
    }
    for (size_t j = i; j < i + 4 * lanes; j += lanes)
      Write(chain(Read(a + j), Read(b + j)), to + j);
  }
  hwy::FlushStream();
}

using F16 = hwy::float16_t;
using Bf16 = hwy::bfloat16_t;
void TanhF32(const void* a, const void* b, void* to, size_t i, size_t n) {
  Loop<float, ChainTanh<float>>(a, b, to, i, n);
}
void TanhBf16(const void* a, const void* b, void* to, size_t i, size_t n) {
  Loop<Bf16, ChainTanh<Bf16>>(a, b, to, i, n);
}
void TanhF16(const void* a, const void* b, void* to, size_t i, size_t n) {
  Loop<F16, ChainTanh<F16>>(a, b, to, i, n);
}
void EightF32(const void* a, const void* b, void* to, size_t i, size_t n) {
  Loop<float, Chain8>(a, b, to, i, n);
}
void EightBf16(const void* a, const void* b, void* to, size_t i, size_t n) {
  Loop<Bf16, Chain8>(a, b, to, i, n);
}
void EightF16(const void* a, const void* b, void* to, size_t i, size_t n) {
  Loop<F16, Chain8>(a, b, to, i, n);
}

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "chains.h"

namespace lazuli::bench {

HWY_EXPORT(TanhF32);
HWY_EXPORT(TanhBf16);
HWY_EXPORT(TanhF16);
HWY_EXPORT(EightF32);
HWY_EXPORT(EightBf16);
HWY_EXPORT(EightF16);

namespace {

using LoopFunction = void (*)(const void*, const void*, void*, size_t, size_t);

// Memory on huge pages with room for prefetches beyond the end.
void* huge(size_t bytes) {
  size_t rounded = ((bytes + (1 << 16)) >> 21 << 21) + (1 << 21);
  void* made = std::aligned_alloc(1 << 21, rounded);
  madvise(made, rounded, MADV_HUGEPAGE);
  return made;
}

// Runs the loop on `values` in the dtype, and checks it against double arithmetic.
void run(const char* name, const NamedDtype& kind, LoopFunction loop,
         double (*expected)(double, double), double tolerance) {
  array a = random_array({elements}, kind.dtype, 0), b = random_array({elements}, kind.dtype, 1);
  size_t bytes = a.nbytes();
  void *x = huge(bytes), *y = huge(bytes), *to = huge(bytes);
  std::memcpy(x, a.data<char>(), bytes);
  std::memcpy(y, b.data<char>(), bytes);
  constexpr int64_t share = 1 << 15;
  auto call = [&] {
    ThreadPool::instance().run(elements / share, [&](int64_t task) {
      auto begin = static_cast<size_t>(task * share);
      loop(x, y, to, begin, begin + share);
    });
  };
  report(name, "hand-fused", kind.name, elements, measured(call));
  array result(to, {elements}, kind.dtype, [](void*) {});
  array wide = astype(result, float32), wide_a = astype(a, float32), wide_b = astype(b, float32);
  eval(wide, wide_a, wide_b);
  double worst = 0;
  for (int64_t i = 0; i < elements; i += 997) {
    double exact = expected(wide_a.data<float>()[i], wide_b.data<float>()[i]);
    worst = std::max(worst, std::abs(wide.data<float>()[i] - exact) / (1 + std::abs(exact)));
  }
  if (!(worst <= tolerance)) {
    throw RuntimeError(fmt::format("{} in {} is off by {}", name, kind.name, worst));
  }
  for (void* memory : {x, y, to}) std::free(memory);
}

double exact_tanh(double a, double b) {
  return std::tanh(a * b + a) / (1 + std::exp(-b)) - a * 0.5 + b;
}

double exact_8(double a, double b) {
  double y = (a + b) * a;
  y = (std::max(y, b) + a) * b;
  return (std::max(y, a) + b) * a;
}

void run_all() {
  const NamedDtype &f32 = float_dtypes[0], &bf16 = float_dtypes[1], &f16 = float_dtypes[2];
  run("chain_tanh", f32, HWY_DYNAMIC_POINTER(TanhF32), exact_tanh, 1e-5);
  run("chain_8", f32, HWY_DYNAMIC_POINTER(EightF32), exact_8, 1e-5);
  run("chain_tanh", bf16, HWY_DYNAMIC_POINTER(TanhBf16), exact_tanh, 5e-3);
  run("chain_8", bf16, HWY_DYNAMIC_POINTER(EightBf16), exact_8, 5e-3);
  run("chain_tanh", f16, HWY_DYNAMIC_POINTER(TanhF16), exact_tanh, 1e-3);
  run("chain_8", f16, HWY_DYNAMIC_POINTER(EightF16), exact_8, 1e-3);
}

}  // namespace
}  // namespace lazuli::bench

int main() { lazuli::bench::run_all(); }
#endif  // HWY_ONCE
