// Products of dense, packed and quantised matrices through the public API, in every size and layout
// that picks another kernel of some backend, against the reference backend.
#include <gtest/gtest.h>

#include <cmath>

#include "backends/reference/packed.h"
#include "backends/reference/quantized.h"
#include "kernels/packed_random.h"
#include "lazuli/lazuli.h"
#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::filled;
using testing::Laid;
using testing::laid_out;

// The largest difference from what is wanted, in units of its typical size.
double error_of(const array& a, const std::vector<std::complex<double>>& wanted) {
  std::vector<std::complex<double>> got = testing::values_of(a);
  if (got.size() != wanted.size()) return HUGE_VAL;
  double squares = 0, worst = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    squares += std::norm(wanted[i]);
    double difference = std::abs(got[i] - wanted[i]);
    worst = std::isnan(difference) ? HUGE_VAL : std::max(worst, difference);
  }
  return got.empty() ? 0 : worst / std::sqrt(squares / static_cast<double>(got.size()) + 1e-30);
}

double error_of(const array& a) {
  Node* node = a.node();
  reference::Tensor tensor = reference::interpret({&node, 1}).front();
  std::vector<std::complex<double>> wanted(tensor.complex.begin(), tensor.complex.end());
  if (!tensor.is_complex()) wanted.assign(tensor.real.begin(), tensor.real.end());
  return error_of(a, wanted);
}

std::vector<float> floats_of(const array& a) {
  std::vector<float> floats;
  for (std::complex<double> value : testing::values_of(a)) {
    floats.push_back(static_cast<float>(value.real()));
  }
  return floats;
}

double rounding_of(Dtype dtype) {
  if (dtype == bfloat16) return 2e-2;
  if (dtype == float16) return 3e-3;
  return dtype == float64 ? 1e-12 : 1e-5;
}

const Dtype inexact_dtypes[] = {float32, float16, bfloat16, float64, complex64};

TEST(Products, DenseOnesOfEverySize) {
  for (Dtype dtype : inexact_dtypes) {
    for (int64_t m : {1, 2, 3, 8, 9, 70}) {
      for (int64_t n : {1, 5, 8, 64, 130}) {
        for (int64_t k : {1, 8, 40, 257, 600}) {
          array x = filled({m, k}, dtype, -1, 1, 1), rows = filled({n, k}, dtype, -1, 1, 2);
          array columns = filled({k, n}, dtype, -1, 1, 3);
          EXPECT_LE(error_of(matmul(x, transpose(rows))), rounding_of(dtype))
              << dtype_name(dtype) << m << " " << n << " " << k;
          EXPECT_LE(error_of(matmul(x, columns)), rounding_of(dtype))
              << dtype_name(dtype) << m << " " << n << " " << k;
        }
      }
    }
  }
}

TEST(Products, FewRowsAgainstManyColumns) {
  for (Dtype dtype : {float32, float16, bfloat16}) {
    for (int64_t m : {1, 2, 4, 7}) {
      array x = filled({m, 320}, dtype, -1, 1, 1), w = filled({320, 5000}, dtype, -1, 1, 2);
      EXPECT_LE(error_of(matmul(x, w)), rounding_of(dtype)) << dtype_name(dtype) << m;
      array y = filled({5000, m}, dtype, -1, 1, 3);
      EXPECT_LE(error_of(matmul(transpose(y), filled({5000, 24}, dtype, -1, 1, 4))),
                rounding_of(dtype));
      EXPECT_LE(error_of(matmul(transpose(w), transpose(x))), rounding_of(dtype));
    }
  }
}

// Several tiles a block, several chunks of K a warp.
TEST(Products, FewRowsAgainstManyLongRows) {
  for (Dtype dtype : {float32, float16, bfloat16}) {
    for (int64_t m : {1, 3, 8}) {
      array x = filled({2, m, 2600}, dtype, -1, 1, 1), w = filled({2, 211, 2600}, dtype, -1, 1, 2);
      EXPECT_LE(error_of(matmul(x, swapaxes(w, 1, 2))), rounding_of(dtype)) << dtype_name(dtype);
    }
  }
}

// Weights that a kernel just before has written where others lay a replay ago.
TEST(Products, FewRowsOfWhatHasJustBeenMade) {
  for (uint64_t turn = 0; turn < 6; ++turn) {
    for (auto [m, n, k] : {std::tuple{1, 24, 4608}, {2, 600, 512}, {3, 35, 768}, {2, 216, 512}}) {
      array x = filled({m, k}, float32, -1, 1, turn + 1);
      array w = filled({n, k}, float16, -1, 1, turn + 9);
      array y = matmul(x, transpose(astype(w * 2, float32)));
      EXPECT_LE(error_of(y), rounding_of(float32)) << turn << " " << m << " " << n << " " << k;
    }
  }
}

// They may run as one launch, up to a number of matrices; one that reads another's result may not.
TEST(Products, SeveralOfOneOperand) {
  for (Dtype dtype : {float32, float16, bfloat16}) {
    for (int64_t m : {1, 2, 6}) {
      array x = filled({m, 2600}, dtype, -1, 1, 1);
      std::vector<array> products;
      for (int64_t n : {96, 7, 300, 33, 1, 64}) {
        array w = filled({n, 2600}, dtype, -0.02, 0.02, static_cast<uint64_t>(n + 50));
        products.push_back(matmul(x, transpose(w)));
      }
      array w = filled({40, 2600}, dtype, -0.02, 0.02, 3);
      products.push_back(matmul(x, transpose(w * slice(products[2], {0, 5}, {1, 6}))));
      EXPECT_LE(error_of(concatenate(products, 1)), 2 * rounding_of(dtype)) << dtype_name(dtype);
    }
  }
}

TEST(Products, BatchesInEveryLayout) {
  for (Dtype dtype : inexact_dtypes) {
    for (Laid laid : testing::all_layouts) {
      array x = laid_out({3, 1, 5, 24}, dtype, -1, 1, 1, laid);
      array y = laid_out({2, 24, 16}, dtype, -1, 1, 2, laid);
      EXPECT_LE(error_of(matmul(x, y)), rounding_of(dtype)) << dtype_name(dtype) << name_of(laid);
      EXPECT_LE(error_of(matmul(swapaxes(y, 1, 2), swapaxes(x, 2, 3))), rounding_of(dtype));
      array one = laid_out({4, 7, 1, 24}, dtype, -1, 1, 3, laid);
      EXPECT_LE(error_of(matmul(one, filled({24, 40}, dtype, -1, 1, 4))), rounding_of(dtype));
    }
  }
}

struct Packed {
  std::vector<std::byte> bytes;
  array w;
  PackedFormat format;
  int64_t rows, columns;

  std::vector<float> values() const {
    std::vector<float> all(static_cast<size_t>(rows * columns));
    reference::dequantize(format, bytes.data(), rows * columns, all.data());
    return all;
  }
  // The error of x times this.
  double product_error(const array& x) const {
    int64_t m = x.shape(0);
    std::vector<double> out(static_cast<size_t>(m * rows));
    reference::packed_matmul(format, floats_of(x).data(), bytes.data(), m, rows, columns,
                             out.data());
    return error_of(packed_matmul(x, w, format), {out.begin(), out.end()});
  }
};

Packed packed_matrix(PackedFormat format, int64_t rows, int64_t columns, uint32_t seed) {
  std::vector<std::byte> bytes = test::random_packed(format, rows, columns, seed);
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  array w(data, Shape{rows, packed_row_bytes(format, columns)}, uint8);
  return {std::move(bytes), w, format, rows, columns};
}

TEST(Products, PackedOnesOfEveryFormat) {
  for (PackedFormat format : test::all_packed_formats()) {
    const PackedFormatInfo& info = packed_format_info(format);
    for (int64_t k : {int64_t{256}, int64_t{info.block_elements} * 18}) {
      Packed w = packed_matrix(format, 37, k, 1);
      for (Dtype dtype : {float32, float16, bfloat16}) {
        for (int64_t m : {1, 2, 3, 6, 8, 16, 40}) {
          // The CPU's activations are integers of 14 or 15 bits.
          double bound = dtype == float32 ? 5e-3 : 2 * rounding_of(dtype);
          EXPECT_LE(w.product_error(filled({m, k}, dtype, -1, 1, 2)), bound)
              << info.name << " " << dtype_name(dtype) << m << " " << k;
        }
      }
    }
  }
}

TEST(Products, PackedRowsAndValuesAreExact) {
  for (PackedFormat format : test::all_packed_formats()) {
    Packed w = packed_matrix(format, 11, packed_format_info(format).block_elements * 9, 3);
    std::vector<float> values = w.values(), rows;
    const int indices[] = {3, -1, 0, 10, -11};
    for (int index : indices) {
      auto row = values.begin() + (index < 0 ? index + 11 : index) * w.columns;
      rows.insert(rows.end(), row, row + w.columns);
    }
    EXPECT_EQ(floats_of(packed_dequantize(w.w, format, float32)), values);
    array taken = packed_take(w.w, format, array(indices, {5}, int32), float32);
    EXPECT_EQ(floats_of(taken), rows);
    for (Dtype dtype : {float16, bfloat16}) {
      array rounded = astype(array(values.data(), {11, w.columns}, float32), dtype);
      EXPECT_EQ(floats_of(packed_dequantize(w.w, format, dtype)), floats_of(rounded));
    }
  }
}

struct Quantised {
  array w, scales, biases;
  reference::QuantizedShape shape;

  double product_error(const array& x, bool transpose) const {
    int64_t m = x.shape(0), n = transpose ? shape.rows : shape.columns;
    std::vector<double> out(static_cast<size_t>(m * n));
    std::vector<uint32_t> levels(w.data<uint32_t>(), w.data<uint32_t>() + w.size());
    reference::quantized_matmul(floats_of(x).data(), m, levels.data(), floats_of(scales).data(),
                                floats_of(biases).data(), shape, transpose, out.data());
    array product = quantized_matmul(x, w, scales, biases, transpose, shape.group, shape.bits);
    return error_of(product, {out.begin(), out.end()});
  }
};

// Quantised by the CPU: only the product is another backend's.
Quantised quantised(const array& values, int group, int bits) {
  auto parts = quantize(values, group, bits, "affine", Device(Device::cpu));
  eval(parts);
  return {parts[0], parts[1], parts[2], {values.shape(0), values.shape(1), group, bits}};
}

void check_quantised(int group, int bits, Dtype dtype) {
  Quantised w = quantised(filled({72, 384}, dtype, -1, 1, 1), group, bits);
  for (int64_t m : {1, 3, 8, 16, 33, 70}) {
    array x = filled({m, 384}, dtype, -1, 1, 2), y = filled({m, 72}, dtype, -1, 1, 3);
    double bound = dtype == float32 ? 5e-3 : 2 * rounding_of(dtype);
    EXPECT_LE(w.product_error(x, true), bound)
        << bits << " " << group << " " << dtype_name(dtype) << m;
    EXPECT_LE(w.product_error(y, false), bound)
        << bits << " " << group << " " << dtype_name(dtype) << m;
  }
}

TEST(Products, QuantisedOnesOfEveryKind) {
  for (Dtype dtype : {float32, float16, bfloat16}) {
    for (int bits : {2, 3, 4, 5, 6, 8}) check_quantised(64, bits, dtype);
    for (int group : {32, 128}) check_quantised(group, 4, dtype);
  }
}

// More rows than a GPU's blocks take at once, and chunks that warps share out evenly or not.
TEST(Products, LevelsOfFourBitsInManyTiles) {
  for (Dtype dtype : {float16, bfloat16}) {
    for (int64_t k : {16 * 256, 17 * 256}) {
      array values = filled({330, k}, dtype, -1, 1, 1);
      Quantised small = quantised(values, 64, 4), large = quantised(values, 128, 4);
      Packed packed = packed_matrix(PackedFormat::q4_k, 330, k, 1);
      for (int64_t m : {1, 8}) {
        array x = filled({m, k}, dtype, -1, 1, 2);
        EXPECT_LE(small.product_error(x, true), 2 * rounding_of(dtype)) << m << " " << k;
        EXPECT_LE(large.product_error(x, true), 2 * rounding_of(dtype)) << m << " " << k;
        EXPECT_LE(packed.product_error(x), 2 * rounding_of(dtype)) << m << " " << k;
      }
    }
  }
}

// Matrices of one tile to three, which blocks share or not, for every number of columns that
// kernels are made for, with some to spare or none.
TEST(Products, LevelsOfFourBitsByTensOfRows) {
  struct Case {
    int64_t rows, k;
  };
  for (Dtype dtype : {float16, bfloat16}) {
    for (Case c : {Case{70, 512}, {200, 9 * 256}, {330, 768}}) {
      array values = filled({c.rows, c.k}, dtype, -1, 1, 1);
      Quantised small = quantised(values, 64, 4), large = quantised(values, 128, 4);
      Packed packed = packed_matrix(PackedFormat::q4_k, c.rows, c.k, 1);
      for (int64_t m : {11, 16, 21, 32, 35, 64}) {
        array x = filled({m, c.k}, dtype, -1, 1, 2);
        EXPECT_LE(small.product_error(x, true), 2 * rounding_of(dtype)) << m << " " << c.rows;
        EXPECT_LE(large.product_error(x, true), 2 * rounding_of(dtype)) << m << " " << c.rows;
        EXPECT_LE(packed.product_error(x), 2 * rounding_of(dtype)) << m << " " << c.rows;
      }
    }
  }
}

// Products of some tens of rows make weights of bfloats smaller than they are on the way
// (cuda/kernels/levels/nibble_formats.cuh).
TEST(Products, LevelsOfFourBitsOfEveryMagnitude) {
  for (double most : {0x1p-40, 0x1p-20, 1.0, 0x1p20, 0x1p40}) {
    array values = filled({200, 768}, bfloat16, -most, most, 1);
    array x = filled({24, 768}, bfloat16, -1, 1, 2);
    EXPECT_LE(quantised(values, 64, 4).product_error(x, true), 4 * rounding_of(bfloat16)) << most;
  }
}

// Few rows of x: rows of levels that are whole 16 bytes or not, in one slab or several, chunks that
// end early, and tiles for every warp of a GPU.
TEST(Products, PackedRowsOfEveryLength) {
  struct Case {
    int64_t rows, blocks, m = 1;
  };
  for (PackedFormat format :
       {PackedFormat::q8_0, PackedFormat::q5_0, PackedFormat::q4_0, PackedFormat::q6_k}) {
    const PackedFormatInfo& info = packed_format_info(format);
    for (Case c : {Case{19, 1},
                   {37, 2},
                   {33, 3},
                   {1, 20},
                   {130, 20},
                   {53, 70},
                   {21, 130},
                   {34500, 2},
                   {130, 20, 3},
                   {53, 70, 2},
                   {21, 130, 4},
                   {34500, 2, 3}}) {
      if (c.rows > 1000 && info.block_elements == 256) c.blocks = 1;
      Packed w = packed_matrix(format, c.rows, c.blocks * info.block_elements, 5);
      for (Dtype dtype : {float32, float16, bfloat16}) {
        double bound = dtype == float32 ? 5e-3 : 2 * rounding_of(dtype);
        EXPECT_LE(w.product_error(filled({c.m, w.columns}, dtype, -1, 1, 2)), bound)
            << info.name << " " << dtype_name(dtype) << " " << c.rows << " " << w.columns << " "
            << c.m;
      }
    }
  }
}

// An element of x that is no finite number leaves none in the products of its row, whose elements
// may be whole numbers of a common unit on the way; other rows do not see it.
TEST(Products, LevelsByWhatIsNotFinite) {
  constexpr int64_t rows = 40, k = 512;
  Quantised affine = quantised(filled({rows, k}, bfloat16, -1, 1, 1), 64, 4);
  auto products_of = [&](const array& x) {
    std::vector<array> products{
        quantized_matmul(x, affine.w, affine.scales, affine.biases, true, 64, 4)};
    for (PackedFormat format : {PackedFormat::q4_k, PackedFormat::q8_0, PackedFormat::q6_k,
                                PackedFormat::q5_0, PackedFormat::q4_0}) {
      products.push_back(packed_matmul(x, packed_matrix(format, rows, k, 2).w, format));
    }
    return products;
  };
  for (float bad : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
    for (int64_t m : {1, 2, 4, 8, 20}) {
      array there = equal(arange(static_cast<double>(m * k)), array(263.0f));
      array x = where(reshape(there, {m, k}), array(bad), filled({m, k}, float32, -1, 1, 3));
      for (const array& product : products_of(astype(x, bfloat16))) {
        std::vector<float> values = floats_of(astype(product, float32));
        for (int64_t i = 0; i < m * rows; ++i) {
          EXPECT_EQ(std::isfinite(values[static_cast<size_t>(i)]), i >= rows) << bad << " " << m;
        }
      }
    }
  }
}

TEST(Products, PackedViewsOfRows) {
  for (PackedFormat format : {PackedFormat::q8_0, PackedFormat::q5_0, PackedFormat::q6_k}) {
    const PackedFormatInfo& info = packed_format_info(format);
    int64_t k = info.block_elements == 256 ? 768 : 640, row_bytes = packed_row_bytes(format, k);
    Packed all = packed_matrix(format, 70, k, 6);
    array x = filled({1, k}, bfloat16, -1, 1, 2);
    for (int64_t first : {1, 3, 8, 16}) {
      Packed part{all.bytes, slice(all.w, {first, 0}, {first + 37, row_bytes}), format, 37, k};
      part.bytes.erase(part.bytes.begin(), part.bytes.begin() + first * row_bytes);
      EXPECT_LE(part.product_error(x), 2 * rounding_of(bfloat16)) << info.name << " " << first;
    }
  }
}

TEST(Products, QuantisedValuesAreTheCpus) {
  for (int bits : {2, 3, 4, 5, 6, 8}) {
    for (int group : {32, 64, 128}) {
      for (Dtype dtype : {float32, float16, bfloat16}) {
        array values = filled({3, 5, 256}, dtype, -2, 3, 4);
        auto wanted = quantize(values, group, bits, "affine", Device(Device::cpu));
        auto got = quantize(values, group, bits);
        for (size_t k = 0; k < 3; ++k) {
          EXPECT_EQ(floats_of(got[k]), floats_of(wanted[k])) << bits << " " << group << " " << k;
        }
        auto back = [&](Device device) {
          return floats_of(
              dequantize(wanted[0], wanted[1], wanted[2], group, bits, "affine", device));
        };
        EXPECT_EQ(back(default_device()), back(Device::cpu));
      }
    }
  }
}

}  // namespace
}  // namespace lazuli
