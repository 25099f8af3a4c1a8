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
                   {0.612304688, 1.12304688, -0.854003906, -0.8125, -0.890136719}, 2e-3));
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

}  // namespace
}  // namespace lazuli
