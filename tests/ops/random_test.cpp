// Random arrays: bits against the reference and against the values of the MLX wheel 0.32.4, what is
// composed of them likewise, and the moments of the distributions.
#include <gtest/gtest.h>

#include <cmath>

#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::agrees;

std::vector<double> reals(const array& a) {
  std::vector<double> result;
  for (auto z : testing::values_of(a)) result.push_back(z.real());
  return result;
}

::testing::AssertionResult near(const array& got, const std::vector<double>& wanted,
                                double tolerance) {
  std::vector<double> values = reals(got);
  if (values.size() != wanted.size()) return ::testing::AssertionFailure() << values.size();
  for (size_t i = 0; i < wanted.size(); ++i) {
    double rounded = static_cast<float>(wanted[i]);  // nine digits tell a float32
    if (std::fabs(values[i] - rounded) <= tolerance * (1 + std::fabs(wanted[i]))) continue;
    return ::testing::AssertionFailure()
           << "element " << i << ": " << values[i] << ", not " << wanted[i];
  }
  return ::testing::AssertionSuccess();
}

array fixed() { return random::key(42); }

std::string hex(const array& a) {
  array dense = copy(a);
  dense.eval();
  std::string text;
  const char* digits = "0123456789abcdef";
  const uint8_t* bytes = dense.data<uint8_t>();
  for (size_t i = 0; i < a.nbytes(); ++i) {
    text += digits[bytes[i] / 16];
    text += digits[bytes[i] % 16];
  }
  return text;
}

TEST(RandomBits, AreThoseOfTheWheel) {
  struct Case {
    int width, count;
    const char* bytes;
  };
  const Case cases[] = {
      {1, 1, "1e"},
      {1, 3, "1eb8ad"},
      {1, 5, "2847a6accf"},
      {1, 6, "2847a6accf9e"},
      {1, 11, "801ac9842c91b6e0da6723"},
      {2, 1, "1eb8"},
      {2, 3, "2847a6accf9e"},
      {2, 5, "801ac9842c91b6e0da67"},
      {2, 6, "801ac9842c91b6e0da672325"},
      {2, 11, "caddf853cfb2cbaf3f8e09deeb73c1e54124afd5320f"},
      {4, 1, "1eb8ad4e"},
      {4, 3, "801ac9842c91b6e0da672325"},
      {4, 5, "caddf853cfb2cbaf75eb0eb5eb73c1e54124afd5"},
      {4, 6, "caddf853cfb2cbaf3f8e09deeb73c1e54124afd5320f6a78"},
      {4, 11,
       "a5981a107106195495b53861df52b43a6a1491827debf38c2e48832e0e5299b2cc956a45efbf2d832847fda9"},
  };
  array key = random::key(12345678901234u);
  for (const Case& c : cases) EXPECT_EQ(hex(random::bits({c.count}, c.width, key)), c.bytes);
}

TEST(RandomBits, AgreeWithTheReference) {
  for (int width : {1, 2, 4}) {
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{1}, Shape{7}, Shape{64}, Shape{129},
                               Shape{3, 5}, Shape{2, 0, 3}, Shape{40001}}) {
      EXPECT_TRUE(agrees({random::bits(shape, width, random::key(9))})) << width << shape;
    }
  }
}

TEST(RandomBits, FollowEachKeyUnderVmap) {
  array keys = random::split(random::key(1), 3);
  for (int width : {1, 4}) {
    auto draw = [width](const array& key) { return random::bits({5}, width, key); };
    array together = vmap(ScalarFunction(draw))(keys);
    for (int k = 0; k < 3; ++k) {
      EXPECT_TRUE(
          array_equal(take(together, array(k), 0), draw(take(keys, array(k), 0))).item<bool>());
    }
    EXPECT_TRUE(agrees({vmap(ScalarFunction(draw))(keys + array(1, uint32))}));
  }
}

TEST(RandomBits, RefuseWhatIsNoKey) {
  EXPECT_THROW(random::bits({3}, 4, array(3)), ArgumentError);
  EXPECT_THROW(random::bits({3}, 4, zeros({2, 2}, uint32)), ArgumentError);
  EXPECT_THROW(random::bits({3}, 8, fixed()), ArgumentError);
  EXPECT_THROW(random::bits({-3}, 4, fixed()), ArgumentError);
}

TEST(Random, GivesWhatTheWheelGives) {
  EXPECT_TRUE(near(random::uniform(-2.0f, 3.0f, {5}, float32, fixed()),
                   {1.64909434, 2.3459692, -1.01780975, -0.959071517, -1.06687868}, 0));
  EXPECT_TRUE(near(random::uniform(-2.0f, 3.0f, {5}, float16, fixed()),
                   {1.65039062, 2.34375, -1.01757812, -0.958984375, -1.06640625}, 1e-3));
  EXPECT_TRUE(near(random::uniform(-2.0f, 3.0f, {5}, bfloat16, fixed()),
                   {1.65625, 2.34375, -1.015625, -0.9609375, -1.0625}, 8e-3));
  EXPECT_TRUE(near(random::normal({5}, float32, 1.0f, 2.0f, fixed()),
                   {2.2245307, 3.24517727, -0.708826065, -0.625464797, -0.780809402}, 1e-6));
  EXPECT_TRUE(near(random::normal({5}, float16, fixed()),
                   {0.612304688, 1.12304688, -0.854003906, -0.8125, -0.890136719}, 0));
  EXPECT_TRUE(near(random::normal({5}, bfloat16, fixed()),
                   {0.61328125, 1.125, -0.85546875, -0.8125, -0.890625}, 2e-2));
  EXPECT_TRUE(near(real(random::normal({3}, complex64, fixed())),
                   {0.432937026, 0.804215372, -0.629611194}, 1e-6));
  EXPECT_TRUE(near(imag(random::normal({3}, complex64, fixed())),
                   {0.793790042, -0.574688613, 0.0892593339}, 1e-6));
  EXPECT_TRUE(near(random::truncated_normal(array(-1.0f), array(0.5f), {5}, float32, fixed()),
                   {0.119367689, 0.310127348, -0.633146882, -0.614089549, -0.649244964}, 1e-6));
  EXPECT_TRUE(
      near(random::randint(-5, 1000, {6}, int32, fixed()), {728, 868, 871, 204, 182, 547}, 0));
  EXPECT_TRUE(near(random::randint(0, 100, {6}, uint8, fixed()), {72, 86, 87, 20, 18, 55}, 0));
  EXPECT_TRUE(near(random::randint(-3, 100000, {6}, int64, fixed()),
                   {72981, 86918, 87229, 20816, 18659, 55021}, 0));
  EXPECT_TRUE(near(random::bernoulli(array(0.3f), {8}, fixed()), {0, 0, 1, 1, 0, 1, 1, 1}, 0));
  EXPECT_TRUE(near(random::gumbel({5}, float32, fixed()),
                   {1.15531325, 1.96476293, -0.486988664, -0.450645506, -0.517994642}, 1e-6));
  EXPECT_TRUE(near(random::gumbel({5}, float16, fixed()),
                   {1.15625, 1.96386719, -0.487304688, -0.450683594, -0.518066406}, 2e-3));
  EXPECT_TRUE(near(random::laplace({5}, float32, 1.0f, 2.0f, fixed()),
                   {-0.231031299, -1.68178368, 2.86852169, 2.7523551, 2.97102118}, 1e-6));
  EXPECT_TRUE(near(random::permutation(10, fixed()), {5, 2, 7, 1, 6, 8, 0, 9, 4, 3}, 0));
  EXPECT_TRUE(near(random::permutation(reshape(arange(12), {3, 4}), 1, fixed()),
                   {2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9}, 0));
}

TEST(Random, CategoricalGivesWhatTheWheelGives) {
  array logits = reshape(random::normal({12}, float32, random::key(3)), {3, 4});
  EXPECT_TRUE(near(random::categorical(logits, -1, fixed()), {3, 2, 1}, 0));
  EXPECT_TRUE(near(random::categorical(logits, 0, fixed()), {0, 1, 0, 0}, 0));
  EXPECT_TRUE(near(random::categorical(logits, -1, 5, fixed()),
                   {2, 1, 1, 2, 3, 2, 2, 0, 1, 0, 2, 1, 3, 3, 0}, 0));
  EXPECT_TRUE(near(random::categorical(logits, 0, 5, fixed()),
                   {1, 0, 1, 2, 2, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 2, 2, 0}, 0));
  EXPECT_TRUE(near(random::categorical(logits, -1, Shape{2, 3}, fixed()), {2, 1, 3, 2, 1, 2}, 0));
  EXPECT_TRUE(
      near(random::categorical(logits, 0, Shape{2, 4}, fixed()), {0, 0, 0, 2, 0, 1, 0, 0}, 0));
  EXPECT_THROW(random::categorical(logits, 2), IndexError);
  EXPECT_THROW(random::categorical(logits, 1, Shape{2}), ArgumentError);
}

TEST(Random, TheDefaultSequenceIsThatOfTheWheel) {
  random::seed(7);
  EXPECT_TRUE(near(random::uniform({2}), {0.514767051, 0.0784912109}, 0));
  EXPECT_TRUE(near(random::uniform({2}), {0.801293731, 0.184429646}, 0));
}

// Mean and standard deviation of 2^16 samples, within five of their own.
void expect_moments(const array& x, double wanted_mean, double wanted_deviation) {
  double root = 256;
  EXPECT_NEAR(mean(astype(x, float32)).item<float>(), wanted_mean, 5 * wanted_deviation / root);
  double deviation = std::sqrt(mean(square(astype(x, float32) - float(wanted_mean))).item<float>());
  EXPECT_NEAR(deviation, wanted_deviation, 5 * wanted_deviation / root);
}

TEST(Random, HasTheMomentsOfItsDistributions) {
  Shape shape = {1 << 16};
  for (Dtype dtype : {float32, float16, bfloat16, float64}) {
    array key = random::key(11);
    expect_moments(random::uniform(shape, dtype, key), 0.5, std::sqrt(1.0 / 12));
    expect_moments(random::normal(shape, dtype, key), 0, 1);
  }
  array key = random::key(12);
  expect_moments(random::gumbel(shape, float32, key), 0.57722, 1.28255);
  expect_moments(random::laplace(shape, 1.0f, 2.0f, key), 1, 2 * std::sqrt(2.0));
  expect_moments(random::bernoulli(0.3f, shape, key), 0.3, std::sqrt(0.21));
  expect_moments(random::randint(0, 6, shape, int32, key), 2.5, std::sqrt(35.0 / 12));
  array x = random::uniform(shape, float16, key);
  EXPECT_LT(max(x).item<float>(), 1.0f);
}

TEST(Random, RefusesWrongDtypesAndShapes) {
  EXPECT_THROW(random::uniform({3}, int32), ArgumentError);
  EXPECT_THROW(random::normal({3}, int32), ArgumentError);
  EXPECT_THROW(random::randint(0, 3, {3}, float32), ArgumentError);
  EXPECT_THROW(random::bernoulli(array(1), {3}), ArgumentError);
  EXPECT_THROW(random::uniform(zeros({3, 4}), array(1.0f), {3}), ArgumentError);
  EXPECT_EQ(random::uniform({0, 3}).size(), 0u);
}

// Every op rounds there.
TEST(Random, HalvesAreThoseOfTheWheel) {
  array key = random::key(0);
  EXPECT_TRUE(near(random::normal({6}, float16, key),
                   {0.187744141, -1.28320312, 0.649414062, 1.24902344, 0.244384766, -0.117492676},
                   0));
  EXPECT_TRUE(near(random::normal({6}, float16, 1.0f, 3.0f, key),
                   {1.56347656, -2.84765625, 2.94921875, 4.75, 1.73339844, 0.647460938}, 0));
  EXPECT_TRUE(near(random::normal({6}, bfloat16, 1.0f, 3.0f, key),
                   {1.5625, -2.84375, 2.953125, 4.75, 1.734375, 0.6484375}, 0));
  EXPECT_TRUE(near(random::uniform(-2.0f, 3.0f, {6}, float16, key),
                   {0.873046875, -1.50195312, 1.7109375, 2.46875, 0.984375, 0.267578125}, 0));
  EXPECT_TRUE(near(random::uniform(-2.0f, 3.0f, {6}, bfloat16, key),
                   {0.875, -1.5, 1.71875, 2.46875, 0.984375, 0.265625}, 0));
  EXPECT_TRUE(near(random::gumbel({6}, float16, key),
                   {0.591308594, -0.8359375, 1.20996094, 2.18945312, 0.660644531, 0.23449707}, 0));
  EXPECT_TRUE(near(random::gumbel({6}, bfloat16, key),
                   {0.58984375, -0.83984375, 1.2109375, 2.1875, 0.6640625, 0.232421875}, 0));
  EXPECT_TRUE(near(random::laplace({6}, float16, 1.0f, 2.0f, key),
                   {0.677246094, 4.2265625, -0.323242188, -2.10546875, 0.570800781, 1.19628906},
                   0));
  EXPECT_TRUE(near(random::laplace({6}, bfloat16, 1.0f, 2.0f, key),
                   {0.6796875, 4.21875, -0.3203125, -2.109375, 0.5703125, 1.1953125}, 0));
  EXPECT_TRUE(
      near(random::truncated_normal(array(-1), array(1), {6}, float16, key),
           {0.128295898, -0.749023438, 0.427490234, 0.735351562, 0.166015625, -0.0795898438}, 0));
  EXPECT_TRUE(near(random::truncated_normal(array(-1), array(1), {6}, bfloat16, key),
                   {0.127929688, -0.75, 0.427734375, 0.74609375, 0.166992188, -0.078125}, 0));
}

TEST(Random, CategoricalOfOneDistributionIsThatOfTheWheel) {
  array logits({0.1f, 0.2f, 0.3f, 0.9f});
  std::vector<double> drawn;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    drawn.push_back(reals(random::categorical(reshape(logits, {1, 4}), -1, random::key(seed)))[0]);
  }
  EXPECT_EQ(drawn, (std::vector<double>{2, 0, 2, 3, 0, 3}));
  array row = reshape(logits, {1, 4}), third = random::key(3);
  EXPECT_TRUE(near(random::categorical(logits, -1, 8, third), {1, 3, 3, 2, 0, 0, 3, 1}, 0));
  EXPECT_TRUE(near(random::categorical(row, -1, 8, third), {1, 3, 3, 2, 0, 0, 3, 1}, 0));
  EXPECT_EQ(random::categorical(row, -1, 8, third).shape(), Shape({1, 8}));
  array pairs = random::categorical(logits, -1, Shape{2, 3}, random::key(4));
  EXPECT_TRUE(near(pairs, {0, 0, 0, 3, 1, 0}, 0));
  EXPECT_TRUE(near(random::categorical(transpose(row), 0, random::key(5)), {3}, 0));
  EXPECT_TRUE(near(random::categorical(logits, -1, third), {2}, 0));
  drawn.clear();
  for (uint64_t seed = 0; seed < 8; ++seed) {
    array many = random::normal({1, 1000}, float32, random::key(seed + 50)) * 3;
    drawn.push_back(reals(random::categorical(many, -1, random::key(seed)))[0]);
  }
  EXPECT_EQ(drawn, (std::vector<double>{457, 134, 476, 860, 339, 559, 872, 905}));
  // What cannot be drawn is not, and a number beyond the last sum is none.
  array ends({0.0f, -HUGE_VALF, -HUGE_VALF});
  EXPECT_EQ(max(random::categorical(ends, -1, 1000, third)).item<uint32_t>(), 0u);
}

TEST(Random, IntegersStayBetweenTheirBoundsAndReachAll) {
  struct Range {
    int64_t low, high;
    Dtype dtype;
  };
  constexpr int64_t two = 1;
  const Range ranges[] = {{(two << 24), (two << 24) + 2, int32},
                          {(two << 31) - 10, (two << 31) - 1, int32},
                          {(two << 31) + 5, (two << 31) + 9, uint32},
                          {2147483653, 2147483656, int64},
                          {-(two << 62), -(two << 62) + 5, int64},
                          {INT64_MAX - 3, INT64_MAX, int64},
                          {1000, 1004, int32},
                          {-3, 3, int8}};
  for (const Range& r : ranges) {
    for (bool lazy : {false, true}) {
      array low(r.low, int64), high(r.high, int64);
      if (lazy) low = low + array(0, int64), high = high + array(0, int64);
      array x = random::randint(low, high, {20000}, r.dtype, random::key(5));
      array y = astype(x, int64) - array(r.low, int64);
      int64_t width = r.high - r.low;
      std::vector<int> counts(static_cast<size_t>(width), 0);
      for (double v : reals(y)) {
        ASSERT_TRUE(v >= 0 && v < static_cast<double>(width)) << r.low << " " << v;
        ++counts[static_cast<size_t>(v)];
      }
      double each = 20000.0 / static_cast<double>(width);
      for (int count : counts) EXPECT_NEAR(count, each, 6 * std::sqrt(each)) << r.low;
    }
  }
}

TEST(Random, IntegersOfWideRangesAreEven) {
  array key = random::key(6);
  array x = random::randint(0, 1 << 25, {20000}, int32, key);
  EXPECT_NEAR(sum(remainder(x, array(2))).item<int>(), 10000, 500);
  array low(INT64_MIN, int64), high(INT64_MAX, int64);
  array wide = random::randint(low, high, {20000}, int64, key);
  EXPECT_NEAR(sum(astype(wide < array(0, int64), int32)).item<int>(), 10000, 500);
  EXPECT_NEAR(sum(astype(bitwise_and(wide, array(1, int64)), int32)).item<int>(), 10000, 500);
  array top = random::randint(array(0, uint64), array(UINT64_MAX, uint64), {20000}, uint64, key);
  array upper = right_shift(top, array(63, uint64));
  EXPECT_NEAR(sum(astype(upper, int32)).item<int>(), 10000, 500);
  EXPECT_TRUE(near(random::randint(-1000, 1 << 20, {6}, int32, fixed()),
                   {765000, 911285, 914545, 217506, 194876, 576503}, 0));
  EXPECT_TRUE(near(random::randint(0, 300, {6}, uint8, fixed()), {218, 4, 5, 62, 55, 165}, 300));
  EXPECT_TRUE(near(random::randint(5, 2, {2}, int32, fixed()), {5, 5}, 0));
}

TEST(Random, UniformNeverReachesItsUpperBound) {
  for (Dtype dtype : {float16, bfloat16, float32, float64}) {
    for (auto [low, high] :
         {std::pair{1.0, 2.0}, {3.0, 3.5}, {-2.0, -1.0}, {-1.0, 0.0}, {100.0, 101.0}}) {
      for (bool lazy : {false, true}) {
        array from(low, dtype), to(high, dtype);
        if (lazy) from = from + array(0, dtype), to = to + array(0, dtype);
        array x = random::uniform(from, to, {100000}, dtype, random::key(3));
        EXPECT_LT(reals(max(x))[0], high) << dtype << low;
        EXPECT_GE(reals(min(x))[0], low) << dtype << low;
        EXPECT_NEAR(reals(mean(astype(x, float32)))[0], (low + high) / 2,
                    0.02 * (high - low) + (high - low) * (dtype == bfloat16 ? 0.5 : 0))
            << dtype << low;
      }
    }
    EXPECT_TRUE(near(random::uniform(2.0f, 2.0f, {3}, dtype, fixed()), {2, 2, 2}, 0)) << dtype;
  }
}

TEST(Random, TruncatedNormalFollowsItsTails) {
  struct Case {
    float low, high;
    double mean;
  };
  const Case cases[] = {{6, 7, 6.158},          {10, 20, 10.0981},    {-7, -6, -6.158},
                        {3, HUGE_VALF, 3.2831}, {2.5f, 2.6f, 2.5478}, {-HUGE_VALF, -4, -4.2256}};
  for (Dtype dtype : {float32, float64, float16}) {
    for (const Case& c : cases) {
      array x =
          random::truncated_normal(array(c.low), array(c.high), {20000}, dtype, random::key(8));
      EXPECT_NEAR(reals(mean(astype(x, float32)))[0], c.mean, 0.01) << dtype << c.low;
      EXPECT_GE(reals(min(x))[0], c.low) << dtype;
      EXPECT_LE(reals(max(x))[0], c.high) << dtype;
      EXPECT_GT(reals(max(x))[0] - reals(min(x))[0], 0.05) << dtype << c.low;
    }
  }
  // Bounds of both kinds in one array.
  array low({6.0f, -1.0f}), high({7.0f, 1.0f});
  array both = random::truncated_normal(low, high, {20000, 2}, float32, random::key(8));
  std::vector<double> means = reals(mean(both, 0));
  EXPECT_NEAR(means[0], 6.158, 0.01);
  EXPECT_NEAR(means[1], 0, 0.02);
  EXPECT_EQ(reals(random::truncated_normal(array(5.0f), array(5.0f), {1}, float32, fixed()))[0], 5);
}

}  // namespace
}  // namespace lazuli
