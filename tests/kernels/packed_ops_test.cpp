// The ops of packed weights, through the public API.
#include <gtest/gtest.h>

#include "kernels/packed_random.h"
#include "lazuli/lazuli.h"
#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::filled;

PackedMatrix matrix(PackedFormat format, int64_t rows, int64_t columns, uint32_t seed) {
  std::vector<std::byte> bytes = test::random_packed(format, rows, columns, seed);
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  return {array(data, Shape{rows, packed_row_bytes(format, columns)}, uint8), format};
}

TEST(PackedOps, MatricesBesideEachOtherGiveWhatTheyGiveApart) {
  std::vector<PackedMatrix> matrices = {
      matrix(PackedFormat::q5_0, 10, 256, 1), matrix(PackedFormat::q8_0, 3, 256, 2),
      matrix(PackedFormat::q4_k, 20, 256, 3), matrix(PackedFormat::q4_k, 3, 256, 4),
      matrix(PackedFormat::q4_k, 140, 256, 5)};
  for (const Shape& shape : {Shape{256}, Shape{1, 256}, Shape{2, 3, 256}, Shape{0, 256}}) {
    for (Dtype dtype : {float32, bfloat16}) {
      array x = filled(shape, dtype, -1, 1, 4);
      std::vector<array> apart;
      for (const PackedMatrix& m : matrices) apart.push_back(packed_matmul(x, m.w, m.format));
      array joined = packed_matmul(x, matrices);
      EXPECT_EQ(joined.shape(-1), 176);
      EXPECT_TRUE(array_equal(joined, concatenate(apart, -1)).item<bool>()) << shape;
    }
  }
}

TEST(PackedOps, ProductsOfFewRowsAgreeWithTheDequantisedMatrix) {
  struct Case {
    int64_t rows, columns, m;
  };
  for (PackedFormat format : {PackedFormat::q4_k, PackedFormat::q8_0, PackedFormat::q6_k}) {
    for (Dtype dtype : {float32, float16, bfloat16}) {
      for (Case c : {Case{35, 256, 1},
                     {300, 1024, 2},
                     {24, 4608, 1},
                     {200, 2560, 7},
                     {40, 512, 20},
                     {135, 1536, 10},
                     {260, 768, 64}}) {
        PackedMatrix m = matrix(format, c.rows, c.columns, 7);
        array full = packed_dequantize(m.w, m.format, float32);
        array x = filled({c.m, c.columns}, dtype, -1, 1, 3);
        array made = astype(packed_matmul(x, m.w, m.format), float32);
        array wanted = matmul(astype(x, float32), transpose(full));
        double bound = dtype == float32 ? 1e-5 : dtype == float16 ? 1e-3 : 8e-3;
        bound += testing::level_rounding(c.m);
        double most = max(abs(wanted)).item<float>();
        EXPECT_LE(max(abs(made - wanted)).item<float>(), bound * most)
            << packed_format_info(format).name << " " << c.rows << " " << c.columns << " " << c.m;
      }
    }
  }
}

TEST(PackedOps, DerivativesThroughSeveralMatrices) {
  std::vector<PackedMatrix> matrices = {matrix(PackedFormat::q5_0, 10, 64, 1),
                                        matrix(PackedFormat::q8_0, 3, 64, 2)};
  array x = filled({2, 64}, float32, -1, 1, 4);
  auto packed = [&](const array& v) { return sum(square(packed_matmul(v, matrices))); };
  auto plain = [&](const array& v) {
    array total = array(0.0f);
    for (const PackedMatrix& m : matrices) {
      total = total + sum(square(matmul(v, transpose(packed_dequantize(m.w, m.format)))));
    }
    return total;
  };
  EXPECT_TRUE(allclose(grad(packed)(x), grad(plain)(x), 1e-3, 1e-2).item<bool>());
}

TEST(PackedOps, RefusesMatricesThatDoNotFit) {
  array x = filled({2, 64}, float32, -1, 1, 4);
  EXPECT_THROW(packed_matmul(x, std::vector<PackedMatrix>{}), ArgumentError);
  EXPECT_THROW(packed_matmul(
                   x, {matrix(PackedFormat::q5_0, 4, 64, 1), matrix(PackedFormat::q5_0, 4, 96, 1)}),
               ArgumentError);
}

}  // namespace
}  // namespace lazuli
