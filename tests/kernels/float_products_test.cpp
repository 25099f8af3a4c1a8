// Products with quantised and packed weights: accurate to float32 where x is float32, whatever else
// a row holds, and the same for few rows of halves as for many but for their rounding.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/packed_random.h"
#include "lazuli/lazuli.h"
#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::filled;

// Rows whose elements differ by up to 10^6: one large element in each, at another place.
array uneven(int64_t m, int64_t k) {
  array small = filled({m, k}, float32, -1e-3, 1e-3, 5);
  std::vector<float> values(static_cast<size_t>(m * k));
  small.eval();
  for (int64_t i = 0; i < m * k; ++i) values[static_cast<size_t>(i)] = small.data<float>()[i];
  for (int64_t row = 0; row < m; ++row) {
    values[static_cast<size_t>(row * k + (row * 37 + 11) % k)] = 1000;
  }
  return array(values.data(), {m, k}, float32);
}

// The largest error in units of sum |x| |w|, against sums of doubles. w is [n, k].
double relative_error(const array& made, const array& x, const array& w) {
  array wide_x = astype(x, float64, Device(Device::cpu)), wide_w = astype(w, float64, Device::cpu);
  array columns = transpose(wide_w, Device::cpu);
  array exact = matmul(wide_x, columns, Device::cpu);
  array scale = matmul(abs(wide_x, Device::cpu), abs(columns, Device::cpu), Device::cpu);
  array wide = astype(made, float64, Device::cpu);
  array error = abs(subtract(wide, exact, Device::cpu), Device::cpu);
  array share = divide(error, maximum(scale, array(1e-300, float64), Device::cpu), Device::cpu);
  return max(share, Device::cpu).item<double>();
}

constexpr double float32_error = 1e-6;

TEST(FloatProducts, QuantisedWeights) {
  for (int bits : {2, 3, 4, 5, 6, 8}) {
    for (int group : {32, 64, 128}) {
      for (bool transposed : {true, false}) {
        array w = filled({128, 384}, float32, -1, 1, 3);
        // Zeros, which scale and bias give by cancelling, meet the large elements.
        w = where(less(abs(w), array(0.3f)), array(0.0f), w);
        std::vector<array> q = quantize(w, group, bits);
        array dense = dequantize(q[0], q[1], q[2], group, bits);
        for (int64_t m : {1, 2, 4, 5, 33}) {
          array x = uneven(m, transposed ? 384 : 128);
          array made = quantized_matmul(x, q[0], q[1], q[2], transposed, group, bits);
          EXPECT_LE(relative_error(made, x, transposed ? dense : transpose(dense)), float32_error)
              << bits << " bits, groups of " << group << ", " << m << " rows, transposed "
              << transposed;
        }
      }
    }
  }
}

PackedMatrix matrix(PackedFormat format, int64_t rows, int64_t columns, uint32_t seed) {
  std::vector<std::byte> bytes = test::random_packed(format, rows, columns, seed);
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  return {array(data, Shape{rows, packed_row_bytes(format, columns)}, uint8), format};
}

TEST(FloatProducts, PackedWeights) {
  for (PackedFormat format : test::all_packed_formats()) {
    PackedMatrix m = matrix(format, 67, 1280, 7);
    array dense = packed_dequantize(m.w, format, float32);
    for (int64_t rows : {1, 2, 3, 4, 5, 40}) {
      array x = uneven(rows, 1280);
      EXPECT_LE(relative_error(packed_matmul(x, m.w, format), x, dense), float32_error)
          << packed_format_info(format).name << ", " << rows << " rows";
    }
  }
}

TEST(FloatProducts, ReducedPrecisionIsAChoice) {
  PackedMatrix m = matrix(PackedFormat::q4_k, 40, 512, 9);
  array dense = packed_dequantize(m.w, m.format, float32);
  array x = filled({2, 512}, float32, -1, 1, 1);
  double reduced = relative_error(packed_matmul(x, m.w, m.format, Precision::reduced), x, dense);
  EXPECT_LE(reduced, 1e-4);
  EXPECT_LE(relative_error(packed_matmul(x, m.w, m.format), x, dense), float32_error);
}

// How far rows computed together lie from rows computed alone, in roundings: a unit in the last
// place of the result and one of sqrt(sum x^2 w^2), the result's typical size.
double roundings_apart(const array& together, const array& alone, const array& x, const array& w,
                       Dtype dtype) {
  array a = astype(together, float32), b = astype(alone, float32);
  array typical = sqrt(matmul(square(astype(x, float32)), square(transpose(w))));
  double unit = dtype == float16 ? 0x1p-10 : 0x1p-7;
  array rounding = maximum(abs(a), abs(b)) * array(static_cast<float>(unit)) +
                   typical * array(static_cast<float>(unit));
  return max(abs(a - b) / rounding).item<float>();
}

template <class Product>
array one_by_one(const array& x, const Product& product) {
  std::vector<array> rows;
  for (int64_t i = 0; i < x.shape(0); ++i) {
    rows.push_back(product(slice(x, {i, 0}, {i + 1, x.shape(1)})));
  }
  return concatenate(rows, 0);
}

TEST(FloatProducts, RowsOfHalvesComputedTogetherAreThoseComputedAlone) {
  for (Dtype dtype : {float16, bfloat16}) {
    array x = filled({64, 1024}, dtype, -1, 1, 2);
    array w = filled({96, 1024}, dtype, -1, 1, 3);
    for (int bits : {4, 8}) {
      std::vector<array> q = quantize(w, 64, bits);
      auto product = [&](const array& v) {
        return quantized_matmul(v, q[0], q[1], q[2], true, 64, bits);
      };
      array dense = astype(dequantize(q[0], q[1], q[2], 64, bits), float32);
      double apart = roundings_apart(product(x), one_by_one(x, product), x, dense, dtype);
      EXPECT_LE(apart, 1) << bits << " bits, " << dtype_name(dtype);
    }
    for (PackedFormat format : {PackedFormat::q4_k, PackedFormat::q8_0, PackedFormat::q6_k}) {
      PackedMatrix m = matrix(format, 96, 1024, 5);
      auto product = [&](const array& v) { return packed_matmul(v, m.w, format); };
      array dense = packed_dequantize(m.w, format, float32);
      double apart = roundings_apart(product(x), one_by_one(x, product), x, dense, dtype);
      EXPECT_LE(apart, 1) << packed_format_info(format).name << ", " << dtype_name(dtype);
    }
  }
}

// Long sums with a large term among the first.
TEST(FloatProducts, DeepSums) {
  array w = filled({2048, 64}, float32, -1, 1, 3);
  std::vector<array> q = quantize(w, 64, 4);
  array dense = dequantize(q[0], q[1], q[2], 64, 4);
  std::vector<array> turned = quantize(transpose(w), 64, 4);
  array turned_dense = dequantize(turned[0], turned[1], turned[2], 64, 4);
  for (int64_t m : {1, 4, 33}) {
    array x = uneven(m, 2048);
    EXPECT_LE(
        relative_error(quantized_matmul(x, q[0], q[1], q[2], false, 64, 4), x, transpose(dense)),
        float32_error)
        << m << " rows";
    EXPECT_LE(relative_error(quantized_matmul(x, turned[0], turned[1], turned[2], true, 64, 4), x,
                             turned_dense),
              float32_error)
        << m << " rows, transposed";
  }
}

}  // namespace
}  // namespace lazuli
