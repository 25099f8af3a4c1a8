// Reductions over axes in every place, of every length, against the reference backend.
#include <gtest/gtest.h>

#include <cmath>

#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::agrees;
using testing::filled;

double slack_of(Dtype dtype) { return dtype == float16 || dtype == bfloat16 ? 4 : 100; }

TEST(Reduce, AxesOfEveryLayout) {
  const std::vector<std::vector<int>> axes = {{0}, {1}, {2}, {0, 2}, {0, 1}, {1, 2}};
  for (Dtype dtype : {uint8, int32, float16, float32, complex64}) {
    for (testing::Laid layout : testing::all_layouts) {
      array x = testing::laid_out({6, 24, 40}, dtype, 0, 3, 1, layout);
      for (const auto& a : axes) {
        EXPECT_TRUE(agrees({sum(x, a), max(x, a), min(x, a)}, slack_of(dtype)))
            << dtype << testing::name_of(layout) << a[0] << a.size();
      }
    }
  }
}

TEST(Reduce, ColumnsOfEveryLengthAndWidth) {
  for (int64_t length : {1, 2, 7, 64, 1000, 20000}) {
    for (int64_t width : {1, 3, 16, 50}) {
      if (length * width > 200000) continue;
      for (Dtype dtype : {float32, bfloat16, int16}) {
        array x = filled({length, width}, dtype, 0, 3, 2);
        EXPECT_TRUE(agrees({sum(x, 0), max(x, 0)}, slack_of(dtype) * 4))
            << dtype << length << "x" << width;
      }
    }
  }
}

TEST(Reduce, ManyAxesAtOnce) {
  array x = filled({3, 4, 5, 6, 7, 2}, float32, -1, 1, 3);
  EXPECT_TRUE(agrees({sum(x, {0, 2, 4}), max(x, {1, 3, 5}), sum(transpose(x), {0, 2, 4}),
                      min(transpose(x, {2, 0, 4, 1, 5, 3}), {0, 1, 3})},
                     100));
}

TEST(Reduce, LongColumnsAreAccurate) {
  array x = full({1 << 19, 8}, 0.1f);
  array total = sum(add(x, array(0.0f)), 0);
  for (auto z : testing::values_of(total)) EXPECT_NEAR(z.real(), 0.1f * (1 << 19), 0.05);
  array h = full({1 << 16, 4}, 1.0f, bfloat16);
  for (auto z : testing::values_of(sum(copy(h), 0))) EXPECT_EQ(z.real(), 1 << 16);
}

TEST(Reduce, NotANumberWins) {
  array x = filled({300, 5}, float32, -1, 1, 4);
  x = slice_update(x, full({1, 3}, NAN), {17, 1}, {18, 4});
  x.eval();
  for (Dtype dtype : {float32, float16, float64, complex64}) {
    array y = astype(x, dtype);
    y.eval();
    EXPECT_TRUE(agrees({max(y, 0), min(y, 0), sum(y, 0), max(y, 1), max(y)}, 100)) << dtype;
  }
}

TEST(Reduce, AllAndAnyOfManyBooleans) {
  for (int64_t length : {3, 100, 40000}) {
    array x = less(filled({length, 7}, float32, 0, 1, 5), array(1.0f / static_cast<float>(length)));
    x.eval();
    EXPECT_TRUE(agrees({any(x, 0), all(x, 0), any(x, 1), all(logical_not(x), 0), any(x)}))
        << length;
  }
}

using testing::is_exactly;

TEST(Moments, MeanOfOnesIsOne) {
  for (Dtype dtype : {float32, float16, bfloat16, int32, int64}) {
    for (int n : {1, 3, 41, 47, 55, 61, 82, 1000}) {
      EXPECT_TRUE(is_exactly(mean(ones({n}, dtype)), {1})) << dtype << n;
    }
  }
}

TEST(Moments, VarianceOfTooFewValuesIsNotFinite) {
  array two({1.0f, 2.0f}), one({5.0f});
  for (int ddof : {2, 3, 9}) {
    EXPECT_TRUE(is_exactly(var(two, false, ddof), {HUGE_VAL})) << ddof;
    EXPECT_TRUE(is_exactly(std(two, false, ddof), {HUGE_VAL})) << ddof;
    EXPECT_TRUE(is_exactly(var(one, false, ddof), {NAN})) << ddof;
  }
  EXPECT_TRUE(is_exactly(var(array({1, 2}), false, 3), {HUGE_VAL}));
}

TEST(Moments, OfWideIntegersStayFinite) {
  int64_t large = INT64_MAX;
  std::vector<int64_t> ends(100, large);
  for (size_t i = 0; i < ends.size(); i += 2) ends[i] = -large;
  array x = std(array(ends.begin(), {100}, int64), false);
  EXPECT_EQ(x.dtype(), float32);
  EXPECT_NEAR(x.item<float>() / 9.223372e18f, 1, 1e-6);
}

TEST(Isclose, OfIntegersDoesNotWrap) {
  for (Dtype dtype : {uint8, uint16, uint32, uint64, int8, bool_}) {
    array x(0, dtype), y(1, dtype);
    EXPECT_TRUE(isclose(x, y, 0, 1.5).item<bool>()) << dtype;
    EXPECT_TRUE(isclose(y, x, 0, 1.5).item<bool>()) << dtype;
    EXPECT_FALSE(isclose(x, y, 0, 0.5).item<bool>()) << dtype;
  }
  array low(INT64_MIN, int64), high(INT64_MAX, int64);
  EXPECT_FALSE(isclose(low, high, 0, 10).item<bool>());
  EXPECT_FALSE(isclose(array(1.0, float64), array(1.0 + 1e-9, float64), 0, 1e-10).item<bool>());
}

TEST(Cumulative, SumsOfSmallIntegersWidenAsSumsDo) {
  array x = cumsum(array({100, 100, 100}, int8), 0);
  EXPECT_EQ(x.dtype(), int32);
  EXPECT_TRUE(is_exactly(x, {100, 200, 300}));
  array y = cumprod(array({100, 100, 100}, uint8), 0);
  EXPECT_EQ(y.dtype(), uint32);
  EXPECT_TRUE(is_exactly(y, {100, 10000, 1000000}));
  EXPECT_EQ(cummax(array({1, 2}, int8), 0).dtype(), int8);
}

TEST(Softmax, OverSeveralAxes) {
  array x = filled({3, 4, 5}, float32, -2, 2, 9);
  for (const std::vector<int>& axes : {std::vector<int>{0, 1}, {1, 2}, {0, 2}, {0, 1, 2}}) {
    array e = exp(x), wanted = e / sum(e, axes, true);
    EXPECT_TRUE(allclose(softmax(x, axes), wanted, 1e-5, 1e-7).item<bool>()) << axes.size();
    EXPECT_TRUE(agrees({softmax(x, axes)}));
  }
  EXPECT_NEAR(sum(softmax(reshape(arange(4), {2, 2}), {0, 1})).item<float>(), 1, 1e-6);
  EXPECT_THROW(softmax(array(1.0f), -1), ArgumentError);
  EXPECT_TRUE(is_exactly(softmax(array(1.0f)), {1}));
}

}  // namespace
}  // namespace lazuli
