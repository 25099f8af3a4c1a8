// Programs written for MLX's C++ API.
#include <gtest/gtest.h>

#include <sstream>

#include "mlx/mlx.h"
#include "mlx/ops.h"
#include "mlx/random.h"

namespace mx = mlx::core;

namespace {

// A cubic that follows a sine, found by gradient descent with momentum.
TEST(MlxProgram, FitsACurve) {
  mx::random::seed(11);
  mx::array x = mx::random::uniform(-1.5f, 1.5f, {256, 1});
  mx::array powers = mx::concatenate({mx::ones({256, 1}), x, mx::square(x), x * mx::square(x)}, 1);
  mx::array target = mx::squeeze(mx::sin(x), 1);
  auto loss = [&](const mx::array& c) {
    return mx::mean(mx::square(mx::matmul(powers, c) - target));
  };
  auto gradient = mx::grad(loss);
  mx::array c = mx::zeros({4}), speed = mx::zeros({4});
  for (int step = 0; step < 400; ++step) {
    speed = 0.9f * speed - 0.05f * gradient(c);
    c = c + speed;
    mx::eval(c, speed);
  }
  EXPECT_LT(loss(c).item<float>(), 1e-4f);
  EXPECT_NEAR(mx::take(c, mx::array(3)).item<float>(), -1.0f / 6, 0.03f);
}

TEST(MlxProgram, UsesDevicesStreamsDtypesAndFast) {
  mx::set_default_device(mx::Device::cpu);
  auto s = mx::new_stream(mx::default_device());
  mx::array x({1, 2, 3, 4}, {2, 2}, mx::float16);
  mx::array z = mx::add(x, mx::array(1.0f, mx::float16), s);
  auto normed = mx::fast::rms_norm(z, mx::ones({2}, mx::float16), 1e-5f, s);
  mx::synchronize(s);
  EXPECT_EQ(normed.dtype(), mx::float16);
  EXPECT_EQ(z.shape(), (mx::Shape{2, 2}));
  auto f = mx::compile([](const std::vector<mx::array>& in) {
    return std::vector<mx::array>{mx::exp(in[0]) + in[1]};
  });
  EXPECT_NEAR(f({mx::array(0.0f), mx::array(2.0f)})[0].item<float>(), 3.0f, 1e-6);
  std::ostringstream out;
  out << mx::array({1, 2, 3});
  EXPECT_EQ(out.str(), "array([1, 2, 3], dtype=int32)");
}

}  // namespace
