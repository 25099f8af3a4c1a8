// Cumulative ops along short and long lines, against the reference backend.
#include <gtest/gtest.h>

#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::agrees;
using testing::filled;

TEST(Cumulative, EveryDtypeAndDirection) {
  for (Dtype dtype : testing::all_dtypes()) {
    array x = filled({3, 70, 5}, dtype, 0, 3, 1);
    for (bool reverse : {false, true}) {
      for (int axis : {0, 1, 2}) {
        EXPECT_TRUE(agrees({cumsum(x, axis, reverse), cumsum(x, axis, reverse, false),
                            cummax(x, axis, reverse), cummin(x, axis, reverse)},
                           100))
            << dtype << axis << reverse;
      }
    }
    array small = filled({2, 6, 3}, dtype, 1, 2, 2);
    EXPECT_TRUE(agrees({cumprod(small, 1), cumprod(small, 2, true, false)}, 20)) << dtype;
  }
}

TEST(Cumulative, RowsOfEveryLength) {
  for (int64_t length : {1, 31, 32, 512, 513, 1000, 1024, 4096, 8192, 8200, 20000, 40001}) {
    array x = filled({3, length}, float32, -1, 1, 3), h = filled({2, length}, float16, 0, 0.01, 4);
    array k = filled({2, length}, int64, -9, 9, 5);
    double slack = 100 + static_cast<double>(length) / 10;
    EXPECT_TRUE(agrees({cumsum(x, 1), cumsum(x, 1, true, false), cummax(x, 1, true)}, slack))
        << length;
    EXPECT_TRUE(agrees({cumsum(h, 1)}, 4)) << length;
    EXPECT_TRUE(agrees({cumsum(k, 1, true), cummin(k, 1), cumprod(k, 1)})) << length;
  }
}

TEST(Cumulative, OneVeryLongRow) {
  // Whole numbers: every sum is exact.
  array x = filled({1200003}, float32, 0, 1, 6);
  x = floor(multiply(x, array(3.0f)));
  x.eval();
  EXPECT_TRUE(agrees({cumsum(x, 0), cumsum(x, 0, true, false)}));
}

TEST(Cumulative, FewLongColumns) {
  for (int64_t columns : {1, 3, 40}) {
    array x = filled({9000, columns}, int32, -9, 9, 7),
          h = filled({2, 700, columns}, bfloat16, 0, 1, 8);
    EXPECT_TRUE(agrees({cumsum(x, 0), cumsum(x, 0, true, false), cummax(x, 0)})) << columns;
    EXPECT_TRUE(agrees({cumsum(h, 1)}, 2)) << columns;
  }
}

TEST(Cumulative, NotANumberStays) {
  array x = array({1.0f, 5.0f, NAN, 7.0f}, float32);
  EXPECT_TRUE(agrees({cummax(x, 0), cummin(x, 0, true), cumsum(x, 0)}));
}

}  // namespace
}  // namespace lazuli
