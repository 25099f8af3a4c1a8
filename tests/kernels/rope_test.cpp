// The rope kernel against the reference backend.
#include <gtest/gtest.h>

#include "base/flags.h"
#include "lazuli/lazuli.h"
#include "ops/table/op.h"
#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::agrees;
using testing::filled;
using testing::Laid;
using testing::laid_out;

TEST(Rope, AgreesForEveryDtypeLayoutAndForm) {
  for (Dtype dtype : {float32, bfloat16, float16}) {
    for (Laid laid : testing::all_layouts) {
      for (bool traditional : {false, true}) {
        for (int dims : {6, 40, 64}) {
          array x = laid_out({2, 3, 5, 64}, dtype, -1, 1, 1, laid);
          array out = fast::rope(x, dims, traditional, 10000.0f, 0.5f, 7);
          ASSERT_EQ(out.node()->op, Op::rope);
          EXPECT_TRUE(agrees({out}, 2)) << dtype_name(dtype) << name_of(laid) << dims;
        }
      }
    }
  }
}

TEST(Rope, RanksAndLongStretches) {
  for (const Shape& shape : {Shape{1, 4, 256}, Shape{300, 2, 8}, Shape{1, 2, 3, 2, 16},
                             Shape{1, 1, 700, 34}, Shape{2, 0, 3, 8}}) {
    array x = filled(shape, float32, -1, 1, 2);
    EXPECT_TRUE(agrees({fast::rope(x, 8 <= shape.back() ? 8 : 4, false, 10000.0f, 1.0f, 3)}, 2));
  }
}

TEST(Rope, OffsetsAsArrays) {
  array x = filled({3, 2, 4, 16}, float32, -1, 1, 1);
  for (Dtype dtype : {int32, int64, uint8, uint32}) {
    EXPECT_TRUE(agrees({fast::rope(x, 16, false, 100.0f, 1.0f, array(5, dtype))}, 2));
    array each = astype(array({3, 0, 9}), dtype);
    EXPECT_TRUE(agrees({fast::rope(x, 16, true, 100.0f, 1.0f, each)}, 2)) << dtype_name(dtype);
  }
  array spread = slice(array({3, 1, 0, 1, 9, 1}), {0}, {6}, {2});
  EXPECT_TRUE(agrees({fast::rope(x, 16, true, 100.0f, 1.0f, spread)}, 2));
}

TEST(Rope, RefusesIntegersAndOffsetsThatAreNone) {
  array x = zeros({1, 2, 4, 16});
  EXPECT_THROW(fast::rope(astype(x, int32), 16, false, 100.0f, 1.0f, 0), ArgumentError);
  for (Dtype dtype : {float32, bool_}) {
    EXPECT_THROW(fast::rope(x, 16, false, 100.0f, 1.0f, array(1, dtype)), ArgumentError) << dtype;
  }
}

TEST(Rope, FrequenciesInsteadOfABase) {
  array x = filled({1, 2, 4, 12}, float32, -1, 1, 1);
  array freqs = filled({5}, float32, 1, 50, 2);
  EXPECT_TRUE(agrees({fast::rope(x, 10, false, std::nullopt, 1.0f, 3, freqs)}, 2));
  EXPECT_TRUE(agrees({fast::rope(x, 10, false, std::nullopt, 1.0f, 3, flip(freqs))}, 2));
}

TEST(Rope, FarPositionsKeepTheirPrecision) {
  array x = filled({1, 1, 2, 128}, float32, -1, 1, 1);
  EXPECT_TRUE(agrees({fast::rope(x, 128, false, 1e6f, 1.0f, 1000000)}, 2));
  EXPECT_TRUE(agrees({fast::rope(x, 128, false, 1e4f, 1.0f, -1000)}, 2));
}

TEST(Rope, TheCompositionAgreesAndCarriesDerivatives) {
  array x = filled({1, 2, 3, 8}, float32, -1, 1, 1);
  auto fun = [](const array& a) {
    return sum(square(fast::rope(a, 6, false, 100.0f, 1.0f, 2) + a));
  };
  array as_node = fast::rope(x, 6, false, 100.0f, 1.0f, 2), slope = grad(fun)(x);
  flags().composed = 1;
  array composed = fast::rope(x, 6, false, 100.0f, 1.0f, 2), slope_composed = grad(fun)(x);
  flags().composed = 0;
  EXPECT_NE(composed.node()->op, Op::rope);
  EXPECT_TRUE(allclose(as_node, composed, 1e-5, 1e-6).item<bool>());
  EXPECT_TRUE(allclose(slope, slope_composed, 1e-5, 1e-6).item<bool>());
}

TEST(Rope, RefusesWhatDoesNotFit) {
  array x = zeros({1, 2, 3, 8});
  EXPECT_THROW(fast::rope(x, 7, false, 1e4f, 1.0f, 0), ArgumentError);
  EXPECT_THROW(fast::rope(x, 10, false, 1e4f, 1.0f, 0), ArgumentError);
  EXPECT_THROW(fast::rope(x, 8, false, std::nullopt, 1.0f, 0), ArgumentError);
  EXPECT_THROW(fast::rope(x, 8, false, 1e4f, 1.0f, array({1, 2})), ArgumentError);
}

}  // namespace
}  // namespace lazuli
