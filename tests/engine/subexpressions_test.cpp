// Common subexpressions: what is recorded twice is computed once.
#include <gtest/gtest.h>

#include <regex>

#include "compiler/plan.h"
#include "lazuli/explain.h"
#include "lazuli/transforms.h"
#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::filled;

// How often a plan of the outputs computes an op.
int times(const std::string& op, const std::vector<array>& outputs) {
  std::string text = explain(outputs);
  text.erase(0, text.find('\n'));  // why the plan is new
  std::regex word("\\b" + op + "\\b");
  return static_cast<int>(
      std::distance(std::sregex_iterator(text.begin(), text.end(), word), std::sregex_iterator()));
}

array f(const array& x) { return sin(exp(x * 2.0f) + 1.0f); }

TEST(Subexpressions, AreComputedOnce) {
  array x = filled({5, 7}, float32, -1, 1, 1);
  array y = f(x) + f(x);
  EXPECT_EQ(times("exp", {y}), 1);
  EXPECT_EQ(times("sin", {y}), 1);
  EXPECT_TRUE(testing::agrees({f(x) + f(x)}));
}

TEST(Subexpressions, OfKernelsAreComputedOnce) {
  array x = filled({8, 8}, float32, -1, 1, 2);
  auto g = [&] { return sum(matmul(x, x), 0); };
  EXPECT_EQ(times("matmul", {g() * g()}), 1);
  EXPECT_TRUE(testing::agrees({g() * g()}));
}

TEST(Subexpressions, HaveEqualParametersShapesAndConstants) {
  array x = filled({6, 10}, float32, -1, 1, 3);
  auto halves = [&](int from) {
    return exp(slice(x, {0, 0}, {6, 5})) * exp(slice(x, {0, from}, {6, from + 5}));
  };
  // One structure for all: the plan of equal ones must not serve the others, nor the reverse.
  for (int from : {0, 5, 0, 3}) EXPECT_TRUE(testing::agrees({halves(from)})) << from;
  for (float b : {2.0f, 3.0f, 2.0f}) {
    EXPECT_TRUE(testing::agrees({exp(x * 2.0f) + exp(x * b)})) << b;
  }
  clear_plan_cache();
  EXPECT_EQ(times("exp", {halves(0)}), 1);
  EXPECT_EQ(times("exp", {halves(5)}), 2);
}

TEST(Subexpressions, ThatAreHeldHaveMemoryOfTheirOwn) {
  array x = filled({64}, float32, -1, 1, 4);
  array a = x + 1.0f, b = x + 1.0f;
  eval(a, b);
  EXPECT_NE(a.data<float>(), b.data<float>());
  EXPECT_TRUE(array_equal(a, b).item<bool>());
}

TEST(Subexpressions, OfRandomNumbersWithOneKeyAreEqual) {
  array key = random::key(7);
  array twice =
      random::uniform(0, 1, {16}, float32, key) - random::uniform(0, 1, {16}, float32, key);
  EXPECT_TRUE(array_equal(twice, zeros({16})).item<bool>());
}

// A checkpoint computes again what it has not kept, even where both are in one evaluation.
TEST(Subexpressions, OfCheckpointsAreComputedAgain) {
  array x = filled({32}, float32, -1, 1, 5);
  auto exps = [&](const Function& layer) {
    auto loss = [&](const std::vector<array>& in) { return std::vector<array>{sum(layer(in)[0])}; };
    auto [value, gradient] = vjp(loss, {x}, {array(1.0f)});
    return times("exp", {value[0], gradient[0]});
  };
  Function layer = [](const std::vector<array>& in) { return std::vector<array>{sin(exp(in[0]))}; };
  EXPECT_EQ(exps(layer), 1);
  EXPECT_EQ(exps(checkpoint(layer)), 2);
}

}  // namespace
}  // namespace lazuli
