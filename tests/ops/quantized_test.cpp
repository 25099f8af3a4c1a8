// Affine quantisation through the public ops.
#include <gtest/gtest.h>

#include <cmath>

#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::filled;

TEST(Affine, RoundTripsWithinHalfALevel) {
  for (int bits : {2, 3, 4, 5, 6, 8}) {
    for (int group : {32, 64, 128}) {
      array w = filled({5, 256}, float32, -1, 1, 1);
      auto parts = quantize(w, group, bits);
      EXPECT_EQ(parts[0].shape(), Shape({5, 256 * bits / 32}));
      array back = dequantize(parts[0], parts[1], parts[2], group, bits);
      float worst = max(abs(back - w)).item<float>();
      EXPECT_LE(worst, 2.0f / static_cast<float>((1 << bits) - 1)) << bits << " " << group;
    }
  }
}

TEST(Affine, ProductsAgreeWithTheDequantisedMatrix) {
  for (Dtype dtype : {float32, float16, bfloat16}) {
    for (int64_t m : {1, 3, 40}) {
      array w = filled({96, 128}, dtype, -1, 1, 2);
      auto q = quantize(w, 32, 4);
      array full = astype(dequantize(q[0], q[1], q[2], 32, 4), float32);
      array x = filled({m, 128}, dtype, -1, 1, 3), y = filled({2, m, 96}, dtype, -1, 1, 4);
      array by_rows = quantized_matmul(x, q[0], q[1], q[2], true, 32, 4);
      array by_columns = quantized_matmul(y, q[0], q[1], q[2], false, 32, 4);
      double bound = dtype == float32 ? 2e-3 : dtype == float16 ? 2e-2 : 1e-1;
      EXPECT_TRUE(allclose(by_rows, matmul(astype(x, float32), transpose(full)), bound, bound)
                      .item<bool>());
      EXPECT_TRUE(
          allclose(by_columns, matmul(astype(y, float32), full), bound, bound).item<bool>());
    }
  }
}

// Slabs of a row, tiles of rows and a tile that is not full (cuda/kernels/levels/slab_rows.cuh);
// tiles that blocks share, and scales that begin anywhere in 16 bytes (nibble_tiles.cuh).
TEST(Affine, ProductsOfFewRowsAgreeWithTheDequantisedMatrix) {
  struct Case {
    int64_t rows, columns, m;
    int group;
  };
  for (Dtype dtype : {float32, float16, bfloat16}) {
    for (Case c : {Case{40, 256, 1, 64},
                   {600, 512, 2, 64},
                   {24, 4608, 1, 64},
                   {600, 2560, 8, 64},
                   {48, 1280, 1, 128},
                   {64, 3072, 5, 128},
                   {35, 768, 3, 64},
                   {300, 1024, 16, 64},
                   {2200, 768, 9, 64},
                   {260, 1792, 17, 128},
                   {133, 2304, 33, 64},
                   {100, 256, 64, 128}}) {
      array w = filled({c.rows, c.columns}, dtype, -1, 1, 2);
      auto q = quantize(w, c.group, 4);
      array full = astype(dequantize(q[0], q[1], q[2], c.group, 4), float32);
      array x = filled({c.m, c.columns}, dtype, -1, 1, 3);
      array made = astype(quantized_matmul(x, q[0], q[1], q[2], true, c.group, 4), float32);
      array wanted = matmul(astype(x, float32), transpose(full));
      double bound = dtype == float32 ? 1e-5 : dtype == float16 ? 1e-3 : 8e-3;
      bound += testing::level_rounding(c.m);
      double most = max(abs(wanted)).item<float>();
      EXPECT_LE(max(abs(made - wanted)).item<float>(), bound * most)
          << c.rows << " " << c.columns << " " << c.m << " " << c.group;
    }
  }
}

TEST(Affine, TheDerivativeOfAProductIsTheMatrix) {
  array w = filled({64, 64}, float32, -1, 1, 5), x = filled({3, 64}, float32, -1, 1, 6);
  auto q = quantize(w);
  ScalarFunction f = [&](const array& v) { return sum(quantized_matmul(v, q[0], q[1], q[2])); };
  array wanted = broadcast_to(sum(dequantize(q[0], q[1], q[2]), 0), {3, 64});
  EXPECT_TRUE(allclose(grad(f)(x), wanted, 1e-4, 1e-4).item<bool>());
}

TEST(Affine, RefusesWhatDoesNotFit) {
  array w = filled({4, 128}, float32, -1, 1, 7);
  EXPECT_THROW(quantize(w, 48), ArgumentError);
  EXPECT_THROW(quantize(w, 64, 7), ArgumentError);
  EXPECT_THROW(quantize(filled({4, 100}, float32, -1, 1, 8)), ArgumentError);
  EXPECT_THROW(quantize(astype(w, int32)), TypeError);
  EXPECT_THROW(quantize(w, 64, 4, "mxfp4"), ArgumentError);
  auto q = quantize(w);
  EXPECT_THROW(quantized_matmul(filled({2, 64}, float32, -1, 1, 9), q[0], q[1], q[2]),
               ArgumentError);
  EXPECT_THROW(dequantize(q[0], q[1], std::nullopt), ArgumentError);
}

}  // namespace
}  // namespace lazuli
