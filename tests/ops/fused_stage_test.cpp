// What the stages of fused programs must not lose: the exact rounding of half types, NaN in
// reductions, the last elements of a row, operands whose memory an output takes over.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "base/thread_pool.h"
#include "lazuli/lazuli.h"
#include "support/against_reference.h"

namespace lazuli {
namespace {

// float32 values with the bits i * step.
array patterns(uint32_t step) {
  std::vector<float> values;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += step) {
    values.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  }
  return array(values.begin(), {static_cast<int64_t>(values.size())}, float32);
}

// Round to nearest, ties to even, subnormal numbers included.
uint16_t rounded_to_bfloat16(float x) {
  uint32_t bits = std::bit_cast<uint32_t>(x);
  uint32_t below = bits & 0xffff, above = bits >> 16;
  bool up = below > 0x8000 || (below == 0x8000 && (above & 1));
  return static_cast<uint16_t>(above + up);
}

TEST(FusedStages, RoundToBfloat16Exactly) {
  // All exponents, and what lies around ties.
  for (uint32_t step : {0x7fffu, 0x8000u, 0x10fffu}) {
    array x = patterns(step);
    array y = astype(x, bfloat16), z = astype(abs(x), bfloat16);
    eval(y, z);
    for (size_t i = 0; i < x.size(); ++i) {
      float value = x.data<float>()[i];
      uint16_t got[2];
      std::memcpy(&got[0], y.data<bfloat16_t>() + i, 2);
      std::memcpy(&got[1], z.data<bfloat16_t>() + i, 2);
      if (std::isnan(value)) {
        ASSERT_GT(got[0] & 0x7fff, 0x7f80) << i;
        continue;
      }
      ASSERT_EQ(got[0], rounded_to_bfloat16(value)) << value;
      ASSERT_EQ(got[1], rounded_to_bfloat16(std::fabs(value))) << value;
    }
  }
}

TEST(FusedStages, WidenHalvesExactly) {
  std::vector<uint16_t> bits(65536);
  for (size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<uint16_t>(i);
  for (Dtype dtype : {float16, bfloat16}) {
    array x(reinterpret_cast<void*>(bits.data()), {65536}, dtype, [](void*) {});
    array zero = zeros({65536}, float32);
    // As the first operand, as the second one, and in a pair of ops.
    array a = astype(x, float32), b = zero + x, c = (zero + x) - zero;
    eval(a, b, c);
    for (int64_t i = 0; i < 65536; ++i) {
      float wanted = dtype == float16 ? static_cast<float>(x.data<float16_t>()[i])
                                      : static_cast<float>(x.data<bfloat16_t>()[i]);
      for (const array* got : {&a, &b, &c}) {
        float value = got->data<float>()[i];
        ASSERT_TRUE(value == wanted || (std::isnan(value) && std::isnan(wanted))) << i;
      }
    }
  }
}

// The largest error of `f` in units in the last place, over values of every size.
template <class Exact>
double worst_error(array (*f)(const array&, StreamOrDevice), Exact exact, float low, float high) {
  array every = patterns(7919);
  std::vector<float> inside;
  for (size_t i = 0; i < every.size(); ++i) {
    float x = every.data<float>()[i];
    if (x >= low && x <= high) inside.push_back(x);
  }
  array y = f(array(inside.begin(), {static_cast<int64_t>(inside.size())}, float32), {});
  y.eval();
  double worst = 0;
  for (size_t i = 0; i < inside.size(); ++i) {
    double wanted = exact(static_cast<double>(inside[i]));
    double scale = std::max(std::fabs(wanted), 1.2e-38);
    double unit = std::ldexp(1.0, std::ilogb(scale) - 23);
    worst = std::max(worst, std::fabs(y.data<float>()[i] - wanted) / unit);
  }
  return worst;
}

TEST(FusedStages, ExponentialsAreExactToAFewUnits) {
  auto sigmoid_exact = [](double x) { return 1 / (1 + std::exp(-x)); };
  EXPECT_LT(worst_error(exp, [](double x) { return std::exp(x); }, -87.3f, 88.7f), 2.1);
  EXPECT_LT(worst_error(sigmoid, sigmoid_exact, -87.0f, 1e30f), 3.1);
  EXPECT_LT(worst_error(tanh, [](double x) { return std::tanh(x); }, -1e30f, 1e30f), 2.6);
  array zero = tanh(array({-0.0f, 0.0f}));
  zero.eval();
  EXPECT_TRUE(std::signbit(zero.data<float>()[0]));
  EXPECT_FALSE(std::signbit(zero.data<float>()[1]));
}

TEST(FusedStages, ExtremesKeepNanWhereverItLies) {
  for (int64_t size : {1, 15, 128, 129, 500, 9000}) {
    for (int64_t at : {int64_t{0}, size / 2, size - 1}) {
      std::vector<float> values(static_cast<size_t>(size), 1.0f);
      values[static_cast<size_t>(at)] = NAN;
      array x(values.begin(), {size}, float32);
      EXPECT_TRUE(std::isnan(max(x).item<float>())) << size << " " << at;
      EXPECT_TRUE(std::isnan(min(x).item<float>())) << size << " " << at;
      array y = ones({size}, float32);
      array high = maximum(x, y), low = minimum(y, x), other = maximum(y, x);
      eval(high, low, other);
      EXPECT_TRUE(std::isnan(high.data<float>()[at]));
      EXPECT_TRUE(std::isnan(low.data<float>()[at]));
      EXPECT_TRUE(std::isnan(other.data<float>()[at]));
    }
  }
}

TEST(FusedStages, DividesByARowsValueExactly) {
  constexpr int64_t columns = 338;
  const std::vector<float> ends = {HUGE_VALF, -HUGE_VALF, NAN, 0.0f, -0.0f, 3e38f, 1e-38f};
  const std::vector<float> divisors = {1.0f,  -3.0f, 0.7f,  1e-20f, 1e20f,     1e-36f,
                                       1e36f, 0.0f,  -0.0f, 1e-45f, HUGE_VALF, NAN};
  int64_t count = static_cast<int64_t>(divisors.size());
  array noise = testing::filled({count, columns}, float32, -1e3, 1e3, 1);
  std::vector<float> values(noise.data<float>(), noise.data<float>() + noise.size());
  for (int64_t r = 0; r < count; ++r) {
    for (size_t k = 0; k < ends.size(); ++k) {
      values[static_cast<size_t>(r * columns) + 40 * k] = ends[k];
    }
  }
  array rows(values.begin(), {count, columns}, float32), s(divisors.begin(), {count, 1}, float32);
  // The sum makes rows of the sweep, so that the divisor is a row's value.
  array quotient = rows / s, total = sum(quotient, 1, true);
  eval(quotient, total);
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      float wanted = rows.data<float>()[r * columns + c] / s.data<float>()[r];
      float got = quotient.data<float>()[r * columns + c];
      bool same = got == wanted || (std::isnan(got) && std::isnan(wanted));
      ASSERT_TRUE(same) << r << " " << c << ": " << got << ", not " << wanted;
    }
  }
}

TEST(FusedStages, LastElementsOfARowAreComputedWhereTheOperandLay) {
  for (Dtype dtype : {float32, float16, bfloat16}) {
    for (int64_t length : {1, 63, 127, 129, 255, 1000}) {
      auto make = [&] { return testing::filled({17, length}, dtype, -2, 2, 3); };
      EXPECT_TRUE(testing::agrees({softmax(make(), -1)}, 4)) << dtype << length;
      array given = make() * array(1.0f, dtype);
      given.eval();
      array wanted = softmax(make(), -1);
      wanted.eval();
      given = softmax(given, -1);  // nobody else has the operand
      given.eval();
      EXPECT_TRUE(array_equal(given, wanted).item<bool>()) << dtype << length;
    }
  }
}

// Rows in two dimensions that do not merge, with an operand that repeats along the outer one, what
// one row keeps for each sweep, and the same results whoever computes them.
TEST(FusedStages, NormsOfRowsThatLieApart) {
  ThreadPool& pool = ThreadPool::instance();
  int threads = pool.threads();
  for (Dtype dtype : {float32, float16, bfloat16}) {
    for (int64_t length : {1, 100, 128, 256, 640}) {
      auto make = [&](Dtype as) {
        array x = testing::filled({70, 6, length}, as, -2, 2, 3);
        array weight = testing::filled({5, length}, as, -1, 1, 4);
        x = slice(x, {0, 1, 0}, {70, 6, length});
        array squares = sum(square(x), -1, true);
        array scale = rsqrt(squares + array(0.5f, as)) * exp(-squares * array(1e-3f, as));
        return std::vector<array>{x * scale * weight, squares, sum(x * weight, -1, true)};
      };
      EXPECT_TRUE(testing::agrees(make(dtype), 40)) << dtype << length;
      std::vector<array> shared = make(dtype), alone = make(dtype);
      eval(shared);
      pool.set_threads(1);
      eval(alone);
      pool.set_threads(threads);
      for (size_t k = 0; k < shared.size(); ++k) {
        EXPECT_TRUE(array_equal(shared[k], alone[k]).item<bool>()) << dtype << length << " " << k;
      }
    }
  }
}

}  // namespace
}  // namespace lazuli
