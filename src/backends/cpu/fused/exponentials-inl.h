// The exponential functions on vectors of float32, from which float_math-inl.h makes those of the
// op tables. Included once for each SIMD target.
//
// e^x is 2^n e^r with the nearest n and a polynomial of degree 5, to 2 units in the last place; the
// sigmoid and tanh divide once, to 3. Their forms for half types use instructions of AVX-512 that
// treat infinities as wanted. On a core of Zen 4 (two 512-bit instructions a cycle at most) exp,
// sigmoid and tanh take 9, 11 and 13 cycles for 16 values, the forms for halves 5, 5 and 10.
#if defined(LAZULI_EXPONENTIALS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef LAZULI_EXPONENTIALS_INL
#undef LAZULI_EXPONENTIALS_INL
#else
#define LAZULI_EXPONENTIALS_INL
#endif

#include <type_traits>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using DI = hn::ScalableTag<int32_t>;
using V = hn::Vec<D>;

// The functions are written for one vector (V) or four at once (Quad), whose instructions
// alternate, so that none waits for the one before it.
struct Quad {
  V a, b, c, d;
};
template <class X>
constexpr bool is_quad = std::is_same_v<X, Quad>;
template <size_t k, class X>
HWY_INLINE V part(X x) {
  if constexpr (!is_quad<X>) return x;
  else return k == 0 ? x.a : k == 1 ? x.b : k == 2 ? x.c : x.d;
}
template <class F, class... X>
HWY_INLINE auto lift(F f, X... x) {
  if constexpr ((is_quad<X> || ...)) {
    return Quad{f(part<0>(x)...), f(part<1>(x)...), f(part<2>(x)...), f(part<3>(x)...)};
  } else {
    return f(x...);
  }
}
HWY_INLINE V constant(float x) { return hn::Set(D(), x); }
template <class X, class Y>
HWY_INLINE auto add(X x, Y y) {
  return lift([](V p, V q) HWY_ATTR { return hn::Add(p, q); }, x, y);
}
template <class X, class Y>
HWY_INLINE auto subtract(X x, Y y) {
  return lift([](V p, V q) HWY_ATTR { return hn::Sub(p, q); }, x, y);
}
template <class X, class Y>
HWY_INLINE auto multiply(X x, Y y) {
  return lift([](V p, V q) HWY_ATTR { return hn::Mul(p, q); }, x, y);
}
template <class X, class Y>
HWY_INLINE auto divide(X x, Y y) {
  return lift([](V p, V q) HWY_ATTR { return hn::Div(p, q); }, x, y);
}
template <class X, class Y, class Z>
HWY_INLINE auto multiply_add(X x, Y y, Z z) {
  return lift([](V p, V q, V r) HWY_ATTR { return hn::MulAdd(p, q, r); }, x, y, z);
}
// The value of a polynomial at x; the coefficient of the highest power comes first.
template <class X>
HWY_INLINE X polynomial(X, X value) {
  return value;
}
template <class X, class... C>
HWY_INLINE X polynomial(X x, X value, float next, C... rest) {
  return polynomial(x, multiply_add(value, x, constant(next)), rest...);
}
template <class X, class... C>
HWY_INLINE X polynomial(X x, float first, float second, C... rest) {
  return polynomial(x, multiply_add(x, constant(first), constant(second)), rest...);
}

// The nearest value in [low, high]; NaN stays NaN.
template <class X>
HWY_INLINE X clamp(X x, float low, float high) {
#if HWY_ARCH_X86
  X raised = lift([=](V v) HWY_ATTR { return hn::Max(constant(low), v); }, x);
  return lift([=](V v) HWY_ATTR { return hn::Min(constant(high), v); }, raised);
#else
  return lift(
      [=](V v) HWY_ATTR {
        V inside = hn::Min(hn::Max(v, constant(low)), constant(high));
        return hn::IfThenElse(hn::IsNaN(v), v, inside);
      },
      x);
#endif
}

// Adding this rounds a float below 2^22 to an integer, and leaves it in the low bits of the sum.
constexpr float rounder = 12582912.0f;  // 1.5 * 2^23

// An integer n as a float, and the sum with `rounder` that it came from.
template <class X>
struct Power {
  X n, sum;
};

// x * factor = n + a fraction of at most 1/2.
template <class X>
HWY_INLINE Power<X> nearest_power(X x, float factor) {
  X sum = multiply_add(x, constant(factor), constant(rounder));
  return {subtract(sum, constant(rounder)), sum};
}

// 2^n for n in [-126, 127].
template <class X>
HWY_INLINE X power_of_two(Power<X> p) {
  return lift(
      [](V sum) HWY_ATTR {
        auto exponent = hn::ShiftLeft<23>(hn::BitCast(DI(), sum));
        return hn::BitCast(D(), hn::Add(exponent, hn::BitCast(DI(), constant(1.0f))));
      },
      p.sum);
}

// x * 2^n for n in [-252, 254]; over- and underflows gradually.
template <class X>
HWY_INLINE X scale_by_power(X x, Power<X> p) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  return lift([](V v, V n) HWY_ATTR { return V{_mm512_scalef_ps(v.raw, n.raw)}; }, x, p.n);
#else
  return lift(
      [](V v, V sum) HWY_ATTR {
        auto whole = hn::Sub(hn::BitCast(DI(), sum), hn::BitCast(DI(), constant(rounder)));
        auto half = hn::ShiftRight<1>(whole);
        auto bias = hn::Set(DI(), 127);
        auto low = hn::BitCast(D(), hn::ShiftLeft<23>(hn::Add(half, bias)));
        auto high = hn::BitCast(D(), hn::ShiftLeft<23>(hn::Add(hn::Sub(whole, half), bias)));
        return hn::Mul(hn::Mul(v, low), high);
      },
      x, p.sum);
#endif
}

constexpr float log2_e = 1.4426950408889634f;

// x - n ln(2), or x + n ln(2); ln(2) in two parts, the first with few bits.
template <int sign, class X>
HWY_INLINE X less_power(X x, Power<X> p) {
  X r = multiply_add(p.n, constant(-sign * 0.693145751953125f), x);
  return multiply_add(p.n, constant(-sign * 1.42860682e-6f), r);
}

// e^r for |r| <= ln(2) / 2, to 1e-7; `sign` is -1 where r is given negated.
template <int sign, class X>
HWY_INLINE X exp_of_fraction(X r) {
  return polynomial(r, sign * 0.00829025f, 0.041898504f, sign * 0.1666764f, 0.49999145f,
                    sign * 0.9999997f, 1.0f);
}

// e^x for x in [-170, 170]; NaN stays NaN.
template <class X>
HWY_INLINE X exp_in_range(X x) {
  Power<X> p = nearest_power(x, log2_e);
  return scale_by_power(exp_of_fraction<1>(less_power<1>(x, p)), p);
}
template <class X>
HWY_INLINE X exp_of(X x) {
  return exp_in_range(clamp(x, -104.0f, 89.0f));
}

// 1 / (1 + e^-x); the exponential overflows to infinity below -88.7, where the result is 0.
template <class X>
HWY_INLINE X sigmoid_of(X x) {
  X c = clamp(x, -89.0f, 30.0f);
  Power<X> p = nearest_power(c, -log2_e);
  X e = scale_by_power(exp_of_fraction<-1>(less_power<-1>(c, p)), p);
  return divide(constant(1.0f), add(e, constant(1.0f)));
}

// With m = e^2x - 1 it is m / (m + 2), so that small values keep their relative precision.
template <class X>
HWY_INLINE X tanh_of(X x) {
  X twice = clamp(add(x, x), -20.0f, 20.0f);
  Power<X> p = nearest_power(twice, log2_e);
  X r = multiply_add(p.n, constant(-0.6931472f), twice);
  // (e^r - 1 - r) / r^2
  X q = polynomial(r, 0.0013882514f, 0.008366561f, 0.0416672f, 0.16666544f, 0.49999997f);
  X scale = power_of_two(p);
  X m = multiply_add(multiply(r, r), q, r);
  m = multiply_add(scale, m, subtract(scale, constant(1.0f)));
  X result = divide(m, add(m, constant(2.0f)));
  // The sign of -0.
  return lift([](V y, V v) HWY_ATTR { return hn::Or(y, hn::And(v, hn::SignBit(D()))); }, result, x);
}

// ---- Exponentials for half types ----
// The relative error is below 1e-4, a small part of what rounding to a half type loses. They take
// four vectors at once.
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
// These instructions give what is wanted for infinities, too: no value needs to be clamped below.
template <int mode, class X>
HWY_INLINE X fraction(X x) {
  return lift([](V v) HWY_ATTR { return V{_mm512_reduce_ps(v.raw, mode)}; }, x);
}
template <class X>
HWY_INLINE X scale_by_floor(X x, X power) {
  return lift([](V v, V n) HWY_ATTR { return V{_mm512_scalef_ps(v.raw, n.raw)}; }, x, power);
}
template <class X>
HWY_INLINE X rough_reciprocal(X x) {
  return lift([](V v) HWY_ATTR { return V{_mm512_rcp14_ps(v.raw)}; }, x);
}
constexpr int to_nearest = 0x8, to_floor = 0x9;

template <class X>
HWY_INLINE X power_of_two_rough(X x) {
  X p = polynomial(fraction<to_floor>(x), 0.07802452f, 0.22606716f, 0.69583356f, 0.9999252f);
  return scale_by_floor(p, x);
}
template <class X>
HWY_INLINE X exp_rough(X x) {
  return power_of_two_rough(multiply(x, constant(log2_e)));
}
template <class X>
HWY_INLINE X sigmoid_rough(X x) {
  X e = power_of_two_rough(multiply(x, constant(-log2_e)));
  return rough_reciprocal(add(e, constant(1.0f)));
}
template <class X>
HWY_INLINE X tanh_rough(X x) {
  X c = lift([](V v) HWY_ATTR { return hn::Min(constant(10.0f), v); }, x);
  X t = multiply(c, constant(2 * log2_e));
  X r = fraction<to_nearest>(t);
  X q = polynomial(r, 0.009618137f, 0.055837695f, 0.24023253f, 0.6931368f);
  X scale = lift([](V n) HWY_ATTR { return V{_mm512_scalef_ps(constant(1.0f).raw, n.raw)}; },
                 subtract(t, r));
  X m = multiply_add(scale, multiply(q, r), subtract(scale, constant(1.0f)));
  X result = multiply(m, rough_reciprocal(add(m, constant(2.0f))));
  return lift([](V y, V v) HWY_ATTR { return hn::Or(y, hn::And(v, hn::SignBit(D()))); }, result, x);
}
#else
// Without those instructions: values far from 0, and NaN, take the exact form.
template <class X>
HWY_INLINE bool any_beyond(X x, float bound) {
  auto inside = [=](V v) HWY_ATTR { return hn::Lt(hn::Abs(v), constant(bound)); };
  auto both = hn::And(inside(part<0>(x)), inside(part<1>(x)));
  return !hn::AllTrue(D(), hn::And(both, hn::And(inside(part<2>(x)), inside(part<3>(x)))));
}
template <class X>
HWY_INLINE X rough_reciprocal(X x) {
  X y = lift([](V v) HWY_ATTR { return hn::ApproximateReciprocal(v); }, x);
  X rest = lift([](V v, V r) HWY_ATTR { return hn::NegMulAdd(v, r, constant(2.0f)); }, x, y);
  return multiply(y, rest);
}
// 2^(x factor), which must be a normal number.
template <class X>
HWY_INLINE X power_of_two_rough(X x, float factor) {
  Power<X> p = nearest_power(x, factor);
  X f = lift([=](V v, V n) HWY_ATTR { return hn::MulSub(v, constant(factor), n); }, x, p.n);
  X y = polynomial(f, 0.05517167f, 0.24261112f, 0.69326099f, 0.99992807f);
  return lift(
      [](V v, V sum) HWY_ATTR {
        auto power = hn::ShiftLeft<23>(hn::BitCast(DI(), sum));
        return hn::BitCast(D(), hn::Add(hn::BitCast(DI(), v), power));
      },
      y, p.sum);
}
template <class X>
HWY_INLINE X exp_rough(X x) {
  if (HWY_UNLIKELY(any_beyond(x, 87.0f))) return exp_of(x);
  return power_of_two_rough(x, log2_e);
}
template <class X>
HWY_INLINE X sigmoid_rough(X x) {
  if (HWY_UNLIKELY(any_beyond(x, 87.0f))) return sigmoid_of(x);
  return rough_reciprocal(add(power_of_two_rough(x, -log2_e), constant(1.0f)));
}
template <class X>
HWY_INLINE X tanh_rough(X x) {
  X c = clamp(x, -10.0f, 10.0f);
  Power<X> p = nearest_power(c, 2 * log2_e);
  X f = lift([](V v, V n) HWY_ATTR { return hn::MulSub(v, constant(2 * log2_e), n); }, c, p.n);
  X q = polynomial(f, 0.009618137f, 0.055837695f, 0.24023253f, 0.6931368f);
  X scale = power_of_two(p);
  X m = multiply_add(scale, multiply(q, f), subtract(scale, constant(1.0f)));
  X result = multiply(m, rough_reciprocal(add(m, constant(2.0f))));
  return lift([](V y, V v) HWY_ATTR { return hn::Or(y, hn::And(v, hn::SignBit(D()))); }, result, x);
}
#endif

}  // namespace lazuli::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
