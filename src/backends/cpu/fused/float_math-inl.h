// Float: a SIMD vector of float32 that the expressions of the op tables are compiled for.
//
// Accuracy is a few units in the last place over the whole range; NaN and infinities give what the
// C library gives. Polynomials were fitted to minimal relative error over the stated range.
// Included once for each SIMD target.
#if defined(LAZULI_FLOAT_MATH_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef LAZULI_FLOAT_MATH_INL
#undef LAZULI_FLOAT_MATH_INL
#else
#define LAZULI_FLOAT_MATH_INL
#endif

#include <cmath>

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using DI = hn::ScalableTag<int32_t>;
using V = hn::Vec<D>;

struct Float {
  V v;
  HWY_INLINE Float(V x) : v(x) {}
  HWY_INLINE Float(float x) : v(hn::Set(D(), x)) {}
  HWY_INLINE Float(double x) : v(hn::Set(D(), static_cast<float>(x))) {}
  HWY_INLINE Float(int x) : v(hn::Set(D(), static_cast<float>(x))) {}
};
struct Mask {
  hn::Mask<D> m;
};

HWY_INLINE Float operator+(Float a, Float b) { return hn::Add(a.v, b.v); }
HWY_INLINE Float operator-(Float a, Float b) { return hn::Sub(a.v, b.v); }
HWY_INLINE Float operator*(Float a, Float b) { return hn::Mul(a.v, b.v); }
HWY_INLINE Float operator/(Float a, Float b) { return hn::Div(a.v, b.v); }
HWY_INLINE Float operator-(Float a) { return hn::Neg(a.v); }
HWY_INLINE Mask operator==(Float a, Float b) { return {hn::Eq(a.v, b.v)}; }
HWY_INLINE Mask operator!=(Float a, Float b) { return {hn::Ne(a.v, b.v)}; }
HWY_INLINE Mask operator<(Float a, Float b) { return {hn::Lt(a.v, b.v)}; }
HWY_INLINE Mask operator<=(Float a, Float b) { return {hn::Le(a.v, b.v)}; }
HWY_INLINE Mask operator>(Float a, Float b) { return {hn::Gt(a.v, b.v)}; }
HWY_INLINE Mask operator>=(Float a, Float b) { return {hn::Ge(a.v, b.v)}; }
HWY_INLINE Mask operator&&(Mask a, Mask b) { return {hn::And(a.m, b.m)}; }
HWY_INLINE Mask operator||(Mask a, Mask b) { return {hn::Or(a.m, b.m)}; }
HWY_INLINE Float choose(Mask c, Float a, Float b) { return hn::IfThenElse(c.m, a.v, b.v); }
HWY_INLINE Float fma(Float a, Float b, Float c) { return hn::MulAdd(a.v, b.v, c.v); }

// A function without a vector form, one lane at a time.
template <class F>
HWY_INLINE Float lanewise(Float x, F f) {
  HWY_ALIGN float lanes[HWY_MAX_BYTES / 4];
  hn::Store(x.v, D(), lanes);
  for (size_t i = 0; i < hn::Lanes(D()); ++i) lanes[i] = f(lanes[i]);
  return hn::Load(D(), lanes);
}
template <class F>
HWY_INLINE Float lanewise(Float x, Float y, F f) {
  HWY_ALIGN float lanes[HWY_MAX_BYTES / 4], other[HWY_MAX_BYTES / 4];
  hn::Store(x.v, D(), lanes);
  hn::Store(y.v, D(), other);
  for (size_t i = 0; i < hn::Lanes(D()); ++i) lanes[i] = f(lanes[i], other[i]);
  return hn::Load(D(), lanes);
}

// ---- Rounding, signs, tests ----
HWY_INLINE Float abs(Float x) { return hn::Abs(x.v); }
HWY_INLINE Float ceil(Float x) { return hn::Ceil(x.v); }
HWY_INLINE Float floor(Float x) { return hn::Floor(x.v); }
HWY_INLINE Float trunc(Float x) { return hn::Trunc(x.v); }
HWY_INLINE Float rint(Float x) { return hn::Round(x.v); }
HWY_INLINE Float conj(Float x) { return x; }
HWY_INLINE Float real(Float x) { return x; }
HWY_INLINE Float imag(Float) { return 0.0f; }
HWY_INLINE Mask isnan(Float x) { return {hn::IsNaN(x.v)}; }
HWY_INLINE Mask isinf(Float x) { return {hn::IsInf(x.v)}; }
HWY_INLINE Mask isfinite(Float x) { return {hn::IsFinite(x.v)}; }
HWY_INLINE Mask isposinf(Float x) { return x == Float(HUGE_VALF); }
HWY_INLINE Mask isneginf(Float x) { return x == Float(-HUGE_VALF); }
HWY_INLINE Mask logical_not(Float x) { return x == Float(0.0f); }
HWY_INLINE Mask logical_and(Float x, Float y) { return x != Float(0.0f) && y != Float(0.0f); }
HWY_INLINE Mask logical_or(Float x, Float y) { return x != Float(0.0f) || y != Float(0.0f); }
HWY_INLINE Mask logical_xor(Float x, Float y) {
  return {hn::Xor(hn::Ne(x.v, hn::Zero(D())), hn::Ne(y.v, hn::Zero(D())))};
}
HWY_INLINE Float sign(Float x) {
  V one = hn::Set(D(), 1.0f);
  V positive = hn::IfThenElseZero(hn::Gt(x.v, hn::Zero(D())), one);
  V result = hn::IfThenElse(hn::Lt(x.v, hn::Zero(D())), hn::Neg(one), positive);
  return choose(isnan(x), x, result);
}

// NaN wins on either side. (On x86 the instruction gives its second operand if either is NaN.)
HWY_INLINE Float maximum(Float x, Float y) {
#if HWY_ARCH_X86
  return hn::MaskedMaxOr(x.v, hn::Eq(x.v, x.v), x.v, y.v);
#else
  return choose(isnan(x), x, choose(isnan(y), y, hn::Max(x.v, y.v)));
#endif
}
HWY_INLINE Float minimum(Float x, Float y) {
#if HWY_ARCH_X86
  return hn::MaskedMinOr(x.v, hn::Eq(x.v, x.v), x.v, y.v);
#else
  return choose(isnan(x), x, choose(isnan(y), y, hn::Min(x.v, y.v)));
#endif
}

// ---- Roots ----
HWY_INLINE Float sqrt(Float x) { return hn::Sqrt(x.v); }
HWY_INLINE Float rsqrt(Float x) { return Float(1.0f) / sqrt(x); }

// ---- Exponentials ----
// These are written for one vector (V) or four at once (Quad), whose instructions alternate, so that
// none waits for the one before it.
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
// The relative error is below 1e-4, a small part of what rounding to a half type loses.
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
template <class X>
HWY_INLINE X exp_rough(X x) {
  return exp_of(x);
}
template <class X>
HWY_INLINE X sigmoid_rough(X x) {
  return sigmoid_of(x);
}
template <class X>
HWY_INLINE X tanh_rough(X x) {
  return tanh_of(x);
}
#endif

HWY_INLINE Float exp(Float x) { return exp_of(x.v); }
HWY_INLINE Float sigmoid(Float x) { return sigmoid_of(x.v); }
HWY_INLINE Float tanh(Float x) { return tanh_of(x.v); }
HWY_INLINE Quad exp(Quad x) { return exp_of(x); }
HWY_INLINE Quad sigmoid(Quad x) { return sigmoid_of(x); }
HWY_INLINE Quad tanh(Quad x) { return tanh_of(x); }

HWY_INLINE Float expm1(Float x) {
  V clamped = clamp(x.v, -30.0f, 89.0f);
  Power<V> p = nearest_power(clamped, log2_e);
  V r = less_power<1>(clamped, p);
  // (e^r - 1) / r
  V q = polynomial(r, 0.0013888869434595108f, 0.008369074203073978f, 0.041667137295007706f,
                   0.16666506230831146f, 0.4999999701976776f, 1.0f);
  // 2^n (e^r - 1) + (2^n - 1), with 2^n split so that 2^128 does not overflow early.
  Float half = scale_by_power(constant(0.5f), p);
  Float result = (half * Float(hn::Mul(q, r)) + (half - Float(0.5f))) * Float(2.0f);
  return choose(x == Float(0.0f), x, result);
}

HWY_INLINE Float sinh(Float x) {
  Float a = abs(x);
  Float e = expm1(clamp(a.v, 0.0f, 88.0f));
  Float small = Float(0.5f) * (e + e / (e + Float(1.0f)));
  Float h = exp(a - Float(0.6931471805599453f));  // e^a / 2 without early overflow
  Float result = choose(a < Float(20.0f), small, h);
  return hn::CopySign(result.v, x.v);
}

HWY_INLINE Float cosh(Float x) {
  Float h = exp(abs(x) - Float(0.6931471805599453f));
  return fma(Float(0.25f), Float(1.0f) / h, h);
}

// ---- Logarithms ----
// What a logarithm gives outside of (0, infinity).
HWY_INLINE Float log_ends(Float x, Float inside) {
  Float result = choose(x == Float(0.0f), Float(-HUGE_VALF), inside);
  result = choose(isposinf(x), x, result);
  result = choose(x < Float(0.0f), Float(NAN), result);
  return choose(isnan(x), x, result);
}
HWY_INLINE Float log(Float x) { return log_ends(x, hn::Log(D(), x.v)); }
HWY_INLINE Float log2(Float x) { return log_ends(x, hn::Log2(D(), x.v)); }
HWY_INLINE Float log10(Float x) { return log_ends(x, hn::Log10(D(), x.v)); }
HWY_INLINE Float log1p(Float x) {
  Float y = Float(1.0f) + x;
  // log(y) corrected by what rounding 1 + x has lost.
  Float correction = (x - (y - Float(1.0f))) / y;
  Float result = log(y);
  result = choose(isfinite(result), result + correction, result);
  return choose(abs(x) < Float(1e-4f), x - Float(0.5f) * x * x, result);
}
HWY_INLINE Float logaddexp(Float x, Float y) {
  Float high = maximum(x, y), low = minimum(x, y);
  Float result = high + log1p(exp(low - high));
  return choose(high == low, high + Float(0.6931471805599453f), choose(isinf(high), high, result));
}

// ---- Trigonometry ----
// The vector forms reduce arguments up to this size correctly.
constexpr float reduced_max = 30000.0f;
HWY_INLINE bool any_huge(Float x) {
  return !hn::AllTrue(D(), hn::Le(hn::Abs(x.v), hn::Set(D(), reduced_max)));
}
HWY_INLINE Float sin(Float x) {
  if (HWY_UNLIKELY(any_huge(x))) return lanewise(x, [](float t) { return std::sin(t); });
  return hn::Sin(D(), x.v);
}
HWY_INLINE Float cos(Float x) {
  if (HWY_UNLIKELY(any_huge(x))) return lanewise(x, [](float t) { return std::cos(t); });
  return hn::Cos(D(), x.v);
}
HWY_INLINE Float tan(Float x) {
  return lanewise(x, [](float t) { return std::tan(t); });
}
HWY_INLINE Float asin(Float x) {
  return choose(abs(x) <= Float(1.0f), hn::Asin(D(), x.v), Float(NAN));
}
HWY_INLINE Float acos(Float x) {
  return choose(abs(x) <= Float(1.0f), hn::Acos(D(), x.v), Float(NAN));
}
HWY_INLINE Float atan(Float x) {
  Float ends = hn::CopySign(hn::Set(D(), 1.5707963267948966f), x.v);
  return choose(isinf(x), ends, choose(isnan(x), x, hn::Atan(D(), x.v)));
}
HWY_INLINE Float atan2(Float y, Float x) {
  return lanewise(y, x, [](float a, float b) { return std::atan2(a, b); });
}
HWY_INLINE Float asinh(Float x) {
  Float a = abs(x);
  Float u = a * a;
  Float small = log1p(a + u / (Float(1.0f) + sqrt(Float(1.0f) + u)));
  Float large = log(a) + Float(0.6931471805599453f);
  Float result = choose(a < Float(1e8f), small, large);
  return choose(isnan(x), x, hn::CopySign(result.v, x.v));
}
HWY_INLINE Float acosh(Float x) {
  Float t = x - Float(1.0f);
  Float small = log1p(t + sqrt(t * (x + Float(1.0f))));
  Float large = log(x) + Float(0.6931471805599453f);
  return choose(x < Float(1.0f), Float(NAN), choose(x < Float(1e8f), small, large));
}
HWY_INLINE Float atanh(Float x) {
  Float a = abs(x);
  Float result = Float(0.5f) * log1p(Float(2.0f) * a / (Float(1.0f) - a));
  result = choose(a == Float(1.0f), Float(HUGE_VALF), result);
  result = hn::CopySign(result.v, x.v);
  return choose(a <= Float(1.0f), result, Float(NAN));
}

// ---- Error function ----
HWY_INLINE Float erf(Float x) {
  Float a = abs(x), u = x * x;
  Float p = fma(Float(-9.641493306844495e-06f), u, Float(0.00011256939615122974f));
  p = fma(p, u, Float(-0.000848282768856734f));
  p = fma(p, u, Float(0.005220945458859205f));
  p = fma(p, u, Float(-0.0268654003739357f));
  p = fma(p, u, Float(0.11283782124519348f));
  p = fma(p, u, Float(-0.37612637877464294f));
  Float small = fma(p * u, x, Float(1.128379225730896f) * x);
  Float b = hn::Min(a.v, hn::Set(D(), 4.2f));
  // -log(erfc(b))
  Float q = fma(Float(-1.5757416349551552e-06f), b, Float(4.488203558139503e-05f));
  q = fma(q, b, Float(-0.0005872133770026267f));
  q = fma(q, b, Float(0.004716136958450079f));
  q = fma(q, b, Float(-0.026301685720682144f));
  q = fma(q, b, Float(0.10987639427185059f));
  q = fma(q, b, Float(0.6320362687110901f));
  q = fma(q, b, Float(1.1301134824752808f));
  q = fma(q, b, Float(-0.0002911589399445802f));
  Float large = Float(1.0f) - Float(exp_in_range((-q).v));
  Float result = choose(a < Float(0.95f), small, hn::CopySign(large.v, x.v));
  return choose(isnan(x), x, result);
}

// M. Giles, "Approximating the erfinv function", GPU Computing Gems, 2011: single precision.
HWY_INLINE Float erfinv(Float x) {
  Float w = -log((Float(1.0f) - x) * (Float(1.0f) + x));
  Float c = w - Float(2.5f), t = sqrt(w) - Float(3.0f);
  Float p = Float(2.81022636e-08f), q = Float(-0.000200214257f);
  p = fma(p, c, Float(3.43273939e-07f)), q = fma(q, t, Float(0.000100950558f));
  p = fma(p, c, Float(-3.5233877e-06f)), q = fma(q, t, Float(0.00134934322f));
  p = fma(p, c, Float(-4.39150654e-06f)), q = fma(q, t, Float(-0.00367342844f));
  p = fma(p, c, Float(0.00021858087f)), q = fma(q, t, Float(0.00573950773f));
  p = fma(p, c, Float(-0.00125372503f)), q = fma(q, t, Float(-0.0076224613f));
  p = fma(p, c, Float(-0.00417768164f)), q = fma(q, t, Float(0.00943887047f));
  p = fma(p, c, Float(0.246640727f)), q = fma(q, t, Float(1.00167406f));
  p = fma(p, c, Float(1.50140941f)), q = fma(q, t, Float(2.83297682f));
  Float result = choose(w < Float(5.0f), p, q) * x;
  return choose(abs(x) == Float(1.0f), x * Float(HUGE_VALF), result);
}

// ---- Division, powers ----
HWY_INLINE Float floor_divide(Float x, Float y) { return floor(x / y); }

// The sign of y, as in Python.
HWY_INLINE Float remainder(Float x, Float y) {
  return lanewise(x, y, [](float a, float b) {
    float r = std::fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
  });
}
HWY_INLINE Float power(Float x, Float y) {
  return lanewise(x, y, [](float a, float b) { return std::pow(a, b); });
}

}  // namespace lazuli::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
