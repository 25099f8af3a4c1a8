#include "backends/reference/formulas.h"

namespace lazuli::reference::formula {

double inverse_erf(double x) {
  if (std::isnan(x)) return x;
  if (std::fabs(x) >= 1) return std::fabs(x) == 1 ? std::copysign(HUGE_VAL, x) : NAN;
  double low = -6, high = 6;  // erf(6) is 1 in double
  for (int k = 0; k < 200; ++k) {
    double middle = (low + high) / 2;
    (std::erf(middle) < x ? low : high) = middle;
  }
  return (low + high) / 2;
}

double log_of_sum(double x, double y) {
  double high = std::fmax(x, y);
  if (std::isnan(x) || std::isnan(y)) return NAN;
  return std::isinf(high) ? high : high + std::log1p(std::exp(-std::fabs(x - y)));
}

// The rest is exact; what it leaves is divided.
double python_remainder(double x, double y) {
  double rest = std::fmod(x, y);
  if (rest == 0) return std::copysign(0.0, y);
  return (rest < 0) != (y < 0) ? rest + y : rest;
}

double floor_quotient(double x, double y) {
  if (y == 0) return x / y;
  double rest = std::fmod(x, y), quotient = std::round((x - rest) / y);
  return rest != 0 && (rest < 0) != (y < 0) ? quotient - 1 : quotient;
}

Integer floor_quotient(Integer x, Integer y) {
  if (y.value == 0) return y;
  if (x.is_unsigned()) return x.with(x.bits() / y.bits());
  if (y.value == -1) return -x;
  bool rounded_up = x.value % y.value != 0 && (x.value < 0) != (y.value < 0);
  return {x.value / y.value - rounded_up, x.dtype};
}

Integer pow(Integer x, Integer y) {
  if (!y.is_unsigned() && y.value < 0) {
    return {x.value == 1 ? 1 : x.value == -1 ? (y.value % 2 ? -1 : 1) : 0, x.dtype};
  }
  uint64_t result = 1, base = x.bits();
  for (uint64_t e = y.bits(); e; e /= 2) {
    if (e % 2) result *= base;
    base *= base;
  }
  return x.with(result);
}

Complex pow(const Complex& x, const Complex& y) {
  if (y == Complex()) return 1;
  if (x == Complex()) return y.real() > 0 ? Complex() : Complex(NAN, NAN);
  return std::pow(x, y);
}

namespace {

// The count that a processor takes from y.
uint64_t places(Integer y) { return y.bits() & (y.width() < 64 ? 31 : 63); }

}  // namespace

Integer shifted_left(Integer x, Integer y) { return x.with(x.bits() << places(y)); }

Integer shifted_right(Integer x, Integer y) {
  if (x.is_unsigned()) return x.with(x.bits() >> places(y));
  return {x.value >> places(y), x.dtype};
}

}  // namespace lazuli::reference::formula
