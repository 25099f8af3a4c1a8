// CUDA's mathematical functions, for floats and doubles, under the names and overloads it gives.
#pragma once

typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ptrdiff_t;

extern "C" int printf(const char* format, ...);

#define EMULATED_UNARY(name)       \
  extern "C" double name(double);  \
  extern "C" float name##f(float); \
  inline float name(float a) { return name##f(a); }
#define EMULATED_BINARY(name)             \
  extern "C" double name(double, double); \
  extern "C" float name##f(float, float); \
  inline float name(float a, float b) { return name##f(a, b); }

EMULATED_UNARY(acos)
EMULATED_UNARY(acosh)
EMULATED_UNARY(asin)
EMULATED_UNARY(asinh)
EMULATED_UNARY(atan)
EMULATED_UNARY(atanh)
EMULATED_UNARY(cbrt)
EMULATED_UNARY(ceil)
EMULATED_UNARY(cos)
EMULATED_UNARY(cosh)
EMULATED_UNARY(erf)
EMULATED_UNARY(erfc)
EMULATED_UNARY(exp)
EMULATED_UNARY(exp10)
EMULATED_UNARY(exp2)
EMULATED_UNARY(expm1)
EMULATED_UNARY(fabs)
EMULATED_UNARY(floor)
EMULATED_UNARY(lgamma)
EMULATED_UNARY(log)
EMULATED_UNARY(log10)
EMULATED_UNARY(log1p)
EMULATED_UNARY(log2)
EMULATED_UNARY(logb)
EMULATED_UNARY(nearbyint)
EMULATED_UNARY(rint)
EMULATED_UNARY(round)
EMULATED_UNARY(sin)
EMULATED_UNARY(sinh)
EMULATED_UNARY(sqrt)
EMULATED_UNARY(tan)
EMULATED_UNARY(tanh)
EMULATED_UNARY(tgamma)
EMULATED_UNARY(trunc)
EMULATED_BINARY(atan2)
EMULATED_BINARY(copysign)
EMULATED_BINARY(fdim)
EMULATED_BINARY(fmax)
EMULATED_BINARY(fmin)
EMULATED_BINARY(fmod)
EMULATED_BINARY(hypot)
EMULATED_BINARY(nextafter)
EMULATED_BINARY(pow)
EMULATED_BINARY(remainder)
#undef EMULATED_UNARY
#undef EMULATED_BINARY

extern "C" {
double fma(double, double, double);
float fmaf(float, float, float);
double ldexp(double, int);
float ldexpf(float, int);
double scalbn(double, int);
float scalbnf(float, int);
double frexp(double, int*);
float frexpf(float, int*);
double modf(double, double*);
float modff(float, float*);
int ilogb(double);
int ilogbf(float);
long lrint(double);
long lrintf(float);
long long llrint(double);
long long llrintf(float);
long lround(double);
long lroundf(float);
long long llround(double);
long long llroundf(float);
void sincos(double, double*, double*);
void sincosf(float, float*, float*);
void* memcpy(void*, const void*, size_t);
void* memset(void*, int, size_t);
}
inline float fma(float a, float b, float c) { return fmaf(a, b, c); }
inline float ldexp(float a, int by) { return ldexpf(a, by); }
inline float frexp(float a, int* exponent) { return frexpf(a, exponent); }
inline float modf(float a, float* whole) { return modff(a, whole); }
inline void sincos(float a, float* sine, float* cosine) { sincosf(a, sine, cosine); }

inline bool isnan(float a) { return a != a; }
inline bool isnan(double a) { return a != a; }
inline bool isinf(float a) { return __builtin_isinf(a); }
inline bool isinf(double a) { return __builtin_isinf(a); }
inline bool isfinite(float a) { return __builtin_isfinite(a); }
inline bool isfinite(double a) { return __builtin_isfinite(a); }
inline bool signbit(float a) { return __builtin_signbit(a); }
inline bool signbit(double a) { return __builtin_signbit(a); }

inline int abs(int a) { return a < 0 ? -a : a; }
inline long abs(long a) { return a < 0 ? -a : a; }
inline long long abs(long long a) { return a < 0 ? -a : a; }
inline float abs(float a) { return fabsf(a); }
inline double abs(double a) { return fabs(a); }

#define EMULATED_EXTREMES(type)                             \
  inline type min(type a, type b) { return b < a ? b : a; } \
  inline type max(type a, type b) { return a < b ? b : a; }
EMULATED_EXTREMES(int)
EMULATED_EXTREMES(unsigned)
EMULATED_EXTREMES(long)
EMULATED_EXTREMES(unsigned long)
EMULATED_EXTREMES(long long)
EMULATED_EXTREMES(unsigned long long)
#undef EMULATED_EXTREMES
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }

// ---- What the C library lacks ----
constexpr double emulated_pi = 3.14159265358979323846;
inline double rsqrt(double a) { return 1 / sqrt(a); }
inline float rsqrtf(float a) { return static_cast<float>(1 / sqrt(static_cast<double>(a))); }
inline float rsqrt(float a) { return rsqrtf(a); }
inline double rcbrt(double a) { return 1 / cbrt(a); }
inline float rcbrtf(float a) { return static_cast<float>(1 / cbrt(static_cast<double>(a))); }
inline double sinpi(double a) { return sin(emulated_pi * remainder(a, 2.0)); }
inline double cospi(double a) { return cos(emulated_pi * remainder(a, 2.0)); }
inline float sinpif(float a) { return static_cast<float>(sinpi(static_cast<double>(a))); }
inline float cospif(float a) { return static_cast<float>(cospi(static_cast<double>(a))); }
inline void sincospi(double a, double* sine, double* cosine) {
  *sine = sinpi(a);
  *cosine = cospi(a);
}
inline void sincospif(float a, float* sine, float* cosine) {
  *sine = sinpif(a);
  *cosine = cospif(a);
}
inline double normcdf(double a) { return erfc(-a * 0.70710678118654752440) / 2; }
inline float normcdff(float a) { return static_cast<float>(normcdf(static_cast<double>(a))); }

// Winitzki's approximation, then Halley's method on erf, or on erfc where erf has no digits left.
inline double erfinv(double y) {
  if (!(y > -1 && y < 1)) return y == 1 || y == -1 ? y / 0.0 : __builtin_nan("");
  if (y == 0) return y;
  double target = fabs(y), l = log1p(-target * target), h = 2 / (emulated_pi * 0.147) + l / 2;
  double x = sqrt(sqrt(h * h - l / 0.147) - h);
  for (int step = 0; step < 4; ++step) {
    double error = target < 0.5 ? erf(x) - target : (1 - target) - erfc(x);
    double slope = 1.12837916709551257390 * exp(-x * x);
    double newton = error / slope;
    x -= newton / (1 + x * newton);
  }
  return copysign(x, y);
}
inline float erfinvf(float y) { return static_cast<float>(erfinv(static_cast<double>(y))); }
inline double erfcinv(double y) { return erfinv(1 - y); }
inline float erfcinvf(float y) { return static_cast<float>(erfcinv(static_cast<double>(y))); }

// ---- Intrinsics: exact here, as good as the GPU's or better ----
inline float __expf(float a) { return expf(a); }
inline float __exp10f(float a) { return exp10f(a); }
inline float __logf(float a) { return logf(a); }
inline float __log2f(float a) { return log2f(a); }
inline float __log10f(float a) { return log10f(a); }
inline float __sinf(float a) { return sinf(a); }
inline float __cosf(float a) { return cosf(a); }
inline float __tanf(float a) { return tanf(a); }
inline void __sincosf(float a, float* sine, float* cosine) { sincosf(a, sine, cosine); }
inline float __powf(float a, float b) { return powf(a, b); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __saturatef(float a) { return a > 0 ? (a < 1 ? a : 1) : 0; }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline float __frsqrt_rn(float a) { return rsqrtf(a); }
inline float __frcp_rn(float a) { return 1 / a; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline double __dsqrt_rn(double a) { return sqrt(a); }
inline double __drcp_rn(double a) { return 1 / a; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
