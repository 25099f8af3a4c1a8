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

#include "backends/cpu/fused/exponentials-inl.h"
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::HWY_NAMESPACE {
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
// (Ne of a NaN is false on some targets.)
HWY_INLINE Mask operator!=(Float a, Float b) { return {hn::Not(hn::Eq(a.v, b.v))}; }
HWY_INLINE Mask operator<(Float a, Float b) { return {hn::Lt(a.v, b.v)}; }
HWY_INLINE Mask operator<=(Float a, Float b) { return {hn::Le(a.v, b.v)}; }
HWY_INLINE Mask operator>(Float a, Float b) { return {hn::Gt(a.v, b.v)}; }
HWY_INLINE Mask operator>=(Float a, Float b) { return {hn::Ge(a.v, b.v)}; }
HWY_INLINE Mask operator&&(Mask a, Mask b) { return {hn::And(a.m, b.m)}; }
HWY_INLINE Mask operator||(Mask a, Mask b) { return {hn::Or(a.m, b.m)}; }
HWY_INLINE Mask operator!(Mask a) { return {hn::Not(a.m)}; }
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
HWY_INLINE Mask logical_and(Float x, Float y) { return !(logical_not(x) || logical_not(y)); }
HWY_INLINE Mask logical_or(Float x, Float y) { return !(logical_not(x) && logical_not(y)); }
HWY_INLINE Mask logical_xor(Float x, Float y) {
  return {hn::Xor(logical_not(x).m, logical_not(y).m)};
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
// As in Python. Where the quotient was rounded up to a whole number, the rest has the wrong sign.
HWY_INLINE Float floor_divide(Float x, Float y) {
  Float q = floor(x / y), none = Float(0.0f);
  Float rest = choose(q == none, x, fma(-q, y, x));
  Mask opposite = (rest < none && y > none) || (rest > none && y < none);
  q = choose(opposite && abs(q) < Float(0x1p24f), q - Float(1.0f), q);
  return choose(isinf(x) && y != none, Float(NAN), q);
}

// The sign of y, as in Python.
HWY_INLINE Float remainder(Float x, Float y) {
  return lanewise(x, y, [](float a, float b) {
    float r = std::fmod(a, b);
    if (r == 0) return std::copysign(r, b);
    return (r < 0) != (b < 0) ? r + b : r;
  });
}
HWY_INLINE Float power(Float x, Float y) {
  return lanewise(x, y, [](float a, float b) { return std::pow(a, b); });
}

}  // namespace lazuli::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
