// Views, slices, concatenation, indexing, reductions and order, against the reference backend.
#include <gtest/gtest.h>

#include <climits>

#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::agrees;
using testing::filled;

const std::vector<Dtype> some_dtypes = {bool_,   uint8,   int16,   int64,
                                        float16, float32, float64, complex64};

TEST(Views, AgreeInEveryDtype) {
  for (Dtype dtype : some_dtypes) {
    array x = filled({4, 1, 6, 5}, dtype, 0, 9, 1);
    EXPECT_TRUE(
        agrees({reshape(x, {8, -1}), transpose(x), transpose(x, {2, 0, 3, 1}), squeeze(x),
                expand_dims(x, {0, 3}), swapaxes(x, 0, -1), moveaxis(x, 0, 2), flatten(x, 1, 2),
                broadcast_to(x, {2, 4, 3, 6, 5}), flip(x, std::vector<int>{0, 2}),
                reshape(transpose(x), {4, 30}), unflatten(x, 2, {2, 3})}))
        << dtype;
  }
}

TEST(Views, OfViewsStayRight) {
  array x = filled({6, 8}, float32, -1, 1, 2);
  array v = slice(transpose(flip(x, 1)), {1, 0}, {8, 6}, {2, 3});
  EXPECT_TRUE(agrees({v + 1, reshape(v, {-1}), exp(broadcast_to(expand_dims(v, 0), {3, 4, 2}))}));
  EXPECT_TRUE(agrees(
      {as_strided(x, {3, 4}, {5, 2}, 7), diagonal(x, 1), diag(slice(x, {0, 0}, {1, 8}), 0)}));
}

TEST(Slice, FollowsNumpyBounds) {
  array x = filled({10}, int32, 0, 99, 3);
  for (int start : {-12, -3, 0, 4, 12}) {
    for (int stop : {-12, -1, 0, 7, 12}) {
      for (int step : {-3, -1, 1, 2}) {
        EXPECT_TRUE(agrees({slice(x, {start}, {stop}, {step})}))
            << start << ":" << stop << ":" << step;
      }
    }
  }
  EXPECT_EQ(slice(x, {-3}, {12}, {1}).shape(), Shape({3}));
  EXPECT_EQ(slice(x, {8}, {2}, {-2}).shape(), Shape({3}));
}

TEST(SliceUpdate, ReplacesInEveryDtypeAndOrder) {
  for (Dtype dtype : some_dtypes) {
    array x = filled({5, 7}, dtype, 0, 9, 4), u = filled({2, 3}, dtype, 0, 9, 5);
    EXPECT_TRUE(agrees({slice_update(x, u, {1, 0}, {5, 7}, {2, 3}),
                        slice_update(x, u, {4, 6}, {0, -8}, {-2, -3}),
                        slice_update(x, array(1, dtype), {0, 2}, {5, 3})}))
        << dtype;
  }
}

TEST(SliceUpdate, LeavesTheSourceAlone) {
  array x = filled({4, 4}, float32, 0, 1, 6);
  x.eval();
  std::vector<std::complex<double>> before = testing::values_of(x);
  array y = slice_update(x, zeros({1, 4}), {1, 0}, {2, 4});
  y.eval();
  EXPECT_EQ(testing::values_of(x), before);
}

TEST(Concatenate, JoinsViewsAndEmptyParts) {
  for (Dtype dtype : some_dtypes) {
    array x = filled({3, 4}, dtype, 0, 9, 7), y = filled({4, 2}, dtype, 0, 9, 8),
          e = zeros({3, 0}, dtype);
    EXPECT_TRUE(
        agrees({concatenate({x, e, x}, 1), concatenate({transpose(y), slice(x, {0, 0}, {2, 4})}, 0),
                stack({x, x}, 1), tile(x, {2, 1, 3}), repeat(x, 3, 1), roll(x, 2, 0)}))
        << dtype;
  }
  array x = filled({3, 4}, float32, 0, 9, 9);
  EXPECT_TRUE(
      agrees({pad(x, {{1, 2}, {0, 3}}, array(7.0f)), pad(x, {{2, 1}, {1, 0}}, array(0), "edge")}));
}

TEST(Pad, Mirrors) {
  array x = filled({3, 4}, float32, -1, 1, 8), row = arange(4);
  auto padded = [&](const std::string& mode) { return pad(row, {{5, 3}}, array(0), mode); };
  EXPECT_TRUE(
      array_equal(padded("reflect"), array({1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0})).item<bool>());
  EXPECT_TRUE(
      array_equal(padded("symmetric"), array({3, 3, 2, 1, 0, 0, 1, 2, 3, 3, 2, 1})).item<bool>());
  for (const char* mode : {"reflect", "symmetric"}) {
    EXPECT_TRUE(agrees({pad(x, {{1, 2}, {0, 9}}, array(0), mode),
                        pad(ones({1, 2}), {{3, 1}, {0, 0}}, array(0), mode)}));
    EXPECT_THROW(pad(zeros({0, 2}), {{1, 0}, {0, 0}}, array(0), mode), ArgumentError);
  }
}

TEST(Reductions, AgreeInEveryDtypeAndAxis) {
  const std::vector<std::vector<int>> axes = {{0}, {1}, {2}, {1, 2}, {0, 1}, {0, 2}, {0, 1, 2}};
  for (Dtype dtype : testing::all_dtypes()) {
    array x = filled({3, 5, 131}, dtype, 0, 2, 10);
    double slack = dtype == float16 || dtype == bfloat16 ? 2 : 20;
    for (const auto& a : axes) {
      EXPECT_TRUE(
          agrees({sum(x, a), max(x, a, true), min(x, a), all(x, a), any(x, a, true)}, slack))
          << dtype << " " << a.size() << a[0];
      array small = filled({3, 5, 4}, dtype, 1, 2, 11);
      EXPECT_TRUE(agrees({prod(small, a)}, 4 * slack)) << dtype;
    }
  }
}

TEST(Reductions, OfEmptyAxesGiveTheIdentity) {
  array x = zeros({3, 0, 2});
  EXPECT_TRUE(
      agrees({sum(x, 1), prod(x, 1), sum(x), all(astype(x, bool_), 1), any(x, 1), sum(x, 0)}));
  EXPECT_THROW(max(x, 1), ArgumentError);
}

TEST(Reductions, OfLongRowsAreAccurate) {
  array x = full({1 << 22}, 0.1f);
  EXPECT_NEAR(sum(x).item<float>(), 0.1f * (1 << 22), 0.5);
  array h = full({1 << 20}, 1.0f, bfloat16);
  EXPECT_EQ(sum(h).item<float>(), 1 << 20);
  EXPECT_EQ(sum(reshape(x, {1 << 11, 1 << 11}), 0).shape(), Shape({1 << 11}));
}

TEST(RowPrograms, SoftmaxAndNormsAgree) {
  for (Dtype dtype : {float16, bfloat16, float32, float64}) {
    for (int64_t length : {1, 3, 128, 200, 20000}) {
      array x = filled({3, length}, dtype, -4, 4, 12);
      EXPECT_TRUE(agrees(
          {softmax(x, -1), softmax(x, 0), logsumexp(x, -1, true), mean(x, -1), var(x, -1)}, 40))
          << dtype << length;
    }
  }
  array x = filled({2, 3, 64}, float32, -2, 2, 13), w = filled({64}, float32, 0, 2, 14);
  EXPECT_TRUE(agrees({fast::rms_norm(x, w, 1e-5f), fast::layer_norm(x, w, w, 1e-5f)}, 10));
  EXPECT_TRUE(agrees({softmax(transpose(x), {0, 2})}, 10));
}

TEST(Indexing, GathersAndScatters) {
  for (Dtype dtype : some_dtypes) {
    array x = filled({5, 6}, dtype, 0, 9, 15);
    array i = array({4, 0, -1, 2}), j = array({1, 1, 5, 0});
    array u = filled({4, 1, 6}, dtype, 0, 3, 16);
    EXPECT_TRUE(agrees({take(x, i, 0), take(x, i, 1), take(x, i), gather(x, {i, j}, {0, 1}, {1, 1}),
                        take(transpose(x), reshape(i, {2, 2}), 0)}))
        << dtype;
    EXPECT_TRUE(agrees({scatter(x, {i}, u, {0}), scatter_add(x, {i}, u, {0}),
                        scatter_max(x, {i}, u, {0}), scatter_min(x, {i}, u, {0})}))
        << dtype;
    array k = array({0, 2, 1, 0, 4, -1, 3, 3, 2, 1}, Shape{2, 5}, int32);
    array p = transpose(filled({6, 5}, dtype, 0, 9, 17));
    EXPECT_TRUE(
        agrees({take_along_axis(x, transpose(broadcast_to(slice(k, {0, 0}, {1, 5}), {6, 5})), 0)}))
        << dtype;
    (void)p;
  }
}

TEST(Indexing, OutOfRangeIsAnErrorAndTheNextEvaluationWorks) {
  array x = filled({5}, float32, 0, 1, 18);
  EXPECT_THROW(take(x, array({5}), 0).eval(), IndexError);
  EXPECT_THROW(take(x, array({-6}), 0).eval(), IndexError);
  EXPECT_TRUE(agrees({x + 1}));
}

TEST(Order, SortsAndFindsExtremes) {
  for (Dtype dtype : testing::all_dtypes()) {
    array x = filled({4, 33}, dtype, 0, 9, 19);
    EXPECT_TRUE(
        agrees({sort(x, 0), sort(x, 1), argsort(x, 1), argmax(x, 1), argmin(x, 0), argmax(x)}))
        << dtype;
    EXPECT_TRUE(
        agrees({cumsum(x, 1), cumsum(x, 0, true, false), cummax(x, 1), cummin(x, 0, true)}, 10))
        << dtype;
    array top = sort(topk(x, 5, 1), 1), all_sorted = slice(sort(x, 1), {0, 28}, {4, 33});
    EXPECT_TRUE(array_equal(top, all_sorted).item<bool>()) << dtype;
  }
}

TEST(Products, AgreeWithBatchesViewsAndVectors) {
  for (Dtype dtype : {float16, bfloat16, float32, float64, complex64}) {
    array a = filled({2, 1, 9, 17}, dtype, -1, 1, 20), b = filled({3, 17, 5}, dtype, -1, 1, 21);
    array v = filled({17}, dtype, -1, 1, 22);
    double slack = dtype == float32 ? 10 : 2;
    EXPECT_TRUE(agrees({matmul(a, b), matmul(a, v), matmul(v, b), matmul(v, v),
                        matmul(swapaxes(b, 1, 2), swapaxes(a, 2, 3)),
                        matmul(slice(a, {0, 0, 0, 1}, {2, 1, 9, 17}, {1, 1, 2, 2}),
                               slice(b, {0, 0, 0}, {3, 8, 5}))},
                       slack))
        << dtype;
    EXPECT_TRUE(agrees({matmul(zeros({3, 0}, dtype), zeros({0, 2}, dtype)),
                        matmul(zeros({0, 3}, dtype), zeros({3, 2}, dtype))}));
  }
  EXPECT_THROW(matmul(array({1, 2}), array({1, 2})), ArgumentError);
}

// Elements and bytes that 64 bits cannot count are refused where they are recorded.
TEST(Extents, BeyondWhatCanBeCountedAreRefused) {
  constexpr int64_t half = int64_t{1} << 32, most = int64_t{1} << 58;
  array column = broadcast_to(array(1.0f), {half, 1}), row = broadcast_to(array(1.0f), {1, half});
  EXPECT_THROW(column + row, ArgumentError);
  EXPECT_THROW(equal(column, row), ArgumentError);
  EXPECT_THROW(where(column > row, column, row), ArgumentError);
  EXPECT_THROW(matmul(column, row), ArgumentError);
  EXPECT_THROW(outer(column, row), ArgumentError);
  EXPECT_THROW(meshgrid({flatten(column), flatten(row)}), ArgumentError);
  EXPECT_THROW(broadcast_to(array(1), {half, half}), ArgumentError);
  EXPECT_THROW(broadcast_arrays({column, row}), ArgumentError);
  EXPECT_THROW(random::uniform({half, half}), ArgumentError);
  EXPECT_THROW(random::normal({half, half}), ArgumentError);
  EXPECT_THROW(random::randint(0, 9, {half, half}), ArgumentError);
  EXPECT_THROW(random::bits({half, half}), ArgumentError);
  EXPECT_THROW(zeros({half, half}), ArgumentError);
  EXPECT_THROW(full({half, half, 0}, 1.0f), ArgumentError);
  array bytes = broadcast_to(array(true), {most});
  EXPECT_THROW(astype(bytes, complex64), ArgumentError);
  EXPECT_THROW(exp(broadcast_to(array(true), {most * 4})), ArgumentError);
  EXPECT_THROW(concatenate(std::vector<array>(40, bytes)), ArgumentError);
  EXPECT_THROW(stack(std::vector<array>(40, bytes)), ArgumentError);
  EXPECT_THROW(tile(bytes, {1 << 20}), ArgumentError);
  EXPECT_THROW(repeat(bytes, 1 << 20, 0), ArgumentError);
  EXPECT_THROW(pad(array({1}), std::vector<int>{0}, Shape{INT64_MAX}, Shape{INT64_MAX}),
               ArgumentError);
  EXPECT_THROW(broadcast_to(ones({2}), {-1, 3, 2}), ArgumentError);
  EXPECT_THROW(zeros({-1}), ArgumentError);
  EXPECT_THROW(eye(-1), ArgumentError);
  EXPECT_EQ(broadcast_to(array(true), {most}).size(), static_cast<size_t>(most));
}

TEST(AsStrided, RefusesAReachThatWraps) {
  array x = zeros({4});
  constexpr int64_t half = int64_t{1} << 32;
  EXPECT_THROW(as_strided(x, {half + 1}, {half}, 0), ArgumentError);
  EXPECT_THROW(as_strided(x, {half + 1}, {-half}, 0), ArgumentError);
  EXPECT_THROW(as_strided(x, {2, 2}, {INT64_MAX, INT64_MAX}, 0), ArgumentError);
  EXPECT_THROW(as_strided(x, {2, 2}, {INT64_MIN, INT64_MIN}, 0), ArgumentError);
  EXPECT_THROW(as_strided(x, {2}, {1}, size_t{1} << 63), ArgumentError);
  EXPECT_THROW(as_strided(x, {1}, {1}, ~size_t{0}), ArgumentError);
  EXPECT_THROW(as_strided(x, {3}, {-1}, 1), ArgumentError);
  EXPECT_TRUE(agrees({as_strided(arange(4), {3}, {-1}, 3)}));
  EXPECT_EQ(as_strided(x, {0, 5}, {1, INT64_MAX}, 0).size(), 0u);
}

TEST(Slice, TakesAnyStride) {
  array x = arange(5);
  for (int64_t stride : {INT64_MAX, INT64_MAX - 1, int64_t{5}}) {
    EXPECT_TRUE(testing::is_exactly(slice(x, {0}, {5}, {stride}), {0}));
    EXPECT_TRUE(testing::is_exactly(slice(x, {0}, {INT64_MAX}, {stride}), {0}));
    EXPECT_TRUE(testing::is_exactly(slice(x, {4}, {INT64_MIN}, {-stride}), {4}));
    EXPECT_TRUE(
        testing::is_exactly(slice_update(x, array(9), {1}, {5}, {stride}), {0, 9, 2, 3, 4}));
  }
  EXPECT_TRUE(testing::is_exactly(slice(x, {4}, {-6}, {INT64_MIN}), {4}));
  EXPECT_TRUE(testing::is_exactly(slice(x, {4}, {-6}, {-4}), {4, 0}));
  EXPECT_TRUE(testing::is_exactly(slice(x, {0}, {5}, {4}), {0, 4}));
  EXPECT_TRUE(testing::is_exactly(slice(x, {3}, {3}, {INT64_MAX}), {}));
}

TEST(Views, FlattenClampsItsAxesAndUnflattenInfersOne) {
  array x = zeros({2, 3, 4});
  EXPECT_EQ(flatten(x, 1, 10).shape(), Shape({2, 12}));
  EXPECT_EQ(flatten(x, -10, 10).shape(), Shape({24}));
  EXPECT_THROW(flatten(x, 5, 10), ArgumentError);
  EXPECT_THROW(flatten(x, 1, 0), ArgumentError);
  EXPECT_THROW(unflatten(x, 2, {-1, -1}), ArgumentError);
  EXPECT_THROW(unflatten(x, 2, {3, -1}), ArgumentError);
  EXPECT_THROW(unflatten(x, 2, {3, 3}), ArgumentError);
  EXPECT_EQ(unflatten(x, 2, {2, -1}).shape(), Shape({2, 3, 2, 2}));
}

TEST(Roll, AddsSeveralShiftsOfOneAxis) {
  array x = reshape(arange(6), {2, 3});
  EXPECT_TRUE(testing::is_exactly(roll(x, Shape{1, 1}, {1}), {1, 2, 0, 4, 5, 3}));
  EXPECT_TRUE(testing::is_exactly(roll(x, Shape{1, 2, 3}, {0, 1}), {4, 5, 3, 1, 2, 0}));
  EXPECT_TRUE(testing::is_exactly(roll(x, Shape{1, 1}, {1, 1}), {1, 2, 0, 4, 5, 3}));
  EXPECT_TRUE(testing::is_exactly(roll(x, Shape{INT64_MAX, INT64_MIN}, {1}), {1, 2, 0, 4, 5, 3}));
  EXPECT_TRUE(testing::is_exactly(roll(x, Shape{}, {1}), {0, 1, 2, 3, 4, 5}));
  EXPECT_THROW(roll(x, Shape{1, 2}, {0, 1, 1}), ArgumentError);
}

TEST(Take, ReadsPastAnotherAxisThatIsEmpty) {
  EXPECT_EQ(take(zeros({0, 3}), array({1, 2}), 1).shape(), Shape({0, 2}));
  EXPECT_THROW(take(zeros({3, 0}), array({1}), 1), ArgumentError);
  EXPECT_THROW(take(zeros({0}), array({0})), ArgumentError);
}

TEST(Products, OfEmptyOperandsAndWhatIsAddedToThem) {
  EXPECT_TRUE(testing::is_exactly(inner(zeros({0}), zeros({0})), {0}));
  EXPECT_TRUE(testing::is_exactly(inner(zeros({2, 0}), zeros({3, 0})), {0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(inner(zeros({0, 3}), zeros({2, 3})).shape(), Shape({0, 2}));
  EXPECT_THROW(addmm(zeros({5, 2, 2}), ones({2, 2}), ones({2, 2})), ArgumentError);
  EXPECT_THROW(addmm(zeros({2, 2}), ones({1, 2}), ones({2, 2})), ArgumentError);
}

TEST(Arange, OfIntegersIsExact) {
  constexpr int64_t large = (int64_t{1} << 53) + 1;
  array x = arange(large, large + 3, int64);
  ASSERT_EQ(x.size(), 3u);
  EXPECT_TRUE(array_equal(x - array(large, int64), array({0, 1, 2}, int64)).item<bool>());
  EXPECT_TRUE(testing::is_exactly(arange(7, 0, -3, int64), {7, 4, 1}));
  EXPECT_EQ(arange(INT64_MIN, INT64_MAX, INT64_MAX, int64).size(), 3u);
  EXPECT_EQ(arange(0, 5, INT64_MIN, int64).size(), 0u);
  EXPECT_THROW(arange(INT64_MIN, INT64_MAX, 1, int64), ArgumentError);
  EXPECT_THROW(arange(0, 5, 0, int64), ArgumentError);
  EXPECT_EQ(arange(3, float32).dtype(), float32);
}

TEST(Linspace, IsExactInFloat64AndInWideIntegers) {
  array x = linspace(0, 1, 11, float64);
  for (int k = 0; k <= 10; ++k) EXPECT_NEAR(testing::values_of(x)[k].real(), k / 10.0, 1e-15);
  EXPECT_TRUE(testing::is_exactly(linspace(0, 3, 7, float16), {0, 0.5, 1, 1.5, 2, 2.5, 3}));
  EXPECT_TRUE(
      testing::is_exactly(linspace(33554433, 33554437, 3, int64), {33554433, 33554435, 33554437}));
  EXPECT_TRUE(testing::is_exactly(linspace(0.1, 2, 1, float64), {0.1}));
}

TEST(Diagonals, BeyondTheCornersAreEmpty) {
  array square = reshape(arange(1, 10), {3, 3});
  for (int k : {3, 4, INT_MAX - 1, INT_MAX}) {
    EXPECT_EQ(sum(eye(3, 3, k, int32)).item<int>(), 0) << k;
    EXPECT_EQ(sum(tri(3, 3, k, int32)).item<int>(), 9) << k;
    EXPECT_EQ(sum(tril(square, k)).item<int>(), 45) << k;
    EXPECT_EQ(sum(triu(square, k)).item<int>(), 0) << k;
    EXPECT_EQ(diagonal(square, k).size(), 0u) << k;
  }
  for (int k : {-3, -4, INT_MIN + 1, INT_MIN}) {
    EXPECT_EQ(sum(eye(3, 3, k, int32)).item<int>(), 0) << k;
    EXPECT_EQ(sum(tri(3, 3, k, int32)).item<int>(), 0) << k;
    EXPECT_EQ(sum(tril(square, k)).item<int>(), 0) << k;
    EXPECT_EQ(sum(triu(square, k)).item<int>(), 45) << k;
    EXPECT_EQ(diagonal(square, k).size(), 0u) << k;
  }
  EXPECT_TRUE(testing::is_exactly(eye(2, 3, 1, int32), {0, 1, 0, 0, 0, 1}));
  EXPECT_TRUE(testing::is_exactly(tri(2, 3, -1, int32), {0, 0, 0, 1, 0, 0}));
  EXPECT_TRUE(testing::is_exactly(diag(array({5, 6}), -1), {0, 0, 0, 5, 0, 0, 0, 6, 0}));
  EXPECT_TRUE(testing::is_exactly(diag(array({5, 6}), 1), {0, 5, 0, 0, 0, 6, 0, 0, 0}));
  EXPECT_THROW(diag(array({5, 6}), INT_MAX), ArgumentError);
  EXPECT_THROW(diag(array({5, 6}), INT_MIN), ArgumentError);
  array tall = broadcast_to(array(1.0f), {(int64_t{1} << 32) + 1, 1});
  EXPECT_THROW(tril(tall), ArgumentError);
}

}  // namespace
}  // namespace lazuli
