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
    case Accepts::Integral: return whole;
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
    array x = testing::laid_out({5, 67}, row.accepts == Accepts::Integral ? int32 : float32,
                                row.low, row.high, 2, layout);
    EXPECT_TRUE(testing::agrees({unary(row.op, x, {})}, slack_of(row, float32))) << name_of(layout);
  }
}

TEST_P(UnaryRow, TreatsSpecialValuesAsTheReferenceDoes) {
  const Row& row = GetParam();
  if (row.accepts == Accepts::Integral || row.accepts == Accepts::Complex) return;
  float inf = HUGE_VALF;
  array x(
      {NAN, inf, -inf, 0.0f, -0.0f, 1e-30f, -1e-30f, 1e30f, -1e30f, 1.0f, -1.0f, 100.0f, -100.0f});
  // Beyond the range where a row is promised to the last digits, a looser bound shows blunders.
  EXPECT_TRUE(testing::agrees({unary(row.op, x, {})}, 20));
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
  Dtype dtype = row.accepts == Accepts::Integral ? int32 : float32;
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
      if (row.accepts == Accepts::Integral && (issubdtype(a, inexact) || issubdtype(b, inexact)))
        continue;
      array x = testing::filled({19}, a, row.low, row.high, 7);
      array y = testing::filled({19}, b, row.y_low, row.y_high, 8);
      array z = binary(row.op, x, y, {});
      if (row.result == Result::Same && row.accepts == Accepts::Number) {
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

}  // namespace
}  // namespace lazuli
