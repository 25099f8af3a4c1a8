// The half types against arithmetic on their definition: every one of the 65,536 patterns of each.
#include "lazuli/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace lazuli {
namespace {

// The value of a sign | exponent | fraction pattern, by the formula of IEEE 754, in double.
double value_of(uint32_t pattern, int exponent_bits, int fraction_bits) {
  int bias = (1 << (exponent_bits - 1)) - 1;
  uint32_t fraction = pattern & ((1u << fraction_bits) - 1);
  int exponent = static_cast<int>((pattern >> fraction_bits) & ((1u << exponent_bits) - 1));
  double sign = (pattern >> (exponent_bits + fraction_bits)) != 0 ? -1.0 : 1.0;
  if (exponent == (1 << exponent_bits) - 1) {
    if (fraction != 0) return std::numeric_limits<double>::quiet_NaN();
    return sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fraction_bits);
  return sign * std::ldexp(fraction + (1u << fraction_bits), exponent - bias - fraction_bits);
}

struct Float16Format {
  using Type = float16_t;
  static constexpr int exponent_bits = 5;
  static constexpr int fraction_bits = 10;
};

struct Bfloat16Format {
  using Type = bfloat16_t;
  static constexpr int exponent_bits = 8;
  static constexpr int fraction_bits = 7;
};

template <class Format>
class HalfTest : public testing::Test {
 protected:
  using Type = typename Format::Type;

  static Type from_bits(uint32_t pattern) {
    Type half;
    half.bits = static_cast<uint16_t>(pattern);
    return half;
  }
  static double value(uint32_t pattern) {
    return value_of(pattern, Format::exponent_bits, Format::fraction_bits);
  }
  static constexpr uint32_t infinity = ((1u << Format::exponent_bits) - 1) << Format::fraction_bits;
};

using Formats = testing::Types<Float16Format, Bfloat16Format>;
TYPED_TEST_SUITE(HalfTest, Formats);

TYPED_TEST(HalfTest, EveryPatternHasTheValueOfItsDefinition) {
  for (uint32_t pattern = 0; pattern < 0x10000u; ++pattern) {
    double expected = this->value(pattern);
    float actual = this->from_bits(pattern);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(actual)) << std::hex << pattern;
    } else {
      ASSERT_EQ(actual, expected) << std::hex << pattern;
      ASSERT_EQ(std::signbit(actual), std::signbit(expected)) << std::hex << pattern;
    }
  }
}

TYPED_TEST(HalfTest, EveryPatternComesBackFromFloat) {
  using Type = typename TypeParam::Type;
  for (uint32_t pattern = 0; pattern < 0x10000u; ++pattern) {
    float wide = this->from_bits(pattern);
    Type back(wide);
    if (std::isnan(wide)) {
      ASSERT_TRUE(std::isnan(static_cast<float>(back))) << std::hex << pattern;
    } else {
      ASSERT_EQ(back.bits, pattern) << std::hex << pattern;
    }
  }
}

// Between neighbours the middle goes to the even pattern, and the floats beside the middle to the
// nearer neighbour. The middle of the largest finite value and 2^emax+1 rounds to infinity.
TYPED_TEST(HalfTest, RoundsToNearestTiesToEven) {
  using Type = typename TypeParam::Type;
  for (uint32_t pattern = 0; pattern < this->infinity; ++pattern) {
    double low = this->value(pattern);
    double high = this->value(pattern + 1);
    if (std::isinf(high)) high = low + (low - this->value(pattern - 1));
    auto middle = static_cast<float>((low + high) / 2);
    uint32_t even = pattern % 2 == 0 ? pattern : pattern + 1;
    ASSERT_EQ(Type(middle).bits, even) << std::hex << pattern;
    ASSERT_EQ(Type(std::nextafter(middle, 0.0f)).bits, pattern) << std::hex << pattern;
    ASSERT_EQ(Type(std::nextafter(middle, INFINITY)).bits, pattern + 1) << std::hex << pattern;
    ASSERT_EQ(Type(-middle).bits, even | 0x8000u) << std::hex << pattern;
  }
}

TYPED_TEST(HalfTest, LargeFloatsBecomeInfinityAndSmallOnesZero) {
  using Type = typename TypeParam::Type;
  EXPECT_EQ(Type(std::numeric_limits<float>::max()).bits, this->infinity);
  EXPECT_EQ(Type(-std::numeric_limits<float>::infinity()).bits, this->infinity | 0x8000u);
  EXPECT_EQ(Type(std::numeric_limits<float>::denorm_min()).bits, 0u);
  EXPECT_EQ(Type(-0.0f).bits, 0x8000u);
}

TYPED_TEST(HalfTest, NanStaysNanWhateverItsPayload) {
  using Type = typename TypeParam::Type;
  for (uint32_t pattern : {0x7f800001u, 0x7fc00000u, 0x7fffffffu, 0xff800001u, 0xffffffffu}) {
    Type half(std::bit_cast<float>(pattern));
    EXPECT_TRUE(std::isnan(static_cast<float>(half))) << std::hex << pattern;
    EXPECT_EQ(half.bits >> 15, pattern >> 31) << std::hex << pattern;
  }
}

}  // namespace
}  // namespace lazuli
