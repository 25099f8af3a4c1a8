// Gathering, scattering and moving in every layout, against the reference backend.
#include <gtest/gtest.h>

#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::agrees;
using testing::filled;

TEST(Gather, RowsOfEveryWidthAndLayout) {
  array i = array({3, 0, -1, 2, 3, 1});
  for (Dtype dtype : {uint8, float16, float32, complex64}) {
    for (int64_t width : {1, 3, 8, 64, 1000}) {
      array x = filled({4, width}, dtype, 0, 9, 1),
            t = transpose(filled({width, 4}, dtype, 0, 9, 2));
      EXPECT_TRUE(
          agrees({take(x, i, 0), take(t, i, 0), take(x, reshape(i, {2, 1, 3}), 0),
                  take(flip(x, 0), i, 0), take(slice(x, {0, 0}, {4, width}, {1, 1}), i, 0)}))
          << dtype << width;
    }
  }
}

TEST(Gather, SlicesAtSeveralIndices) {
  array x = filled({6, 7, 8}, float32, 0, 9, 3);
  array i = reshape(array({0, 2, 3}), {3, 1}), j = reshape(array({1, 4, 0, 2}), {1, 4});
  EXPECT_TRUE(agrees({gather(x, {i, j}, {0, 2}, {1, 7, 1}), gather(x, {i, j}, {2, 0}, {2, 3, 4}),
                      gather(x, {i}, {1}, {6, 3, 2}), gather(x, {array(2)}, {0}, {1, 7, 8}),
                      gather(transpose(x), {j, i}, {0, 1}, {1, 1, 6})}));
}

TEST(Gather, AlongAnAxis) {
  for (Dtype dtype : {bool_, int16, float32, float64}) {
    array x = filled({3, 9, 5}, dtype, 0, 9, 4), k = filled({3, 40, 5}, int32, -9, 8, 5);
    EXPECT_TRUE(agrees({take_along_axis(x, k, 1), take_along_axis(x, argsort(x, 2), 2)})) << dtype;
  }
}

TEST(Scatter, TheLastOfEqualIndicesReplaces) {
  for (Dtype dtype : {uint8, bfloat16, float32, complex64}) {
    array x = filled({5, 24}, dtype, 0, 9, 6), u = filled({400, 1, 24}, dtype, 0, 9, 7);
    array i = filled({400}, int32, -5, 4, 8);
    array wide = filled({60, 2, 3}, dtype, 0, 9, 9), at = filled({60}, int32, 0, 3, 10);
    array columns = filled({30, 5, 1}, dtype, 0, 9, 11), j = filled({30}, int32, -24, 23, 12);
    EXPECT_TRUE(agrees(
        {scatter(x, {i}, u, {0}), scatter(x, {at}, wide, {0}), scatter(x, {j}, columns, {1})}))
        << dtype;
    array k = filled({5, 90}, int32, -24, 23, 13), v = filled({5, 90}, dtype, 0, 9, 14);
    EXPECT_TRUE(agrees({put_along_axis(x, k, v, 1)})) << dtype;
  }
}

TEST(Scatter, EveryModeAndDtypeWhereManyMeet) {
  for (Dtype dtype : testing::all_dtypes()) {
    array x = filled({5, 7}, dtype, 1, 2, 15), u = filled({12, 1, 7}, dtype, 1, 2, 16);
    array i = filled({12}, int32, -5, 4, 17), k = filled({5, 30}, int32, -7, 6, 18);
    array v = filled({5, 30}, dtype, 0, 2, 19);
    EXPECT_TRUE(agrees(
        {scatter_add(x, {i}, u, {0}), scatter_prod(x, {i}, u, {0}), scatter_max(x, {i}, u, {0}),
         scatter_min(x, {i}, u, {0}), scatter_add_axis(x, k, v, 1)},
        30))
        << dtype;
  }
}

TEST(Scatter, OutOfRangeIsAnErrorAndWritesNothingElse) {
  array x = filled({5, 3}, float32, 0, 1, 20), u = filled({2, 1, 3}, float32, 0, 1, 21);
  EXPECT_THROW(scatter(x, {array({1, 5})}, u, {0}).eval(), IndexError);
  EXPECT_THROW(scatter_add(x, {array({1, -6})}, u, {0}).eval(), IndexError);
  EXPECT_THROW(take_along_axis(x, full({1, 3}, 7, int32), 0).eval(), IndexError);
  EXPECT_TRUE(agrees({add(x, array(1.0f))}));
}

TEST(Concatenate, ManyPartsOfEveryLayout) {
  std::vector<array> parts;
  for (int k = 0; k < 40; ++k) {
    parts.push_back(testing::laid_out({1 + k % 4, 6, 8}, float16, 0, 9, static_cast<uint64_t>(k),
                                      testing::all_layouts[k % 5]));
  }
  EXPECT_TRUE(agrees({concatenate(parts, 0)}));
  array x = filled({2, 3, 4, 5, 6, 2}, int8, 0, 9, 22);
  EXPECT_TRUE(agrees(
      {concatenate({transpose(x, {4, 2, 0, 5, 1, 3}), transpose(x, {4, 2, 0, 5, 1, 3})}, 2)}));
}

// Updates that follow each other may run as one launch, unless one needs the other.
TEST(SliceUpdate, SeveralInTurn) {
  array keys = filled({2, 4, 50, 16}, bfloat16, 0, 9, 26),
        values = filled({2, 4, 50, 16}, bfloat16, 0, 9, 27),
        row = filled({2, 4, 1, 16}, bfloat16, 0, 9, 28);
  auto put = [&](const array& x, const array& update, int at) {
    return slice_update(x, update, {0, 0, at, 0}, {2, 4, at + 1, 16});
  };
  array k = put(keys, row, 17), v = put(values, row + row, 17), again = put(k, row + row, 17);
  array moved = put(v, slice(again, {0, 0, 17, 0}, {2, 4, 18, 16}), 3);
  array back = put(moved, slice(moved, {0, 0, 3, 0}, {2, 4, 4, 16}), 4);
  EXPECT_TRUE(agrees({k, v, again, moved, back}));
}

TEST(SliceUpdate, OfCachesAndSteps) {
  array cache = filled({2, 4, 50, 16}, bfloat16, 0, 9, 23),
        row = filled({2, 4, 1, 16}, bfloat16, 0, 9, 24);
  array turned = transpose(filled({2, 3, 4, 16}, bfloat16, 0, 9, 25), {0, 2, 1, 3});
  EXPECT_TRUE(agrees({slice_update(cache, row, {0, 0, 17, 0}, {2, 4, 18, 16}),
                      slice_update(cache, turned, {0, 0, 17, 0}, {2, 4, 20, 16}),
                      slice_update(cache, turned, {0, 0, 49, 0}, {2, 4, 40, 16}, {1, 1, -3, 1})}));
}

}  // namespace
}  // namespace lazuli
