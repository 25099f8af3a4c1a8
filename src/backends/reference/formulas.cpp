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

namespace {

// Whether the shift leaves nothing of the value's bits.
bool beyond(Integer x, Integer y) {
  return (!x.is_unsigned() && y.value < 0) || y.bits() >= static_cast<uint64_t>(x.width());
}

}  // namespace

Integer shifted_left(Integer x, Integer y) {
  return beyond(x, y) ? x.with(0) : x.with(x.bits() << y.bits());
}

Integer shifted_right(Integer x, Integer y) {
  if (beyond(x, y)) return {!x.is_unsigned() && x.value < 0 ? -1 : 0, x.dtype};
  if (x.is_unsigned()) return x.with(x.bits() >> y.bits());
  return {x.value >> y.value, x.dtype};
}

}  // namespace lazuli::reference::formula
