// Functions with a rule of their own: gradients by the rule, once for each call; tangents and
// batches through the function itself.
#include <gtest/gtest.h>

#include <cmath>

#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::filled;
using Arrays = std::vector<array>;

void expect_close(const array& got, const array& wanted) {
  ASSERT_EQ(got.shape(), wanted.shape());
  EXPECT_TRUE(allclose(got, wanted, 1e-9, 1e-9).item<bool>());
}

Function doubled_exp() {
  return custom_vjp(
      [](const Arrays& p) { return Arrays{exp(p[0])}; },
      [](const Arrays&, const Arrays& g, const Arrays& y) { return Arrays{2 * g[0] * y[0]}; });
}

TEST(CustomVjp, HasTheTangentsOfTheFunctionItself) {
  array x = filled({5}, float64, -1, 1, 1), t = filled({5}, float64, -1, 1, 2);
  expect_close(jvp(doubled_exp(), {x}, {t}).second[0], exp(x) * t);
  expect_close(jvp(compile(doubled_exp()), {x}, {t}).second[0], exp(x) * t);
  expect_close(jvp(vmap(doubled_exp()), {x}, {t}).second[0], exp(x) * t);
  Function tangents = [](const Arrays& in) { return jvp(doubled_exp(), {in[0]}, {in[1]}).second; };
  expect_close(vmap(tangents)({x, t})[0], exp(x) * t);
}

TEST(CustomVjp, HasTheRuleInEveryOrder) {
  ScalarFunction f = [rule = doubled_exp()](const array& x) { return sum(rule({x})[0]); };
  ScalarFunction second = grad(ScalarFunction([&](const array& x) { return sum(grad(f)(x)); }));
  array x = filled({5}, float64, -1, 1, 3);
  expect_close(grad(f)(x), 2 * exp(x));
  expect_close(second(x), 4 * exp(x));
}

TEST(CustomVjp, CallsTheRuleOnceForAllOutputs) {
  int calls = 0;
  Function f = custom_vjp([](const Arrays& p) { return Arrays{p[0] * p[1], p[0] + p[1], p[0]}; },
                          [&](const Arrays& p, const Arrays& g, const Arrays&) {
                            ++calls;
                            return Arrays{ones_like(p[0]), g[0] + g[1] + g[2]};
                          });
  Function twice = [&](const Arrays& p) {
    Arrays y = f(p), z = f({p[0], y[1]});
    return Arrays{y[0] + y[1], z[0]};
  };
  array x = array(2.0, float64), y = array(3.0, float64), one = array(1.0, float64);
  Arrays products = vjp(twice, {x, y}, {one, one}).second;
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(products[0].item<double>(), 2);
  EXPECT_EQ(products[1].item<double>(), 3);  // 1 and 1 + 1 through y[1]
}

TEST(CustomVjp, GivesACallOfACompiledFunctionItsOwnGates) {
  Function f = compile(custom_vjp(
      [](const Arrays& p) { return Arrays{p[0]}; },
      [](const Arrays& p, const Arrays&, const Arrays&) { return Arrays{ones_like(p[0])}; }));
  ScalarFunction g = [&](const array& x) { return f({f({x})[0] * 5})[0] + f({x * 2})[0]; };
  EXPECT_EQ(grad(g)(array(3.0f)).item<float>(), 3);  // the rule says 1 of f(x), and of f(2x)
}

TEST(CustomVjp, MayBeMadeWithinTheFunctionThatIsTransformed) {
  ScalarFunction f = [](const array& x) { return doubled_exp()({x})[0]; };
  array x = array(0.5, float64);
  EXPECT_DOUBLE_EQ(grad(f)(x).item<double>(), 2 * std::exp(0.5));
  EXPECT_DOUBLE_EQ(grad(compile(f))(x).item<double>(), 2 * std::exp(0.5));
  ScalarFunction kept = [](const array& p) {
    return checkpoint([](const Arrays& in) { return Arrays{sin(in[0])}; })({p})[0];
  };
  EXPECT_DOUBLE_EQ(grad(grad(kept))(x).item<double>(), -std::sin(0.5));
}

TEST(CustomFunction, HasRulesForTangentsAndBatches) {
  Function f = custom_function(
      [](const Arrays& p) { return Arrays{p[0] * p[1], p[0] + p[1]}; }, {},
      [](const Arrays& p, const Arrays& t, const std::vector<int>& argnums) {
        array sum = zeros_like(p[0]);
        for (size_t i = 0; i < t.size(); ++i) sum = sum + t[i] * (10 * (argnums[i] + 1));
        return Arrays{sum, p[0] * 100};
      },
      [](const Arrays& in, const std::vector<int>& axes) {
        EXPECT_EQ(axes, (std::vector<int>{0, -1}));
        return std::pair{Arrays{transpose(in[0]), in[1] * 7}, std::vector<int>{1, -1}};
      });
  array x = array({1.0, 2.0}, float64), y = array({3.0, 5.0}, float64), t = array({1.0, 4.0});
  Arrays both = jvp(f, {x, y}, {t, t}).second;
  expect_close(both[0], t * 30);
  expect_close(both[1], x * 100);
  Function of_y = [&](const Arrays& p) { return f({x, p[0]}); };
  expect_close(jvp(of_y, {y}, {t}).second[0], t * 20);
  expect_close(vjp(f, {x, y}, {t, t}).second[0], astype(t, float64) * y + t);  // through the body
  array rows = filled({3, 2}, float64, -1, 1, 8);
  Arrays batched = vmap(f, {0, -1})({rows, y});
  expect_close(batched[0], rows);
  expect_close(batched[1], broadcast_to(y * 7, {3, 2}));
}

TEST(Checkpoint, HasTangentsWhereSomeArgumentsHaveNone) {
  Function f = checkpoint([](const Arrays& p) { return Arrays{sin(p[0]) * p[1], p[1]}; });
  array x = filled({4}, float64, -1, 1, 5), y = filled({4}, float64, 1, 2, 6);
  Function of_x = [&](const Arrays& p) { return f({p[0], y}); };
  Function of_y = [&](const Arrays& p) { return f({x, p[0]}); };
  array t = filled({4}, float64, -1, 1, 7);
  Arrays along_x = jvp(of_x, {x}, {t}).second, along_y = jvp(of_y, {y}, {t}).second;
  expect_close(along_x[0], cos(x) * y * t);
  expect_close(along_x[1], zeros_like(x));
  expect_close(along_y[0], sin(x) * t);
  expect_close(along_y[1], t);
  Function gradient_of_tangent = grad(
      [&](const Arrays& p) { return sum(jvp(f, {p[0], y}, {t, zeros_like(y)}).second[0]); }, 0);
  expect_close(gradient_of_tangent({x})[0], -sin(x) * y * t);
  Function batched = [&](const Arrays& p) { return vmap(f)({p[0], y}); };
  expect_close(vjp(batched, {x}, {t, t}).second[0], cos(x) * y * t);
}

}  // namespace
}  // namespace lazuli
