// Sorting, partitions and extremes of rows of every length, against the reference backend.
#include <gtest/gtest.h>

#include <algorithm>

#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::agrees;
using testing::filled;

TEST(Order, RowsOfEveryLengthAreSortedStably) {
  for (int64_t length : {1, 2, 3, 33, 511, 1000, 4096, 4097, 9000}) {
    for (Dtype dtype : {int8, float16, float32, int64}) {
      // Few different values: many are equal.
      array x = filled({3, length}, dtype, -9, 9, static_cast<uint64_t>(length));
      EXPECT_TRUE(agrees({sort(x, 1), argsort(x, 1)})) << dtype << length;
    }
  }
}

TEST(Order, LongRowsAreSortedInEveryDtype) {
  for (Dtype dtype : testing::all_dtypes()) {
    array x = filled({2, 5000}, dtype, -200, 200, 3);
    EXPECT_TRUE(agrees({sort(x, 1), argsort(x, 1)})) << dtype;
  }
}

TEST(Order, NotANumberIsLast) {
  for (int64_t length : {7, 5000}) {
    for (Dtype dtype : {float16, bfloat16, float32, float64, complex64}) {
      array x = filled({length}, dtype, -1, 1, 4);
      array some = less(filled({length}, float32, 0, 1, 5), array(0.2f));
      array others = less(filled({length}, float32, 0, 1, 6), array(0.2f));
      x = where(some, astype(array(NAN), dtype), where(others, astype(array(-INFINITY), dtype), x));
      x = where(less(filled({length}, float32, 0, 1, 7), array(0.1f)), negative(x), x);
      x.eval();
      EXPECT_TRUE(agrees({sort(x), argsort(x), argmax(x), argmin(x), max(x), min(x)}))
          << dtype << length;
    }
  }
}

TEST(Order, ZerosOfBothSignsAreEqual) {
  std::vector<float> values;
  for (int i = 0; i < 5000; ++i) values.push_back(i % 3 == 0 ? -0.0f : i % 3 == 1 ? 0.0f : 1.0f);
  for (int64_t length : {60, 5000}) {
    array x(values.data(), {length}, float32);
    EXPECT_TRUE(agrees({argsort(x), argmin(x)})) << length;
  }
}

// Whether each row is the same elements as that of x, and parted at k.
void expect_parted(const array& x, int k, const array& parted, const array& order) {
  EXPECT_TRUE(array_equal(sort(parted, -1), sort(x, -1)).item<bool>());
  EXPECT_TRUE(array_equal(sort(order, -1), sort(argsort(x, -1), -1)).item<bool>());
  EXPECT_TRUE(array_equal(take_along_axis(x, order, -1), parted).item<bool>() ||
              array_equal(sort(take_along_axis(x, order, -1), -1), sort(x, -1)).item<bool>());
  int64_t length = x.shape(-1), rows = x.shape(0);
  array kth = slice(sort(x, -1), {0, k}, {rows, k + 1});
  for (const array& a : {parted, take_along_axis(x, order, -1)}) {
    EXPECT_TRUE(array_equal(slice(a, {0, k}, {rows, k + 1}), kth).item<bool>());
    EXPECT_TRUE(all(less_equal(slice(a, {0, 0}, {rows, k}), kth)).item<bool>());
    EXPECT_TRUE(all(greater_equal(slice(a, {0, k}, {rows, length}), kth)).item<bool>());
  }
}

TEST(Order, PartitionsPutTheKthInItsPlace) {
  for (Dtype dtype : {uint8, int64, float16, float32, complex64}) {
    for (int64_t length : {100, 7000}) {
      array x = filled({3, length}, dtype, -100, 100, 8);
      for (int k : {0, 1, 50, static_cast<int>(length) - 1}) {
        expect_parted(x, k, partition(x, k, 1), argpartition(x, k, 1));
      }
    }
  }
}

TEST(Order, TheGreatestOfALongRow) {
  array x = filled({60000}, float32, -1, 1, 9);
  array top = sort(topk(x, 40)), all_sorted = slice(sort(x), {60000 - 40}, {60000});
  EXPECT_TRUE(array_equal(top, all_sorted).item<bool>());
}

TEST(Order, ExtremesAlongEveryAxis) {
  for (Dtype dtype : testing::all_dtypes()) {
    array x = filled({4, 37, 6}, dtype, -3, 3, 10);
    EXPECT_TRUE(agrees({argmax(x, 0), argmax(x, 1), argmin(x, 2), argmin(x, 1)})) << dtype;
  }
  for (int64_t length : {1, 15, 16, 1000, 70001}) {
    array x = filled({3, length}, float32, -1, 1, 11), h = filled({length}, bfloat16, -9, 9, 12);
    array c = filled({length, 3}, float16, -9, 9, 13);
    EXPECT_TRUE(agrees({argmax(x, 1), argmin(x, 1), argmax(h), argmin(h), argmax(c, 0)})) << length;
  }
}

}  // namespace
}  // namespace lazuli
