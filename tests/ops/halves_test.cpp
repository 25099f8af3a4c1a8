// Halves that a fused step has computed: they are rounded to their dtype wherever they are seen,
// compared or cast, and after every op where that is asked for.
#include <gtest/gtest.h>

#include <cmath>

#include "base/flags.h"
#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::is_exactly;

const double inf = HUGE_VAL;

// Three times these is infinite, and rounds to one, in float16.
array halves() { return array({65504.0f, 1.0f / 3}, float16); }

TEST(Halves, AreRoundedWhereTheyAreSeenOrCast) {
  EXPECT_TRUE(is_exactly(halves() * 3, {inf, 1}));
  EXPECT_TRUE(is_exactly(astype(halves() * 3, float32), {inf, 1}));
  EXPECT_TRUE(is_exactly(astype(halves() * 3, float64), {inf, 1}));
  EXPECT_TRUE(is_exactly(astype(halves() * 3, bfloat16), {inf, 1}));
  EXPECT_TRUE(is_exactly(real(astype(halves() * 3, complex64)), {inf, 1}));
  EXPECT_TRUE(is_exactly(astype(halves() * 3, int32), {2147483647.0, 1}));
  EXPECT_TRUE(
      is_exactly(astype(array({6e-8f, 0.0f}, float16) * array(0.1f, float16), bool_), {0, 0}));
  EXPECT_TRUE(is_exactly(astype(array({1.0f / 3}, bfloat16) * 3, int32), {1}));
  array sums = sum(broadcast_to(array(1.0f / 3, float16), {2, 3}), 1);
  EXPECT_TRUE(is_exactly(astype(sums, int32), {1, 1}));
}

TEST(Halves, AreRoundedWhereTheyAreComparedOrTested) {
  array one(1.0f, float16), three(3, float16);
  EXPECT_TRUE(is_exactly(halves() * 3 >= one, {1, 1}));
  EXPECT_TRUE(is_exactly(one <= halves() * 3, {1, 1}));
  EXPECT_TRUE(is_exactly(halves() * three == one, {0, 1}));
  EXPECT_TRUE(is_exactly(isinf(halves() * 3), {1, 0}));
  EXPECT_TRUE(is_exactly(isfinite(halves() * 3), {0, 1}));
  EXPECT_TRUE(is_exactly(isposinf(halves() * 3), {1, 0}));
  EXPECT_TRUE(
      is_exactly(logical_not(array({6e-8f, 1.0f}, float16) * array(0.1f, float16)), {1, 0}));
  EXPECT_TRUE(is_exactly(where(halves() * 3 >= one, array(1), array(0)), {1, 1}));
  EXPECT_TRUE(is_exactly(stop_gradient(halves() * 3) >= one, {1, 1}));
}

TEST(Halves, AreRoundedBeforeTheyBecomeWholeNumbers) {
  EXPECT_TRUE(is_exactly(floor(halves() * 3), {inf, 1}));
  EXPECT_TRUE(is_exactly(trunc(halves() * 3), {inf, 1}));
  EXPECT_TRUE(is_exactly(floor_divide(halves() * 3, array(1, float16)), {NAN, 1}));
  EXPECT_TRUE(is_exactly(sign(array({6e-8f}, float16) * array(0.1f, float16)), {0}));
}

TEST(Halves, AreRoundedAfterEveryOpWhereThatIsAsked) {
  int before = flags().round_halves;
  flags().round_halves = 1;
  array h = halves();
  array back = (h + 1) - h, scaled = h * 3 * 0.25f;
  array total = sum(broadcast_to(array(60000.0f, float16), {4}), 0) * 0.25f;
  array kept = (array({65504.0f}, float16) + 1) - array({65504.0f}, float16);
  flags().round_halves = before;
  EXPECT_TRUE(is_exactly(kept, {0}));
  EXPECT_TRUE(is_exactly(scaled, {inf, 0.25}));
  EXPECT_TRUE(is_exactly(total, {inf}));
  EXPECT_TRUE(is_exactly(slice(back, {0}, {1}), {0}));
}

// An evaluation in between changes nothing of what comparisons and casts say.
TEST(Halves, SayTheSameWithAnEvaluationInBetween) {
  for (Dtype dtype : {float16, bfloat16}) {
    array x = testing::filled({4000}, dtype, -4, 4, 1),
          y = testing::filled({4000}, dtype, -4, 4, 2);
    array product = x * y;
    product.eval();
    array edge = floor(product);
    edge.eval();
    EXPECT_TRUE(array_equal(floor(x * y), edge).item<bool>()) << dtype;
    EXPECT_TRUE(array_equal(x * y > edge, product > edge).item<bool>()) << dtype;
    EXPECT_TRUE(array_equal(x * y == edge, product == edge).item<bool>()) << dtype;
    EXPECT_TRUE(array_equal(astype(x * y, int32), astype(product, int32)).item<bool>()) << dtype;
    EXPECT_TRUE(array_equal(astype(x * y, float64), astype(product, float64)).item<bool>())
        << dtype;
  }
}

}  // namespace
}  // namespace lazuli
