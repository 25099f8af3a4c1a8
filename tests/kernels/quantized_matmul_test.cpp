#include "backends/cpu/kernels/quantized/quantized_matmul.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "backends/reference/quantized.h"
#include "base/thread_pool.h"
#include "kernels/packed_random.h"
#include "lazuli/error.h"
#include "support/guarded.h"

namespace lazuli {
namespace {

// A matrix in packed form with storage of its own.
template <class S>
struct Quantized {
  reference::QuantizedShape shape;
  std::vector<uint32_t> w_q;
  std::vector<S> scales, biases;

  explicit Quantized(const reference::QuantizedShape& s)
      : shape(s),
        w_q(static_cast<size_t>(s.rows * s.row_words())),
        scales(static_cast<size_t>(s.rows * s.row_groups())),
        biases(scales.size()) {}

  // Random levels under random scales and biases.
  Quantized(const reference::QuantizedShape& s, uint32_t seed) : Quantized(s) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (uint32_t& word : w_q) word = random();
    for (S& v : scales) v = S(normal(random) * 0.1f);
    for (S& v : biases) v = S(normal(random) * 0.3f);
  }

  cpu::QuantizedMatrix matrix() const {
    return {w_q.data(), scales.data(), biases.data(), TypeToDtype<S>::value,
            shape.rows, shape.columns, shape.group,   shape.bits};
  }
  std::vector<float> float_scales() const { return {scales.begin(), scales.end()}; }
  std::vector<float> float_biases() const { return {biases.begin(), biases.end()}; }

  bool operator==(const Quantized& other) const {
    return w_q == other.w_q && same(scales, other.scales) && same(biases, other.biases);
  }
  static bool same(const std::vector<S>& a, const std::vector<S>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(S)) == 0;
  }
};

template <class T>
void read(std::ifstream& file, std::vector<T>& values) {
  file.read(reinterpret_cast<char*>(values.data()),
            static_cast<std::streamsize>(values.size() * sizeof(T)));
  EXPECT_TRUE(file.good());
}

template <class S>
void expect_oracle(std::ifstream& file, const reference::QuantizedShape& shape) {
  std::vector<S> w(static_cast<size_t>(shape.rows * shape.columns));
  Quantized<S> oracle(shape), ours(shape), reference_form(shape);
  read(file, w);
  read(file, oracle.w_q);
  read(file, oracle.scales);
  read(file, oracle.biases);
  std::string name = std::string(dtype_name(TypeToDtype<S>::value)) + " " +
                     std::to_string(shape.bits) + " bits, groups of " + std::to_string(shape.group);
  std::vector<float> floats(w.begin(), w.end()), scales(ours.scales.size()), biases = scales;
  reference::quantize(floats.data(), shape, reference_form.w_q.data(), scales.data(),
                      biases.data());
  reference_form.scales.assign(scales.begin(), scales.end());
  reference_form.biases.assign(biases.begin(), biases.end());
  EXPECT_TRUE(reference_form == oracle) << name;
  test::for_each_target([&](const char* target) {
    cpu::quantize(w.data(), TypeToDtype<S>::value, shape.rows, shape.columns, shape.group,
                  shape.bits, ours.w_q.data(), ours.scales.data(), ours.biases.data());
    EXPECT_TRUE(ours == oracle) << name << " " << target;
  });
}

TEST(Quantize, IsBitEqualToMlx) {
  std::ifstream file(LAZULI_SOURCE_DIR "/tests/kernels/quantized_fixture.bin", std::ios::binary);
  uint32_t head[3];
  int cases = 0;
  for (; file.read(reinterpret_cast<char*>(head), sizeof head); ++cases) {
    reference::QuantizedShape shape{3, 128, static_cast<int>(head[1]), static_cast<int>(head[2])};
    if (head[0] == 0) expect_oracle<float>(file, shape);
    if (head[0] == 1) expect_oracle<bfloat16_t>(file, shape);
    if (head[0] == 2) expect_oracle<float16_t>(file, shape);
  }
  EXPECT_EQ(cases, 3 * 7 * 3);
}

TEST(Quantize, ManyRowsMatchTheReference) {
  for (int bits : {1, 2, 3, 4, 5, 6, 8}) {
    reference::QuantizedShape shape{301, 384, 64, bits};
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    std::vector<float> w(static_cast<size_t>(shape.rows * shape.columns));
    for (float& v : w) v = normal(random);
    Quantized<float> expected(shape), got(shape);
    reference::quantize(w.data(), shape, expected.w_q.data(), expected.scales.data(),
                        expected.biases.data());
    cpu::quantize(w.data(), float32, shape.rows, shape.columns, shape.group, bits, got.w_q.data(),
                  got.scales.data(), got.biases.data());
    EXPECT_TRUE(got == expected) << bits;
  }
}

TEST(Quantize, NanStaysInItsGroup) {
  std::vector<float> w(128, 1.0f);
  w[40] = std::nanf("");
  w[3] = 2.0f;
  Quantized<float> q({1, 128, 32, 4});
  cpu::quantize(w.data(), float32, 1, 128, 32, 4, q.w_q.data(), q.scales.data(), q.biases.data());
  std::vector<float> out(128);
  cpu::dequantize(q.matrix(), out.data(), float32);
  for (int i = 0; i < 128; ++i) EXPECT_EQ(std::isnan(out[i]), i / 32 == 1) << i;
  EXPECT_EQ(out[3], 2.0f);
}

template <class S, class T>
void expect_dequantized(double tolerance) {
  for (int bits : {1, 2, 3, 4, 5, 6, 8}) {
    for (int group : {32, 64, 128}) {
      Quantized<S> q({37, 384, group, bits}, 5);
      std::vector<double> expected(37 * 384);
      reference::dequantize(q.w_q.data(), q.float_scales().data(), q.float_biases().data(), q.shape,
                            expected.data());
      test::for_each_target([&](const char* target) {
        std::vector<T> out(expected.size());
        cpu::dequantize(q.matrix(), out.data(), TypeToDtype<T>::value);
        double worst = 0;
        for (size_t i = 0; i < out.size(); ++i) {
          double size = std::max(1e-3, std::abs(expected[i]));
          worst = std::max(worst, std::abs(static_cast<float>(out[i]) - expected[i]) / size);
        }
        EXPECT_LT(worst, tolerance) << bits << " " << group << " " << target;
      });
    }
  }
}

TEST(Dequantize, EveryFormMatchesTheReference) {
  expect_dequantized<float, float>(2e-3);  // where scale * level and bias cancel
  expect_dequantized<bfloat16_t, float>(2e-3);
  expect_dequantized<float16_t, float16_t>(5e-3);
  expect_dequantized<float, bfloat16_t>(8e-3);
}

// One product and what the reference gives for it.
template <class X, class S, class T>
struct Case {
  Quantized<S> w;
  bool transpose;
  int64_t m, n, k;
  std::vector<X> x;
  std::vector<T> out;
  std::vector<double> expected;
  double size = 0;  // the typical size of a result: root of the sum of all squared terms
  static constexpr int64_t gap = 3;  // elements between rows of x and out

  Case(const reference::QuantizedShape& shape, bool transposed, int64_t rows)
      : w(shape, 17),
        transpose(transposed),
        m(rows),
        n(transposed ? shape.rows : shape.columns),
        k(transposed ? shape.columns : shape.rows) {
    std::mt19937 random(19);
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<size_t>(m * k));
    x.resize(static_cast<size_t>(m * (k + gap)), X(std::nanf("")));
    for (int64_t i = 0; i < m * k; ++i) {
      X rounded(normal(random));
      values[i] = rounded;
      x[i / k * (k + gap) + i % k] = rounded;
    }
    expected.resize(static_cast<size_t>(m * n));
    std::vector<float> scales = w.float_scales(), biases = w.float_biases();
    reference::quantized_matmul(values.data(), m, w.w_q.data(), scales.data(), biases.data(), shape,
                                transpose, expected.data());
    std::vector<double> weights(static_cast<size_t>(n * k));
    reference::dequantize(w.w_q.data(), scales.data(), biases.data(), shape, weights.data());
    for (int64_t l = 0; l < k; ++l) {
      double x_squares = 0, w_squares = 0;
      for (int64_t i = 0; i < m; ++i) x_squares += std::pow(values[i * k + l], 2);
      for (int64_t j = 0; j < n; ++j) {
        w_squares += std::pow(weights[transpose ? j * k + l : l * n + j], 2);
      }
      size += x_squares * w_squares;
    }
    size = std::sqrt(size);
  }

  double error() {
    out.assign(static_cast<size_t>(m * (n + gap)), T(7.0f));
    cpu::quantized_matmul({x.data(), TypeToDtype<X>::value, k + gap, m, w.matrix(), transpose,
                           out.data(), TypeToDtype<T>::value, n + gap});
    double wrong = 0;
    for (int64_t i = 0; i < m * (n + gap); ++i) {
      int64_t row = i / (n + gap), column = i % (n + gap);
      double got = static_cast<float>(out[i]);
      if (column >= n) {
        if (got != 7.0) return std::numeric_limits<double>::infinity();
      } else {
        wrong += std::pow(got - expected[row * n + column], 2);
      }
    }
    return size == 0 ? wrong : std::sqrt(wrong) / size;
  }

  std::string name(const char* target) const {
    return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) + " bits " +
           std::to_string(w.shape.bits) + " group " + std::to_string(w.shape.group) +
           (transpose ? " transposed " : " plain ") + target;
  }
};

constexpr double float_tolerance = 8e-5;  // 15-bit x: see packed_matmul_test.cpp

class QuantizedMatmulRows : public ::testing::TestWithParam<int> {};

TEST_P(QuantizedMatmulRows, EveryFormAndTargetMatchesTheReference) {
  for (int bits : {1, 2, 3, 4, 5, 6, 8}) {
    for (int group : {32, 64, 128}) {
      for (bool transpose : {true, false}) {
        if (GetParam() > 33 && bits != 4 && bits != 8) continue;
        int64_t rows = 45, columns = 3 * 128;
        Case<float, float, float> c({rows, columns, group, bits}, transpose, GetParam());
        test::for_each_target([&](const char* target) {
          EXPECT_LT(c.error(), transpose ? float_tolerance : 1e-6) << c.name(target);
        });
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, QuantizedMatmulRows,
                         ::testing::Values(0, 1, 2, 3, 4, 7, 9, 16, 33, 512));

TEST(QuantizedMatmul, ShortAndLongRows) {
  for (int bits : {4, 8, 3}) {
    for (int64_t columns : {0, 32, 64, 96, 160, 2048, 4128}) {
      for (int64_t m : {1, 3, 6}) {
        for (bool transpose : {true, false}) {
          Case<float, float, float> c({7, columns, 32, bits}, transpose, m);
          test::for_each_target([&](const char* target) {
            EXPECT_LT(c.error(), transpose ? 4 * float_tolerance : 1e-6) << c.name(target);
          });
        }
      }
    }
  }
}

template <class X, class S, class T>
void expect_types(double tolerance) {
  for (int bits : {4, 8, 5}) {
    for (int64_t m : {1, 3, 40}) {
      for (bool transpose : {true, false}) {
        Case<X, S, T> c({64, 256, 64, bits}, transpose, m);
        test::for_each_target(
            [&](const char* target) { EXPECT_LT(c.error(), tolerance) << c.name(target); });
      }
    }
  }
}

TEST(QuantizedMatmul, HalfTypes) {
  expect_types<bfloat16_t, bfloat16_t, float>(float_tolerance);
  expect_types<float16_t, float16_t, float>(float_tolerance);
  expect_types<bfloat16_t, bfloat16_t, bfloat16_t>(3e-3);
  expect_types<float16_t, float16_t, float16_t>(4e-4);
  expect_types<float, bfloat16_t, float>(float_tolerance);
}

TEST(QuantizedMatmul, ThreadsDoNotChangeTheResult) {
  ThreadPool& pool = ThreadPool::instance();
  int threads = pool.threads();
  for (int64_t m : {1, 40}) {
    for (bool transpose : {true, false}) {
      Case<float, float, float> c({512, 1024, 64, 4}, transpose, m);
      pool.set_threads(1);
      c.error();
      std::vector<float> one = c.out;
      pool.set_threads(threads);
      c.error();
      EXPECT_EQ(one, c.out) << c.name("");
    }
  }
}

// A page behind each operand that cannot be read.
template <class S>
void multiply_guarded(const reference::QuantizedShape& shape, int64_t m, bool transpose) {
  using testing::Guarded;
  const Quantized<S> w(shape, 5);
  const int64_t k = transpose ? shape.columns : shape.rows;
  const int64_t n = transpose ? shape.rows : shape.columns;
  const std::vector<S> values(static_cast<size_t>(m * k), S(0.5f));
  std::vector<S> out(static_cast<size_t>(m * n));
  const Guarded x(values.data(), values.size() * sizeof(S));
  const Guarded w_q(w.w_q.data(), w.w_q.size() * 4);
  const Guarded scales(w.scales.data(), w.scales.size() * sizeof(S));
  const Guarded biases(w.biases.data(), w.biases.size() * sizeof(S));
  cpu::QuantizedMatrix matrix = w.matrix();
  matrix.w_q = static_cast<const uint32_t*>(w_q.data());
  matrix.scales = scales.data();
  matrix.biases = biases.data();
  const Dtype dtype = TypeToDtype<S>::value;
  cpu::quantized_matmul({x.data(), dtype, k, m, matrix, transpose, out.data(), dtype, n});
  std::vector<float> all(static_cast<size_t>(shape.rows * shape.columns));
  cpu::dequantize(matrix, all.data(), float32);
}

TEST(QuantizedMatmul, ReadsNothingBehindItsOperands) {
  test::for_each_target([&](const char*) {
    for (int bits : {1, 2, 3, 4, 5, 6, 8}) {
      for (int group : {32, 64}) {
        for (bool transpose : {true, false}) {
          for (int64_t m : {1, 3, 7}) {
            const reference::QuantizedShape shape{5, 3 * group, group, bits};
            multiply_guarded<float>(shape, m, transpose);
            multiply_guarded<bfloat16_t>(shape, m, transpose);
          }
        }
      }
    }
  });
}

TEST(QuantizedMatmul, InfinityAndNanFollowFloatArithmetic) {
  for (int64_t m : {1, 3, 40}) {
    for (bool transpose : {true, false}) {
      Case<float, float, float> c({64, 128, 32, 4}, transpose, m);
      c.x[0] = std::numeric_limits<float>::infinity();
      c.error();
      for (int64_t j = 0; j < c.n; ++j) EXPECT_FALSE(std::isfinite(c.out[j])) << c.name("");
      if (m == 1) continue;
      c.x[0] = 0;
      c.w.scales[1] = std::nanf("");
      c.error();
      int64_t bad = 0;
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < c.n; ++j) bad += std::isnan(c.out[i * (c.n + c.gap) + j]);
      }
      EXPECT_EQ(bad, transpose ? m : m * 32) << c.name("");
    }
  }
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const ArgumentError& error) {
    return error.message();
  }
  return "no error";
}

TEST(QuantizedMatmul, ErrorsNameTheMistake) {
  Quantized<float> q({4, 128, 64, 4}, 1);
  std::vector<float> x(128), out(512);
  auto product = [&](const cpu::QuantizedMatrix& w, Dtype dtype) {
    return message_of(
        [&] { cpu::quantized_matmul({x.data(), dtype, 128, 1, w, true, out.data(), float32, 4}); });
  };
  cpu::QuantizedMatrix w = q.matrix();
  EXPECT_EQ(product(w, float32), "no error");
  EXPECT_EQ(product(w, int32),
            "quantized_matmul: x must be float32, bfloat16 or float16, not int32; convert it with "
            "astype");
  w.bits = 7;
  EXPECT_EQ(product(w, float32),
            "quantized_matmul: no levels of 7 bits; use 1, 2, 3, 4, 5, 6 or 8 bits");
  w = q.matrix();
  w.group = 16;
  EXPECT_EQ(product(w, float32),
            "quantized_matmul: no groups of 16; use a group_size of 32, 64 or 128");
  w = q.matrix();
  w.columns = 100;
  EXPECT_EQ(product(w, float32),
            "quantized_matmul: a matrix of 4 x 100 has no whole groups of 64 in a row; its last "
            "dimension must be a multiple of the group_size");
}

}  // namespace
}  // namespace lazuli
