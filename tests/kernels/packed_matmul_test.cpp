#include "backends/cpu/kernels/packed/packed_matmul.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "backends/reference/packed.h"
#include "base/thread_pool.h"
#include "kernels/packed_random.h"
#include "lazuli/error.h"

namespace lazuli {
namespace {

std::vector<float> random_floats(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = normal(random);
  return values;
}

template <class T>
std::vector<T> converted(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

// One product, its float32 or half operands, and what the reference gives for it.
template <class X, class T>
struct Case {
  PackedFormat format;
  int64_t m, n, k;
  std::vector<std::byte> w;
  std::vector<X> x;
  std::vector<T> out;
  std::vector<double> expected;
  double size = 0;  // the typical size of a result: root of the sum of all squared terms
  static constexpr int64_t gap = 3;  // elements between rows of x and out

  Case(PackedFormat f, int64_t rows, int64_t columns, int64_t depth)
      : format(f), m(rows), n(columns), k(depth), w(test::random_packed(f, n, k, 11)) {
    std::vector<float> values = random_floats(m * k, 13);
    std::vector<X> rounded = converted<X>(values);
    for (size_t i = 0; i < values.size(); ++i) values[i] = rounded[i];
    expected.resize(static_cast<size_t>(m * n));
    reference::packed_matmul(f, values.data(), w.data(), m, n, k, expected.data());
    measure(values);
    x.resize(static_cast<size_t>(m * (k + gap)), X(std::nanf("")));
    for (int64_t i = 0; i < m * k; ++i) x[i / k * (k + gap) + i % k] = rounded[i];
  }

  void measure(const std::vector<float>& values) {
    std::vector<float> weights(static_cast<size_t>(n * k));
    reference::dequantize(format, w.data(), n * k, weights.data());
    for (int64_t l = 0; l < k; ++l) {
      double x_squares = 0, w_squares = 0;
      for (int64_t i = 0; i < m; ++i) x_squares += std::pow(values[i * k + l], 2);
      for (int64_t j = 0; j < n; ++j) w_squares += std::pow(weights[j * k + l], 2);
      size += x_squares * w_squares;
    }
    size = std::sqrt(size);
  }

  cpu::PackedMatmul product() {
    out.assign(static_cast<size_t>(m * (n + gap)), T(7.0f));
    return {x.data(),   TypeToDtype<X>::value, k + gap, m, n, k, w.data(), format,
            out.data(), TypeToDtype<T>::value, n + gap};
  }

  // The error over the whole result, relative to its typical size; infinite if anything beside it was written.
  double error() const {
    double wrong = 0;
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n + gap; ++j) {
        double got = static_cast<float>(out[i * (n + gap) + j]);
        if (j >= n) {
          if (got != 7.0) return std::numeric_limits<double>::infinity();
          continue;
        }
        double want = expected[i * n + j];
        wrong += (got - want) * (got - want);
      }
    }
    return size == 0 ? wrong : std::sqrt(wrong) / size;
  }

  std::string name(const char* target) const {
    return std::string(packed_format_info(format).name) + " " + std::to_string(m) + "x" +
           std::to_string(n) + "x" + std::to_string(k) + " " + target;
  }
};

// 15-bit x: the step is 6e-5 of the largest element of a run of 32, which is 2.4 deviations for
// normal values, and the error of rounding to it is step / sqrt(12): 4.2e-5 in all.
constexpr double float_tolerance = 8e-5;  // one row of x deviates more than many

// Many rows meet weights of 12 bits for each 128 columns: a step of 1 / 2047 of the largest, which
// blocks of a few bits exceed by up to a bit, is 2e-4 of normal values.
double tolerance_for(int64_t m) { return m <= 4 ? float_tolerance : 8e-4; }

class PackedMatmulShapes : public ::testing::TestWithParam<int> {};

TEST_P(PackedMatmulShapes, EveryFormatAndTargetMatchesTheReference) {
  const int64_t m = GetParam();
  for (PackedFormat format : test::all_packed_formats()) {
    for (int64_t k : {0, 256, 768, 2048}) {
      if (m > 33 && k == 2048) continue;
      Case<float, float> c(format, m, k == 768 ? 67 : 33, k);
      test::for_each_target([&](const char* target) {
        cpu::packed_matmul(c.product());
        EXPECT_LT(c.error(), tolerance_for(m)) << c.name(target);
      });
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, PackedMatmulShapes,
                         ::testing::Values(0, 1, 2, 3, 7, 8, 9, 16, 33, 512));

TEST(PackedMatmul, BlocksOf32AllowShortRows) {
  for (PackedFormat format : test::all_packed_formats()) {
    if (packed_format_info(format).block_elements != 32) continue;
    for (int64_t k : {32, 64, 96, 160, 640}) {
      for (int64_t m : {1, 4, 40}) {
        for (int64_t n : {1, 5, 70}) {
          Case<float, float> c(format, m, n, k);
          test::for_each_target([&](const char* target) {
            cpu::packed_matmul(c.product());
            EXPECT_LT(c.error(), 4 * tolerance_for(m)) << c.name(target);
          });
        }
      }
    }
  }
}

TEST(PackedMatmul, ThreadsDoNotChangeTheResult) {
  ThreadPool& pool = ThreadPool::instance();
  int threads = pool.threads();
  for (PackedFormat format : test::all_packed_formats()) {
    for (int64_t m : {1, 40}) {
      Case<float, float> c(format, m, 515, 512);
      pool.set_threads(1);
      cpu::packed_matmul(c.product());
      std::vector<float> one = c.out;
      pool.set_threads(threads);
      cpu::packed_matmul(c.product());
      EXPECT_EQ(one, c.out) << c.name("");
    }
  }
}

template <class X, class T>
void expect_half(double tolerance) {
  for (PackedFormat format : test::all_packed_formats()) {
    for (int64_t m : {1, 3, 40}) {
      Case<X, T> c(format, m, 37, 512);
      test::for_each_target([&](const char* target) {
        cpu::packed_matmul(c.product());
        EXPECT_LT(c.error(), tolerance + tolerance_for(m)) << c.name(target);
      });
    }
  }
}

TEST(PackedMatmul, HalfOperandsAndResults) {
  expect_half<bfloat16_t, float>(0);
  expect_half<float16_t, float>(0);
  expect_half<bfloat16_t, bfloat16_t>(3e-3);
  expect_half<float16_t, float16_t>(4e-4);
  expect_half<float, bfloat16_t>(3e-3);
}

TEST(PackedMatmul, ManyShareOneOperand) {
  for (int64_t m : {1, 5, 48}) {
    std::vector<Case<float, float>> cases;
    for (PackedFormat format : test::all_packed_formats()) {
      cases.emplace_back(format, m, 30 + 5 * static_cast<int64_t>(cases.size()), 512);
    }
    std::vector<cpu::PackedMatmul> products;
    for (Case<float, float>& c : cases) {
      products.push_back(c.product());
      products.back().x = cases.front().x.data();
    }
    cpu::packed_matmul_many(products);
    for (Case<float, float>& c : cases) EXPECT_LT(c.error(), tolerance_for(m)) << c.name("");
  }
}

// Blocks with infinite and NaN scales: not finite where the reference is not, right elsewhere.
TEST(PackedMatmul, BrokenScalesStayInTheirRows) {
  const float bad[] = {std::numeric_limits<float>::infinity(),
                       -std::numeric_limits<float>::infinity(), std::nanf("")};
  for (PackedFormat format : test::all_packed_formats()) {
    for (int64_t m : {1, 2, 40}) {
      Case<float, float> c(format, m, 35, 512);
      int64_t row_bytes = packed_row_bytes(format, c.k);
      for (int64_t row : {3, 16, 34}) {
        std::byte* block = c.w.data() + row * row_bytes;
        test::set_half(block + test::scale_offsets(format).back(), bad[row % 3]);
      }
      test::for_each_target([&](const char* target) {
        cpu::packed_matmul(c.product());
        for (int64_t row : {3, 16, 34}) {
          for (int64_t i = 0; i < m; ++i) {
            float& got = c.out[static_cast<size_t>(i * (c.n + c.gap) + row)];
            EXPECT_FALSE(std::isfinite(got)) << c.name(target);
            got = static_cast<float>(c.expected[static_cast<size_t>(i * c.n + row)]);
          }
        }
        EXPECT_LT(c.error(), tolerance_for(m)) << c.name(target);
      });
    }
  }
}

TEST(PackedMatmul, InfinityAndNanInXFollowFloatArithmetic) {
  for (PackedFormat format : test::all_packed_formats()) {
    for (int64_t m : {1, 3, 40}) {
      Case<float, float> c(format, m, 20, 512);
      c.x[100] = std::numeric_limits<float>::infinity();
      std::vector<float> row(c.x.begin(), c.x.begin() + c.k);
      std::vector<double> expected(static_cast<size_t>(c.n));
      reference::packed_matmul(format, row.data(), c.w.data(), 1, c.n, c.k, expected.data());
      cpu::packed_matmul(c.product());
      for (int64_t j = 0; j < c.n; ++j) {
        double got = c.out[static_cast<size_t>(j)], want = expected[static_cast<size_t>(j)];
        EXPECT_TRUE(got == want || (std::isnan(got) && std::isnan(want)))
            << got << " " << want << c.name("");
        c.out[static_cast<size_t>(j)] = static_cast<float>(c.expected[static_cast<size_t>(j)]);
      }
      EXPECT_LT(c.error(), tolerance_for(m)) << c.name("");
    }
  }
}

TEST(PackedMatmul, TinyAndHugeOperands) {
  for (float scale : {1e-38f, 1e-33f, 1e-20f, 1e20f, 1e36f}) {
    Case<float, float> c(PackedFormat::q8_0, 2, 9, 512);
    for (float& v : c.x) v *= scale;
    for (double& v : c.expected) v *= scale;
    c.size *= scale;
    cpu::packed_matmul(c.product());
    if (scale > 1e-30f) {
      EXPECT_LT(c.error(), float_tolerance) << scale;
    } else {
      for (int64_t j = 0; j < c.n; ++j) EXPECT_LT(std::abs(c.out[j]), 1e-28f) << scale;
    }
  }
}

std::string message_of(const cpu::PackedMatmul& product) {
  try {
    cpu::packed_matmul(product);
  } catch (const ArgumentError& error) {
    return error.message();
  }
  return "no error";
}

TEST(PackedMatmul, ErrorsNameTheMistake) {
  Case<float, float> c(PackedFormat::q4_k, 2, 3, 256);
  cpu::PackedMatmul product = c.product();
  product.k = 100;
  EXPECT_EQ(message_of(product),
            "packed_matmul of x [2, 100] with Q4_K weights [3, 100]: k must be a multiple of the "
            "block of 256 elements; pad the weights before they are packed");
  product = c.product();
  product.x_dtype = int32;
  EXPECT_NE(message_of(product).find("x must be float32, bfloat16 or float16, not int32"),
            std::string::npos);
  product = c.product();
  product.out_row_stride = 2;
  EXPECT_NE(message_of(product).find("the result's rows overlap"), std::string::npos);
  cpu::PackedMatmul two[] = {c.product(), c.product()};
  two[1].m = 1;
  EXPECT_THROW(cpu::packed_matmul_many(two), ArgumentError);
}

}  // namespace
}  // namespace lazuli
