// Views that add, drop or repeat axes of extent 1 keep no steps apart.
#include <gtest/gtest.h>

#include "compiler/plan.h"
#include "lazuli/explain.h"
#include "lazuli/transforms.h"
#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::filled;

// The steps that compute, of a plan of the outputs; views only change strides.
int steps(const std::vector<array>& outputs) {
  std::string text = explain(outputs);
  int count = 0;
  for (size_t at = 0; (at = text.find(" stream ", at)) != std::string::npos; ++at) {
    if (text.find("view (", at) != text.find(' ', at + 8) + 1) ++count;
  }
  return count;
}

array layer_norm(const array& x, const array& weight, const array& bias) {
  array centered = x - expand_dims(mean(x, -1), -1);
  array scale = rsqrt(mean(square(centered), -1) + 1e-5f);
  return centered * reshape(scale, {x.shape(0), 1}) * weight + bias;
}

TEST(ViewsInSweeps, LayerNormWithItsAxesDroppedIsOneStep) {
  for (Dtype dtype : {float32, bfloat16, float16}) {
    array x = filled({6, 40}, dtype, -1, 1, 1);
    array weight = filled({40}, dtype, -1, 1, 2), bias = filled({40}, dtype, -1, 1, 3);
    EXPECT_EQ(steps({layer_norm(x, weight, bias)}), 1);
    EXPECT_TRUE(testing::agrees({layer_norm(x, weight, bias)}, 4));
  }
}

TEST(ViewsInSweeps, OfAllElementsAreOneStep) {
  array x = filled({6, 40}, float32, -1, 1, 4);
  array y = (x - mean(x)) / (max(x) - min(x));
  EXPECT_EQ(steps({y}), 1);
  EXPECT_TRUE(testing::agrees({(x - mean(x)) / (max(x) - min(x))}));
}

TEST(ViewsInSweeps, ALossAndItsGradientAreOneStep) {
  array x = filled({50}, float32, -1, 1, 5), y = filled({50}, float32, -1, 1, 6);
  auto loss = [&](const std::vector<array>& in) {
    return std::vector<array>{sum(square(tanh(in[0]) - y))};
  };
  auto [value, gradient] = vjp(loss, {x}, {array(1.0f)});
  EXPECT_EQ(steps({value[0], gradient[0]}), 1);
  EXPECT_TRUE(testing::agrees({value[0], gradient[0]}));
}

TEST(ViewsInSweeps, ValuesOfRowsAloneAreASweepOverAllRows) {
  array x = filled({60, 3}, float32, -1, 1, 12);
  array r = exp(sqrt(sum(square(x), -1)) * -0.5f);
  EXPECT_EQ(steps({r}), 2);
  EXPECT_TRUE(testing::agrees({exp(sqrt(sum(square(x), -1)) * -0.5f)}));
}

TEST(ViewsInSweeps, ValuesOfRowsServeRowsAndColumns) {
  for (int64_t rows : {1, 5, 8}) {
    array x = filled({rows, 8}, float32, -1, 1, 7), z = filled({rows}, float32, -1, 1, 8);
    array r = exp(sum(x, 1) * 0.1f);
    EXPECT_TRUE(testing::agrees({x * expand_dims(r, 1), sum(r), r + z, expand_dims(r, 0) * r, r}));
    EXPECT_TRUE(testing::agrees({broadcast_to(expand_dims(r, 1), {rows, 8}) + x}));
  }
  array square_ = filled({8, 8}, float32, -1, 1, 9);
  array r = exp(sum(square_, 1) * 0.1f);
  EXPECT_TRUE(testing::agrees({square_ * expand_dims(r, 1) + r}));
  EXPECT_TRUE(testing::agrees({astype(expand_dims(r, 0), float16) + astype(r, float16)}));
}

TEST(ViewsInSweeps, OfLeavesAreReadAsTheyBroadcast) {
  array x = filled({3, 1, 7}, float32, -1, 1, 10), y = filled({4, 7}, float32, -1, 1, 11);
  array spread = broadcast_to(x, {3, 4, 7});
  EXPECT_EQ(steps({spread * expand_dims(y, 0)}), 1);
  EXPECT_TRUE(testing::agrees({broadcast_to(x, {3, 4, 7}) * expand_dims(y, 0)}));
  EXPECT_TRUE(testing::agrees({exp(broadcast_to(reshape(x, {21}), {2, 21}))}));
  EXPECT_TRUE(testing::agrees({exp(squeeze(x, 1)) + 1.0f, squeeze(x, 1) * reshape(x, {1, 3, 7})}));
}

}  // namespace
}  // namespace lazuli
