// The C++ forms of einsum, tensordot and their like; values are compared with NumPy's and the
// wheel's from Python.
#include <gtest/gtest.h>

#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::agrees;
using testing::filled;

TEST(Einsum, AgreesWithTheReferenceInEveryDtype) {
  for (Dtype dtype : {float32, float16, bfloat16, float64, complex64}) {
    array x = filled({3, 4, 5}, dtype, -1, 1, 1), y = filled({3, 5, 2}, dtype, -1, 1, 2);
    EXPECT_TRUE(agrees({einsum("bij,bjk->bik", {x, y}), einsum("bij,bjk->ki", {x, y})}, 8));
  }
}

TEST(Einsum, NamesWhatIsWrong) {
  array x = ones({2, 3});
  auto message = [&](const std::string& subscripts, const std::vector<array>& operands) {
    try {
      einsum(subscripts, operands);
    } catch (const ArgumentError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(message("ij,jk", {x, x}).find("does not broadcast to 3"), std::string::npos);
  EXPECT_NE(message("ij->k", {x}).find("'k' is none of an operand"), std::string::npos);
  EXPECT_NE(message("i1", {x}).find("not '1'"), std::string::npos);
  EXPECT_NE(message("......", {x}).find("two ellipses"), std::string::npos);
  EXPECT_NE(message("ii", {x}).find("extents of 2 and 3"), std::string::npos);
}

TEST(Tensordot, TakesPairsOfAxes) {
  array x = filled({2, 3, 4}, float32, -1, 1, 3), y = filled({4, 2}, float32, -1, 1, 4);
  EXPECT_EQ(tensordot(x, y, {0, 2}, {1, 0}).shape(), Shape({3}));
  EXPECT_TRUE(agrees({tensordot(x, y, {0, 2}, {1, 0}), tensordot(x, y, 1)}));
}

TEST(Norm, OverAxesOfVectorsAndMatrices) {
  array x = array({3.0f, -4.0f, 0.0f, 0.0f}, Shape{2, 2});
  EXPECT_EQ(linalg::norm(x).item<float>(), 5);
  EXPECT_EQ(linalg::norm(x, "fro").item<float>(), 5);
  EXPECT_EQ(linalg::norm(x, 1.0).item<float>(), 4);
  EXPECT_EQ(linalg::norm(x, HUGE_VAL).item<float>(), 7);
  EXPECT_EQ(linalg::norm(x, 0.0, std::vector<int>{0}).shape(), Shape({2}));
  EXPECT_THROW(linalg::norm(x, 2.0), ArgumentError);
}

TEST(Depends, ComputesWhatTheResultDependsOn) {
  array x = filled({4}, float32, -1, 1, 5), other = exp(x);
  depends({x * 2}, {other})[0].eval();
  EXPECT_TRUE(agrees({depends({x * 2}, {other})[0]}));
}

}  // namespace
}  // namespace lazuli
