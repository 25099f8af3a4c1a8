// Derivatives at zeros, infinities and far from 1, and of whole numbers: values from mathematics.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::values_of;
using Arrays = std::vector<array>;
constexpr double inf = std::numeric_limits<double>::infinity();

void expect_values(const array& got, const std::vector<double>& wanted, double relative = 1e-6) {
  auto values = values_of(astype(got, complex64 == got.dtype() ? complex64 : float64));
  ASSERT_EQ(values.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (std::isinf(wanted[i])) {
      EXPECT_EQ(values[i].real(), wanted[i]) << "element " << i;
    } else {
      EXPECT_NEAR(values[i].real(), wanted[i], relative * std::fabs(wanted[i])) << "element " << i;
    }
  }
}

array gradient(const ScalarFunction& f, const array& x) {
  return vjp(f, x, ones_like(f(x))).second;
}
ScalarFunction nth(ScalarFunction f, int order) {
  while (order-- > 0) f = [f](const array& x) { return gradient(f, x); };
  return f;
}

TEST(AtZeros, CumulativeProductsHaveTheirDerivatives) {
  array x = array({1.0, 2.0, 0.0, 3.0, 0.0, 2.0}, float64);
  array weights = array({1.0, 10.0, 100.0, 1000.0, 1e4, 1e5}, float64);
  std::vector<double> values = {1, 2, 0, 3, 0, 2};
  for (bool reverse : {false, true}) {
    for (bool inclusive : {false, true}) {
      ScalarFunction f = [=](const array& p) { return cumprod(p, 0, reverse, inclusive); };
      // d y_j / d x_i: the product of what else is in y_j.
      std::vector<double> wanted(6), tangent(6);
      for (int i = 0; i < 6; ++i) {
        for (int j = 0; j < 6; ++j) {
          auto in = [&](int k) {
            int a = reverse ? 5 - k : k, b = reverse ? 5 - j : j;
            return inclusive ? a <= b : a < b;
          };
          if (!in(i)) continue;
          double others = 1;
          for (int k = 0; k < 6; ++k) others *= k != i && in(k) ? values[size_t(k)] : 1;
          wanted[size_t(i)] += others * std::pow(10.0, j);
          tangent[size_t(j)] += others * (i + 1);
        }
      }
      expect_values(vjp(f, x, weights).second, wanted);
      expect_values(jvp(f, x, array({1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, float64)).second, tangent);
    }
  }
  ScalarFunction total = [](const array& p) { return sum(cumprod(p, 0)); };
  expect_values(gradient(total, array({2.0f, 0.0f, 3.0f})), {1, 8, 0});
}

TEST(AtZeros, ProductsHaveSecondDerivatives) {
  // The Hessian of xyz times (1, 10, 100).
  ScalarFunction f = [](const array& p) {
    ScalarFunction product = [](const array& q) { return prod(q); };
    return sum(gradient(product, p) * array({1.0, 10.0, 100.0}, float64));
  };
  expect_values(gradient(f, array({2.0, 0.0, 3.0}, float64)), {30, 203, 20});
  expect_values(gradient(f, array({0.0, 0.0, 3.0}, float64)), {30, 3, 0});
}

TEST(AtZeros, PowersHaveEveryOrder) {
  array zero = array(0.0f);
  for (int n = 0; n <= 4; ++n) {
    ScalarFunction f = [n](const array& x) { return power(x, array(static_cast<float>(n))); };
    for (int order = 1; order <= 5; ++order) {
      double wanted = order == n ? std::tgamma(n + 1) : 0;
      expect_values(nth(f, order)(zero), {wanted});
    }
  }
  auto both = [](float x, float y) {
    return vjp([](const Arrays& p) { return Arrays{power(p[0], p[1])}; }, {array(x), array(y)},
               {array(1.0f)})
        .second;
  };
  expect_values(both(0, 2)[0], {0});
  expect_values(both(0, 2)[1], {0});
  expect_values(both(0, 1)[0], {1});
  expect_values(both(0, 1)[1], {0});
  expect_values(both(0, 0)[0], {0});
  expect_values(both(0, 0)[1], {-inf});
  expect_values(both(2, 0)[0], {0});
  expect_values(both(-2, 3)[0], {12});
  ScalarFunction moved = [](const array& x) { return power(x - array(1.0f), x); };
  expect_values(gradient(moved, array(1.0f)), {1});
}

TEST(AtInfinities, LogarithmsOfSumsShareTheirDerivative) {
  auto both = [](double x, double y) {
    Arrays d = vjp([](const Arrays& p) { return Arrays{logaddexp(p[0], p[1])}; },
                   {array(x, float32), array(y, float32)}, {array(1.0f)})
                   .second;
    return stack(d);
  };
  expect_values(both(inf, 0), {1, 0});
  expect_values(both(0, inf), {0, 1});
  expect_values(both(-inf, 0), {0, 1});
  expect_values(both(inf, -inf), {1, 0});
  expect_values(both(inf, inf), {0.5, 0.5});
  expect_values(both(-inf, -inf), {0.5, 0.5});
  expect_values(both(1, 1), {0.5, 0.5});
  ScalarFunction f = [](const array& x) { return logaddexp(x, array(1.0)); };
  expect_values(nth(f, 2)(array(1.0, float64)), {0.25});
}

TEST(FarFromOne, SquaresDoNotLeaveTheRange) {
  ScalarFunction to_sinh = [](const array& x) { return arcsinh(x); },
                 to_cosh = [](const array& x) { return arccosh(x); },
                 to_tan = [](const array& x) { return arctan(x); };
  expect_values(gradient(to_sinh, array({1e25, -1e25, 1e-25, 0.75, 3e38, inf}, float32)),
                {1e-25, 1e-25, 1, 0.8, 1 / 3e38, 0});
  expect_values(gradient(to_sinh, array({1e200, -0.75}, float64)), {1e-200, 0.8});
  expect_values(gradient(to_cosh, array({1e25, 1.25, inf}, float32)), {1e-25, 4 / 3.0, 0});
  expect_values(gradient(to_tan, array({1e15, 0.5, -inf}, float32)), {1e-30, 0.8, 0});
  expect_values(nth(to_sinh, 2)(array({0.75, 0.0}, float64)), {-0.75 * 0.512, 0});
  array far = array(complex64_t(1e25f, 1e25f));
  expect_values(abs(gradient(to_sinh, far)), {1e-25 / std::sqrt(2.0)});
  auto angle = [](double y, double x) {
    return stack(vjp([](const Arrays& p) { return Arrays{arctan2(p[0], p[1])}; },
                     {array(y, float32), array(x, float32)}, {array(1.0f)})
                     .second);
  };
  expect_values(angle(3e25, 4e25), {4 / 25e25, -3 / 25e25});
  expect_values(angle(3e-25, -4e-25), {-4 / 25e-25, -3 / 25e-25});
  expect_values(angle(-4e25, 3e25), {3 / 25e25, 4 / 25e25});
  expect_values(angle(0, 2), {0.5, 0});
  expect_values(angle(2, 0), {0, -0.5});
  expect_values(angle(inf, 1), {0, 0});
}

TEST(Extremes, CumulativeOnesGoBackToWhereTheyCameFrom) {
  array x = array({1.0f, 3.0f, 3.0f, 2.0f, 5.0f}), g = array({1.0f, 10.0f, 100.0f, 1e3f, 1e4f});
  auto products = [&](bool largest, bool reverse, bool inclusive) {
    ScalarFunction f = [=](const array& p) {
      return largest ? cummax(p, 0, reverse, inclusive) : cummin(p, 0, reverse, inclusive);
    };
    array t = array({1.0f, 2.0f, 3.0f, 4.0f, 5.0f});
    EXPECT_EQ(sum(vjp(f, x, g).second * t).item<float>(),
              sum(jvp(f, x, t).second * g).item<float>());
    return vjp(f, x, g).second;
  };
  expect_values(products(true, false, true), {1, 10, 1100, 0, 1e4});
  expect_values(products(true, true, true), {0, 0, 0, 0, 11111});
  expect_values(products(false, false, true), {11111, 0, 0, 0, 0});
  expect_values(products(false, true, true), {1, 0, 0, 1110, 1e4});
  expect_values(products(true, false, false), {10, 100, 11000, 0, 0});
}

TEST(Extremes, EqualOnesShareBothWays) {
  array x = array({2.0f, 1.0f, 2.0f});
  ScalarFunction f = [](const array& p) { return max(p); };
  expect_values(gradient(f, x), {0.5, 0, 0.5});
  expect_values(jvp(f, x, array({1.0f, 10.0f, 4.0f})).second, {2.5});
}

TEST(Extremes, CumulativeNaNsHaveTheDerivative) {
  float nan = std::numeric_limits<float>::quiet_NaN();
  array x = array({2.0f, nan, 1.0f}), t = array({1.0f, 10.0f, 4.0f});
  ScalarFunction f = [](const array& p) { return cummax(p, 0); };
  expect_values(gradient(f, x), {1, 2, 0});
  expect_values(jvp(f, x, t).second, {1, 10, 10});
}

TEST(Extremes, ScattersShareAmongEqualOnes) {
  array x = array({1.0f, 2.0f, 3.0f}), u = array({1.0f, 4.0f, 2.0f});
  Function f = [](const Arrays& p) {
    return Arrays{scatter_max(p[0], {array({0, 0, 1})}, reshape(p[1], {3, 1}), {0})};
  };
  Arrays d = vjp(f, {x, u}, {array({1.0f, 10.0f, 100.0f})}).second;
  expect_values(d[0], {0, 5, 100});
  expect_values(d[1], {0, 1, 5});
  Arrays t = jvp(f, {x, u}, {array({1.0f, 2.0f, 3.0f}), array({10.0f, 20.0f, 40.0f})}).second;
  expect_values(t[0], {20, 21, 3});
}

TEST(WholeNumbers, HaveDerivativesOfTheirDtype) {
  array x = array({2, 5, 7}), t = array({1.5f, 2.0f, 3.0f});
  ScalarFunction twice = [](const array& p) { return p * 2; };
  expect_values(gradient(twice, x), {2, 2, 2});
  EXPECT_EQ(gradient(twice, x).dtype(), int32);
  ScalarFunction rounded = [](const array& p) { return astype(astype(p, int32), float32); };
  expect_values(gradient(rounded, t), {0, 0, 0});
  struct Case {
    ScalarFunction f;
    std::vector<double> wanted;
  };
  for (Dtype dtype : {int8, uint8, int32, int64, bool_}) {
    array whole = astype(dtype == bool_ ? array({0, 0, 1}) : x, dtype);
    double largest = dtype == bool_ ? 1 : 7;
    for (const Case& c : std::vector<Case>{
             {[](const array& p) { return max(p); }, {3}},
             {[](const array& p) { return -min(-astype(p, int32)); }, {3}},
             {[](const array& p) { return sum(p); }, {6.5}},
             {[](const array& p) { return p > array(1); }, {0, 0, 0}},
             {[](const array& p) { return cumsum(p, 0); }, {1.5, 3.5, 6.5}},
             {[](const array& p) { return slice(p, {1}, {3}); }, {2, 3}},
             {[](const array& p) { return concatenate({p, p}, 0); }, {1.5, 2, 3, 1.5, 2, 3}},
             {[](const array& p) { return sort(p); }, {1.5, 2, 3}},
             {[](const array& p) { return maximum(p, p); }, {1.5, 2, 3}},
             {[=](const array& p) { return p * p * array({0, 0, 1}); }, {0, 0, 6 * largest}},
             {[](const array& p) { return take(p, array({2, 0}), 0); }, {3, 1.5}}}) {
      array tangent = jvp(c.f, whole, t).second;
      EXPECT_EQ(tangent.dtype(), float32);
      expect_values(tangent, c.wanted);
    }
    array whole_tangent = jvp([](const array& p) { return max(p); }, x, array({3, 4, 5})).second;
    EXPECT_EQ(whole_tangent.item<int>(), 5);
  }
}

}  // namespace
}  // namespace lazuli
