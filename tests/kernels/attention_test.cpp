// The attention kernel against the reference backend, and its derivatives against the composition.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>

#include "base/flags.h"
#include "lazuli/lazuli.h"
#include "ops/compositions.h"
#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::agrees;
using testing::filled;
using testing::Laid;
using testing::laid_out;

array attend(const array& q, const array& k, const array& v, const std::string& mode = "",
             std::optional<array> mask = std::nullopt, std::optional<array> sinks = std::nullopt) {
  return fast::scaled_dot_product_attention(q, k, v, 0.3f, mode, std::move(mask), sinks);
}

struct Sizes {
  int64_t batch, heads, kv_heads, queries, keys, size, value_size;
  Shape q() const { return {batch, heads, queries, size}; }
  Shape k() const { return {batch, kv_heads, keys, size}; }
  Shape v() const { return {batch, kv_heads, keys, value_size}; }
};

const Sizes all_sizes[] = {
    {1, 4, 1, 1, 300, 256, 256}, {2, 4, 4, 1, 7, 64, 64},   {1, 6, 2, 2, 65, 80, 96},
    {1, 3, 1, 1, 1, 5, 3},       {2, 8, 2, 9, 33, 64, 128}, {1, 4, 1, 70, 70, 256, 256},
    {1, 2, 2, 13, 200, 17, 50},  {1, 7, 1, 1, 40, 4, 1},    {1, 2, 1, 40, 20, 32, 32},
};

TEST(Attention, AgreesForEverySizeAndMask) {
  for (const Sizes& s : all_sizes) {
    array q = filled(s.q(), float32, -1, 1, 1), k = filled(s.k(), float32, -1, 1, 2);
    array v = filled(s.v(), float32, -1, 1, 3);
    array sinks = filled({s.heads}, float32, -1, 1, 4);
    array dense = filled({s.batch, s.heads, s.queries, s.keys}, float32, -2, 2, 5);
    array keys_mask = filled({1, 1, 1, s.keys}, bool_, 0, 1, 6);
    array row_mask = filled({s.queries, s.keys}, bool_, 0, 1, 7);
    array out = attend(q, k, v);
    ASSERT_EQ(out.node()->op, Op::attention);
    EXPECT_TRUE(agrees({out}, 4)) << q.shape() << k.shape();
    EXPECT_TRUE(agrees({attend(q, k, v, "causal")}, 4)) << q.shape() << k.shape();
    EXPECT_TRUE(agrees({attend(q, k, v, "array", dense)}, 4)) << q.shape() << k.shape();
    EXPECT_TRUE(agrees({attend(q, k, v, "array", keys_mask)}, 4)) << q.shape() << k.shape();
    EXPECT_TRUE(agrees({attend(q, k, v, "array", row_mask)}, 4)) << q.shape() << k.shape();
    EXPECT_TRUE(agrees({attend(q, k, v, "causal", std::nullopt, sinks)}, 4)) << q.shape();
  }
}

TEST(Attention, AgreesForEveryDtypeAndLayout) {
  for (Dtype dtype : {float32, bfloat16, float16}) {
    for (Laid laid : testing::all_layouts) {
      for (const Sizes& s : {Sizes{1, 4, 1, 1, 40, 64, 64}, Sizes{2, 4, 2, 11, 37, 24, 16}}) {
        array q = laid_out(s.q(), dtype, -1, 1, 1, laid),
              k = laid_out(s.k(), dtype, -1, 1, 2, laid);
        array v = laid_out(s.v(), dtype, -1, 1, 3, laid);
        EXPECT_TRUE(agrees({attend(q, k, v, "causal")}, 4)) << dtype_name(dtype) << name_of(laid);
      }
    }
  }
}

TEST(Attention, HalvesOfEverySizeAndMask) {
  const Sizes sizes[] = {
      {1, 8, 1, 1, 700, 128, 128}, {2, 4, 2, 3, 300, 192, 128}, {1, 2, 2, 8, 513, 256, 64},
      {1, 16, 1, 2, 200, 80, 80},  {1, 3, 1, 5, 40, 40, 256},   {1, 4, 2, 130, 130, 64, 64},
      {1, 2, 1, 65, 150, 128, 96}, {1, 2, 2, 20, 90, 256, 256}, {1, 1, 1, 33, 33, 72, 8},
      {2, 4, 2, 200, 130, 64, 64}, {1, 1, 1, 9, 64, 192, 128},
  };
  for (Dtype dtype : {float16, bfloat16}) {
    for (const Sizes& s : sizes) {
      array q = filled(s.q(), dtype, -1, 1, 1), k = filled(s.k(), dtype, -1, 1, 2);
      array v = filled(s.v(), dtype, -1, 1, 3), sinks = filled({s.heads}, dtype, -1, 1, 4);
      array dense = filled({s.batch, s.heads, s.queries, s.keys}, dtype, -2, 2, 5);
      array rows = filled({s.queries, s.keys}, bool_, 0, 1, 6);
      EXPECT_TRUE(agrees({attend(q, k, v)}, 2)) << q.shape() << k.shape();
      EXPECT_TRUE(agrees({attend(q, k, v, "causal", std::nullopt, sinks)}, 2)) << q.shape();
      EXPECT_TRUE(agrees({attend(q, k, v, "array", dense)}, 2)) << q.shape() << k.shape();
      EXPECT_TRUE(agrees({attend(q, k, v, "array", rows, sinks)}, 2)) << q.shape() << k.shape();
    }
  }
}

TEST(Attention, MixedDtypesAndAdditiveHalves) {
  Sizes s{1, 4, 2, 3, 50, 32, 32};
  array q = filled(s.q(), float32, -1, 1, 1), k = filled(s.k(), bfloat16, -1, 1, 2);
  array v = filled(s.v(), float16, -1, 1, 3), mask = filled({3, 50}, float16, -1, 1, 4);
  array out = attend(q, k, v, "array", mask);
  EXPECT_EQ(out.dtype(), float32);
  EXPECT_TRUE(agrees({out}, 4));
}

TEST(Attention, ReadsSlicesOfACache) {
  array keys = filled({1, 2, 64, 32}, float32, -1, 1, 1);
  array values = filled({1, 2, 64, 32}, float32, -1, 1, 2);
  eval({keys, values});
  array k = slice(keys, {0, 0, 3, 0}, {1, 2, 40, 32}),
        v = slice(values, {0, 0, 3, 0}, {1, 2, 40, 32});
  EXPECT_TRUE(agrees({attend(filled({1, 4, 1, 32}, float32, -1, 1, 3), k, v)}, 4));
}

// As if nothing were hidden and all scores were equal.
TEST(Attention, RowsThatSeeNoKeyAreTheMeanOfAllValues) {
  for (Dtype dtype : {float32, float16, bfloat16, float64}) {
    for (auto [queries, keys] : {std::pair{3, 2}, {1, 300}, {20, 7}, {200, 130}, {70, 600}}) {
      array q = filled({1, 2, queries, 64}, dtype, -1, 1, 1);
      array k = filled({1, 1, keys, 64}, dtype, -1, 1, 2),
            v = filled({1, 1, keys, 64}, dtype, -1, 1, 3);
      array average = broadcast_to(mean(astype(v, float32), 2, true), {1, 2, queries, 64});
      double near = dtype == bfloat16 ? 1e-2 : dtype == float16 ? 1e-3 : 1e-5;
      array hidden = attend(q, k, v, "array", zeros({queries, keys}, bool_));
      EXPECT_TRUE(allclose(astype(hidden, float32), average, 0, near).item<bool>())
          << dtype << queries;
      // One row sees one key.
      array mask =
          slice_update(zeros({queries, keys}, bool_), array(true), {0, keys - 1}, {1, keys});
      EXPECT_TRUE(agrees({attend(q, k, v, "array", mask)}, 4)) << dtype << queries;
      EXPECT_TRUE(agrees({attend(q, k, v, "causal")}, 4)) << dtype << queries;
      if (queries > keys) {
        array first = slice(attend(q, k, v, "causal"), {0, 0, 0, 0}, {1, 2, 1, 64});
        array wanted = slice(average, {0, 0, 0, 0}, {1, 2, 1, 64});
        EXPECT_TRUE(allclose(astype(first, float32), wanted, 0, near).item<bool>()) << dtype;
      }
    }
  }
  array q = filled({1, 1, 1, 8}, float32, -1, 1, 1);
  array minus = full({1, 1}, -HUGE_VALF);
  EXPECT_TRUE(std::isnan(copy(attend(q, q, q, "array", minus)).data<float>()[0]));
}

TEST(Attention, RefusesWhatWouldWidenTheResult) {
  array q = zeros({1, 2, 3, 8}, float16);
  for (Dtype dtype : {float32, bfloat16}) {
    EXPECT_THROW(attend(q, q, q, "array", zeros({3, 3}, dtype)), ArgumentError);
    EXPECT_THROW(attend(q, q, q, "", std::nullopt, zeros({2}, dtype)), ArgumentError);
  }
  EXPECT_EQ(attend(q, q, q, "array", zeros({3, 3}, int32)).dtype(), float16);
}

TEST(Attention, NaNsAndInfinitiesSpreadAsInTheComposition) {
  for (float bad : {std::nanf(""), INFINITY, -INFINITY}) {
    for (int64_t queries : {1, 20}) {
      array q = filled({1, 2, queries, 8}, float32, 0.1, 1, 1);
      array k = filled({1, 1, 70, 8}, float32, 0.1, 1, 2);
      k = slice_update(k, full({1, 1, 1, 8}, bad), {0, 0, 40, 0}, {1, 1, 41, 8});
      EXPECT_TRUE(agrees({attend(q, k, filled({1, 1, 70, 8}, float32, -1, 1, 3))}, 4)) << bad;
    }
  }
}

TEST(Attention, ALargeScoreLateRescalesWhatCameBefore) {
  array q = ones({1, 1, 1, 16}), k = filled({1, 1, 200, 16}, float32, -1, 1, 1);
  k = slice_update(k, full({1, 1, 1, 16}, 20.0f), {0, 0, 150, 0}, {1, 1, 151, 16});
  EXPECT_TRUE(agrees({attend(q, k, filled({1, 1, 200, 16}, float32, -1, 1, 2))}, 4));
}

TEST(Attention, NoQueriesGiveNothing) {
  array out = attend(zeros({1, 2, 0, 8}), zeros({1, 1, 3, 8}), zeros({1, 1, 3, 8}));
  out.eval();
  EXPECT_EQ(out.size(), 0u);
}

TEST(Attention, TheFlagRecordsTheComposition) {
  array q = filled({1, 4, 5, 16}, float32, -1, 1, 1), k = filled({1, 2, 9, 16}, float32, -1, 1, 2);
  array as_node = attend(q, k, k, "causal");
  flags().composed = 1;
  array composed = attend(q, k, k, "causal");
  flags().composed = 0;
  EXPECT_NE(composed.node()->op, Op::attention);
  EXPECT_TRUE(allclose(as_node, composed, 1e-5, 1e-6).item<bool>());
}

TEST(Attention, DerivativesAndBatchesGoThroughTheComposition) {
  array q = filled({1, 2, 3, 4}, float32, -1, 1, 1), k = filled({1, 1, 5, 4}, float32, -1, 1, 2);
  array v = filled({1, 1, 5, 4}, float32, -1, 1, 3);
  auto fun = [](const std::vector<array>& x) {
    return sum(square(attend(x[0], x[1], x[2], "causal")));
  };
  auto values = [&](auto&& run) {
    std::vector<array> as_node = run();
    flags().composed = 1;
    std::vector<array> composed = run();
    flags().composed = 0;
    for (size_t i = 0; i < as_node.size(); ++i) {
      EXPECT_TRUE(allclose(as_node[i], composed[i], 1e-4, 1e-6).item<bool>()) << i;
    }
  };
  values([&] { return grad(fun, std::vector<int>{0, 1, 2})({q, k, v}); });
  auto outputs = [&](const std::vector<array>& x) { return std::vector<array>{fun(x)}; };
  values([&] { return jvp(outputs, {q, k, v}, {q * q, v, k}).second; });
}

TEST(Attention, VmapOverQueriesAlone) {
  array q = filled({3, 1, 2, 3, 4}, float32, -1, 1, 1);
  array k = filled({1, 1, 5, 4}, float32, -1, 1, 2);
  auto fun = [&](const std::vector<array>& x) { return std::vector<array>{attend(x[0], k, k)}; };
  array together = vmap(fun, {0})({q})[0];
  for (int i = 0; i < 3; ++i) {
    array one = squeeze(slice(q, {i, 0, 0, 0, 0}, {i + 1, 1, 2, 3, 4}), 0);
    array wanted = attend(one, k, k);
    array got = squeeze(slice(together, {i, 0, 0, 0, 0}, {i + 1, 1, 2, 3, 4}), 0);
    EXPECT_TRUE(allclose(got, wanted, 1e-5, 1e-6).item<bool>());
  }
}

TEST(Attention, RefusesWhatDoesNotFit) {
  array q = zeros({1, 2, 3, 4}), k = zeros({1, 1, 5, 4});
  EXPECT_THROW(attend(q, zeros({1, 1, 5, 3}), k), ArgumentError);
  EXPECT_THROW(attend(q, k, k, "array", zeros({3, 4}, bool_)), ArgumentError);
  EXPECT_THROW(attend(q, k, k, "none"), ArgumentError);
  EXPECT_THROW(attend(q, k, k, "", std::nullopt, zeros({3})), ArgumentError);
}

}  // namespace
}  // namespace lazuli
