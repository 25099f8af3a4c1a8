// Every row of the elementwise tables, in every dtype and layout, against the reference backend.
#include <gtest/gtest.h>

#include <cmath>

#include "ops/elementwise.h"
#include "ops/rows.h"
#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::Laid;
using testing::Row;

// Sizes around the block of the fused programs, and none at all.
const std::vector<Shape> shapes = {{},    {1},    {0},    {7},       {127},    {128},
                                   {129}, {1000}, {3, 5}, {2, 0, 3}, {33, 65}, {4, 3, 130}};

bool takes(const Row& row, Dtype dtype) {
  bool complex = dtype == complex64, whole = !issubdtype(dtype, inexact);
  switch (row.accepts) {
    case Accepts::Ordered:
    case Accepts::Float: return !complex;
    case Accepts::Integral:
    case Accepts::Whole: return whole;
    case Accepts::Signed: return dtype != bool_;
    default: return true;
  }
}

// Complex branch cuts, and formulas with cancellation, get more room.
double slack_of(const Row& row, Dtype dtype) {
  if (dtype == complex64) return 20;
  if (row.op == Op::erfinv || row.op == Op::power || row.op == Op::tan) return 8;
  return 2;
}

class UnaryRow : public ::testing::TestWithParam<Row> {};
class BinaryRow : public ::testing::TestWithParam<Row> {};

TEST_P(UnaryRow, AgreesInEveryDtypeAndShape) {
  const Row& row = GetParam();
  for (Dtype dtype : testing::all_dtypes()) {
    if (!takes(row, dtype)) {
      EXPECT_THROW(unary(row.op, array(1, dtype), {}), TypeError) << dtype;
      continue;
    }
    for (const Shape& shape : shapes) {
      array x = testing::filled(shape, dtype, row.low, row.high, 1);
      EXPECT_TRUE(testing::agrees({unary(row.op, x, {})}, slack_of(row, dtype))) << dtype << shape;
    }
  }
}

TEST_P(UnaryRow, AgreesInEveryLayout) {
  const Row& row = GetParam();
  for (Laid layout : testing::all_layouts) {
    array x = testing::laid_out({5, 67}, is_integral(row.accepts) ? int32 : float32, row.low,
                                row.high, 2, layout);
    EXPECT_TRUE(testing::agrees({unary(row.op, x, {})}, slack_of(row, float32))) << name_of(layout);
  }
}

// Beyond the range where a row is promised to the last digits, a looser bound shows blunders. What
// complex functions make of infinities and NaN is not fixed.
bool fixed_for_special_values(const Row& row, Dtype dtype) {
  if (dtype != complex64 || row.result == Result::Boolean) return true;
  for (Op op : {Op::add, Op::subtract, Op::negative, Op::conjugate, Op::real, Op::imag, Op::abs,
                Op::maximum, Op::minimum, Op::rint}) {
    if (row.op == op) return true;
  }
  return false;
}

TEST_P(UnaryRow, TreatsSpecialValuesAsTheReferenceDoes) {
  const Row& row = GetParam();
  for (Dtype dtype : testing::all_dtypes()) {
    if (!takes(row, dtype) || !fixed_for_special_values(row, dtype)) continue;
    array x = testing::special_values(dtype);
    EXPECT_TRUE(testing::agrees({unary(row.op, x, {})}, 20)) << dtype;
    // More than a block, the ends of one included.
    array many = flatten(broadcast_to(x, {23, static_cast<int64_t>(x.size())}));
    EXPECT_TRUE(testing::agrees({unary(row.op, many, {})}, 20)) << dtype;
  }
}

TEST_P(BinaryRow, TreatsSpecialValuesAsTheReferenceDoes) {
  const Row& row = GetParam();
  for (Dtype dtype : testing::all_dtypes()) {
    if (!takes(row, dtype) || !fixed_for_special_values(row, dtype)) continue;
    array x = testing::special_values(dtype), y = expand_dims(x, 1);
    EXPECT_TRUE(testing::agrees({binary(row.op, x, y, {})}, 20)) << dtype;
    EXPECT_TRUE(testing::agrees({binary(row.op, x, x, {})}, 20)) << dtype;
  }
}

TEST_P(BinaryRow, AgreesInEveryDtypeAndShape) {
  const Row& row = GetParam();
  for (Dtype dtype : testing::all_dtypes()) {
    if (!takes(row, dtype)) {
      EXPECT_THROW(binary(row.op, array(1, dtype), array(1, dtype), {}), TypeError) << dtype;
      continue;
    }
    for (const Shape& shape : shapes) {
      array x = testing::filled(shape, dtype, row.low, row.high, 3);
      array y = testing::filled(shape, dtype, row.y_low, row.y_high, 4);
      EXPECT_TRUE(testing::agrees({binary(row.op, x, y, {})}, slack_of(row, dtype)))
          << dtype << shape;
    }
  }
}

TEST_P(BinaryRow, BroadcastsInEveryLayout) {
  const Row& row = GetParam();
  Dtype dtype = is_integral(row.accepts) ? int32 : float32;
  const std::vector<std::pair<Shape, Shape>> pairs = {
      {{5, 67}, {5, 67}}, {{5, 67}, {67}},     {{5, 67}, {5, 1}}, {{5, 1}, {1, 67}},
      {{}, {5, 67}},      {{4, 1, 9}, {3, 1}}, {{2, 0}, {1}}};
  for (const auto& [a, b] : pairs) {
    for (Laid layout : testing::all_layouts) {
      array x = testing::laid_out(a, dtype, row.low, row.high, 5, layout);
      array y = testing::laid_out(b, dtype, row.y_low, row.y_high, 6, layout);
      EXPECT_TRUE(testing::agrees({binary(row.op, x, y, {})}, slack_of(row, dtype)))
          << name_of(layout) << a << b;
    }
  }
}

TEST_P(BinaryRow, PromotesItsOperands) {
  const Row& row = GetParam();
  for (Dtype a : {uint8, int32, float16}) {
    for (Dtype b : {int8, bfloat16, float32}) {
      if (is_integral(row.accepts) && (issubdtype(a, inexact) || issubdtype(b, inexact))) continue;
      array x = testing::filled({19}, a, row.low, row.high, 7);
      array y = testing::filled({19}, b, row.y_low, row.y_high, 8);
      array z = binary(row.op, x, y, {});
      if (keeps_dtype(row.result) && row.accepts == Accepts::Number) {
        EXPECT_EQ(z.dtype(), promote_types(a, b));
      }
      EXPECT_TRUE(testing::agrees({z}, slack_of(row, float32))) << a << b;
    }
  }
}

std::string row_name(const ::testing::TestParamInfo<Row>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Table, UnaryRow, ::testing::ValuesIn(testing::unary_rows()), row_name);
INSTANTIATE_TEST_SUITE_P(Table, BinaryRow, ::testing::ValuesIn(testing::binary_rows()), row_name);

TEST(Astype, ConvertsBetweenAllDtypes) {
  for (Dtype from : testing::all_dtypes()) {
    for (Dtype to : testing::all_dtypes()) {
      double low = issubdtype(to, unsignedinteger) ? 0 : -4;
      array x = testing::filled({201}, from, low, 100, 9);
      EXPECT_TRUE(testing::agrees({astype(x, to)})) << from << " to " << to;
    }
  }
}

TEST(Select, ChoosesInEveryDtypeAndBroadcasts) {
  for (Dtype dtype : testing::all_dtypes()) {
    array c = testing::filled({3, 1}, bool_, 0, 1, 10);
    array x = testing::filled({130}, dtype, 0, 9, 11),
          y = testing::filled({3, 130}, dtype, 0, 9, 12);
    EXPECT_TRUE(testing::agrees({where(c, x, y)})) << dtype;
    EXPECT_TRUE(testing::agrees({where(greater(y, array(4, dtype)), x, y)})) << dtype;
  }
}

using testing::is_exactly;
const double inf = HUGE_VAL, nan = NAN;

TEST(Comparisons, OfNanHoldForNotEqualAlone) {
  for (Dtype dtype : {float16, bfloat16, float32, float64, complex64}) {
    for (int64_t size : {1, 15, 128, 1000}) {
      array x = astype(full({size}, nan, float32), dtype), one = full({size}, 1.0f, float32);
      auto count = [&](const array& c) { return sum(astype(c, int32)).item<int>(); };
      EXPECT_EQ(count(x != x), size) << dtype;
      EXPECT_EQ(count(one != x), size) << dtype;
      for (const array& c : {x == x, x<x, x <= x, x> x, x >= x}) EXPECT_EQ(count(c), 0) << dtype;
      EXPECT_EQ(count_nonzero(x).item<int>(), size) << dtype;
      EXPECT_EQ(count(logical_and(x, one)), size) << dtype;
      EXPECT_EQ(count(logical_or(x, zeros({size}))), size) << dtype;
      EXPECT_EQ(count(logical_xor(x, one)), 0) << dtype;
      EXPECT_EQ(count(logical_not(x)), 0) << dtype;
      EXPECT_EQ(count(astype(x, bool_)), size) << dtype;
      EXPECT_TRUE(all(x).item<bool>() && any(x).item<bool>()) << dtype;
      EXPECT_EQ(count(where(x != x, one, zeros({size})) == one), size) << dtype;
    }
  }
}

TEST(Comparisons, OfInt64AndUint64AreExact) {
  array x(std::initializer_list<int>{-1, 0, 5, 7}, int64), y({0, 0, 7, 5}, uint64);
  EXPECT_TRUE(is_exactly(x < y, {1, 0, 1, 0}));
  EXPECT_TRUE(is_exactly(x >= y, {0, 1, 0, 1}));
  EXPECT_TRUE(is_exactly(y > x, {1, 0, 1, 0}));
  EXPECT_TRUE(is_exactly(y <= x, {0, 1, 0, 1}));
  EXPECT_TRUE(is_exactly(x == y, {0, 1, 0, 0}));
  EXPECT_TRUE(is_exactly(y != x, {1, 0, 1, 1}));
  int64_t large = int64_t{1} << 60;
  EXPECT_FALSE((array(large, int64) == array(large + 1, uint64)).item<bool>());
  EXPECT_TRUE((array(large, int64) < array(large + 1, uint64)).item<bool>());
}

TEST(Division, RoundsDownAsPythonDoes) {
  for (Dtype dtype : {float16, bfloat16, float32, float64}) {
    array x = astype(array({(float)inf, 1.0f, 5.5f, -7.0f, 7.0f, -1.0f, 0.0f, 1.0f, NAN}), dtype);
    array y =
        astype(array({3.0f, -HUGE_VALF, 0.5f, 2.0f, -2.0f, HUGE_VALF, -3.0f, 0.0f, 1.0f}), dtype);
    std::vector<array> both = divmod(x, y);
    EXPECT_TRUE(is_exactly(both[0], {nan, -1, 11, -4, -4, -1, 0, inf, nan})) << dtype;
    EXPECT_TRUE(is_exactly(both[1], {nan, -inf, 0, 1, -1, inf, 0, nan, nan})) << dtype;
  }
  // The quotient rounds to 55.
  EXPECT_TRUE(is_exactly(floor_divide(array(5.5f), array(0.1f)), {54}));
  EXPECT_TRUE(is_exactly(floor_divide(array(5.5, float64), array(0.1, float64)), {54}));
  for (Dtype dtype : {float32, float64}) {
    array x = testing::filled({4000}, dtype, -1e3, 1e3, 1),
          y = testing::filled({4000}, dtype, -9, 9, 2);
    y = divide(rint(y * 10.0f), array(10, dtype));
    y = where(y == array(0, dtype), array(1, dtype), y);
    EXPECT_TRUE(testing::agrees({floor_divide(x, y), remainder(x, y)}));
    EXPECT_TRUE(allclose(floor_divide(x, y) * y + remainder(x, y), x, 1e-5, 1e-4).item<bool>());
  }
}

TEST(Division, OfIntegersByZeroLeavesTheDividend) {
  EXPECT_TRUE(is_exactly(remainder(array({5, -5, 0}), array({0, 0, 0})), {5, -5, 0}));
  EXPECT_TRUE(is_exactly(floor_divide(array({5, -5, 0}), array({0, 0, 0})), {0, 0, 0}));
  EXPECT_TRUE(is_exactly(remainder(array(5, uint8), array(0, uint8)), {5}));
  EXPECT_TRUE(is_exactly(remainder(array(true), array(false)), {1}));
}

TEST(Shifts, TakeTheCountModuloTheWidthAndBooleansAsUint8) {
  EXPECT_TRUE(is_exactly(left_shift(full({40}, 1), full({40}, 40)), std::vector<double>(40, 256)));
  EXPECT_TRUE(is_exactly(right_shift(array(-1000), array(40)), {-4}));
  EXPECT_TRUE(is_exactly(left_shift(array(1, int64), array(70, int64)), {64}));
  EXPECT_TRUE(is_exactly(left_shift(array({1, 1}, uint8), array({9, 33}, uint8)), {0, 2}));
  EXPECT_TRUE(is_exactly(right_shift(array(-100, int16), array(33, int16)), {-50}));
  array shifted = left_shift(array(true), array(true));
  EXPECT_EQ(shifted.dtype(), uint8);
  EXPECT_TRUE(is_exactly(shifted, {2}));
}

TEST(Negative, RefusesBooleans) { EXPECT_THROW(-array(true), TypeError); }

TEST(Infinities, OfComplexNumbersHaveNoImaginaryPart) {
  float i = HUGE_VALF;
  std::vector<complex64_t> z = {{i, 0}, {i, -i}, {-i, 0}, {-i, i}, {1, i}, {NAN, i}};
  array x(z.begin(), {6}, complex64);
  EXPECT_TRUE(is_exactly(isposinf(x), {1, 0, 0, 0, 0, 0}));
  EXPECT_TRUE(is_exactly(isneginf(x), {0, 0, 1, 0, 0, 0}));
}

TEST(Power, OfComplexZero) {
  std::vector<complex64_t> exponents = {{0, 0}, {2, 0}, {-1, 0}};
  array z = power(zeros({3}, complex64), array(exponents.begin(), {3}, complex64));
  EXPECT_TRUE(is_exactly(real(z), {1, 0, nan}));
  EXPECT_TRUE(is_exactly(imag(z), {0, 0, nan}));
}

TEST(Round, KeepsEveryDigitOfIntegers) {
  EXPECT_TRUE(is_exactly(round(array({123456789, -123456789, 15, 25, -15, -25}), -1),
                         {123456790, -123456790, 20, 20, -20, -20}));
  EXPECT_TRUE(is_exactly(round(array({127, 50, 49, -128}, int8), -2), {100, 0, 0, -100}));
  EXPECT_TRUE(is_exactly(round(array({127, 200}, uint8), -3), {0, 0}));
  EXPECT_TRUE(is_exactly(round(array(true), -1), {0}));
  EXPECT_TRUE(is_exactly(round(array(7), 3), {7}));
}

TEST(Round, OfDecimalsBeyondTheDtype) {
  EXPECT_TRUE(is_exactly(round(array({1.5f, -2.25f}), 40), {1.5, -2.25}));
  EXPECT_TRUE(is_exactly(round(array(1e30f), 20), {static_cast<double>(1e30f)}));
  EXPECT_TRUE(is_exactly(round(array(1e30f), -40), {0}));
  EXPECT_TRUE(is_exactly(round(array(1.5f, float16), 6), {1.5}));
  EXPECT_TRUE(is_exactly(round(array(1.5, float64), 320), {1.5}));
  EXPECT_TRUE(is_exactly(round(array({15, 25}), std::numeric_limits<int>::min()), {0, 0}));
  EXPECT_TRUE(is_exactly(round(array(1.5f), std::numeric_limits<int>::min()), {0}));
  EXPECT_TRUE(is_exactly(round(array({1.25f, 1234.5f}), 1), {static_cast<double>(1.2f), 1234.5}));
}

TEST(Clip, PromotesToItsBounds) {
  array x = clip(array({0, 1, 2, 3}), array(0.5f), array(2.5f));
  EXPECT_EQ(x.dtype(), float32);
  EXPECT_TRUE(is_exactly(x, {0.5, 1, 2, 2.5}));
  EXPECT_EQ(clip(array({0, 1}, uint8), array(1), std::nullopt).dtype(), int32);
}

TEST(NanToNum, KeepsDoublesAndTakesComplexNumbers) {
  array x = astype(array({NAN, HUGE_VALF, -HUGE_VALF, 2.0f}), float64);
  EXPECT_TRUE(is_exactly(nan_to_num(x, 0.1, 1e300, -1e300), {0.1, 1e300, -1e300, 2}));
  array z = nan_to_num(array(complex64_t(NAN, HUGE_VALF), complex64), 3.0);
  EXPECT_TRUE(is_exactly(real(z), {3}));
  EXPECT_TRUE(is_exactly(imag(z), {static_cast<double>(std::numeric_limits<float>::max())}));
}

// Truncated, stopped at the ends of the range, 0 for NaN, on every device and dtype alike.
TEST(Astype, OfFloatsBeyondTheRangeStopsAtItsEnds) {
  std::vector<double> wide = {inf, -inf, nan, 1e20, -1e20, 3e9, -3e9, 300.7, -300.7, -0.5, 1.5};
  for (Dtype from : {float32, float64, float16, bfloat16, complex64}) {
    array x = astype(array(wide.begin(), {11}, float64), from);
    for (int64_t copies : {1, 40}) {
      array many = flatten(broadcast_to(x, {copies, 11}));
      for (Dtype to : {int8, int16, int32, int64, uint8, uint16, uint32, uint64}) {
        EXPECT_TRUE(testing::agrees({astype(many, to)})) << from << to;
      }
    }
  }
  array x = array(wide.begin(), {11}, float32);
  EXPECT_TRUE(is_exactly(astype(x, int8), {127, -128, 0, 127, -128, 127, -128, 127, -128, 0, 1}));
  EXPECT_TRUE(is_exactly(astype(x, uint8), {255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 1}));
  EXPECT_EQ(astype(array(HUGE_VALF), int64).item<int64_t>(), INT64_MAX);
  EXPECT_EQ(astype(array(-HUGE_VALF), int32).item<int>(), INT32_MIN);
  EXPECT_EQ(astype(array(1e30f), uint64).item<uint64_t>(), UINT64_MAX);
}

}  // namespace
}  // namespace lazuli
