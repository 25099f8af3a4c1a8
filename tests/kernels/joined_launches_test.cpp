// What the GPU does in one launch though it was asked for several things.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "backends/cuda/gpu.h"
#include "base/flags.h"
#include "kernels/packed_random.h"
#include "lazuli/lazuli.h"
#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::agrees;
using testing::filled;

class Joined : public ::testing::Test {
 protected:
  void SetUp() override {
    if (default_device() == Device(Device::cpu) || flags().fake_device) {
      GTEST_SKIP() << "no GPU is the default device";
    }
  }
  // A value that lies on the GPU.
  static array there(const array& a) {
    array b = copy(a);
    b.eval();
    return b;
  }
  static uint64_t launches_of(std::vector<array> outputs) {
    cuda::Queue& queue = cuda::queue_of(outputs[0].stream().index);
    uint64_t before = queue.launched();
    eval(std::move(outputs));
    return queue.launched() - before;
  }
};

TEST_F(Joined, ProductsOfOneOperand) {
  for (Dtype dtype : {float32, bfloat16}) {
    for (int64_t rows : {1, 5}) {
      array x = there(filled({rows, 512}, dtype, -1, 1, 1));
      std::vector<array> products;
      for (int64_t n : {96, 40, 17}) {
        array w = there(filled({n, 512}, dtype, -1, 1, static_cast<uint64_t>(n)));
        products.push_back(matmul(x, transpose(w)));
      }
      EXPECT_EQ(launches_of(products), 1u) << dtype_name(dtype) << " " << rows;
      EXPECT_TRUE(agrees(products, dtype == float32 ? 64 : 4));
    }
  }
}

array there_of(Shape shape, Dtype dtype, uint64_t seed) {
  array a = copy(filled(std::move(shape), dtype, -1, 1, seed));
  a.eval();
  return a;
}

double difference_of(const array& a, const array& b) {
  return max(abs(astype(a - b, float32))).item<float>();
}

// A sum, its norm and products of that: a layer's start. `at_once` or one after the other.
std::vector<array> row_and_products(Dtype dtype, int64_t k, bool held, bool at_once) {
  // Values whose squares do not add up without rounding.
  array third = array(1.0f / 3, dtype);
  array x = filled({1, 1, k}, dtype, -1, 1, 1) * third,
        y = filled({1, 1, k}, dtype, -1, 1, 2) * third;
  array weight = copy(filled({k}, dtype, 0.5, 1.5, 3));
  std::vector<array> ws, results;
  for (int64_t n : {96, 40, 17}) {
    ws.push_back(copy(filled({n, k}, dtype, -1, 1, static_cast<uint64_t>(n))));
  }
  std::vector<array> leaves{x, y, weight};
  leaves.insert(leaves.end(), ws.begin(), ws.end());
  eval(leaves);
  array sum = std::move(x) + std::move(y);
  array norm = fast::rms_norm(sum, weight, 1e-5f);
  if (!at_once) norm.eval();
  for (const array& w : ws) results.push_back(matmul(norm, transpose(w)));
  results.push_back(sum);
  if (held) results.push_back(norm);
  return results;
}

TEST_F(Joined, ARowAndItsProducts) {
  for (Dtype dtype : {float32, float16, bfloat16}) {
    for (int64_t k : {2048, 2560, 264, 4096, 64, 1000, 504, 760}) {
      for (bool held : {false, true}) {
        std::vector<array> joined = row_and_products(dtype, k, held, true);
        uint64_t count = launches_of(joined);
        EXPECT_EQ(count, k * int64_t{dtype.size()} <= 8 << 10 ? 1u : 2u)
            << dtype_name(dtype) << " " << k;
        std::vector<array> apart = row_and_products(dtype, k, held, false);
        for (size_t i = 0; i < joined.size(); ++i) {
          EXPECT_EQ(difference_of(joined[i], apart[i]), 0) << dtype_name(dtype) << " " << k;
        }
      }
    }
  }
}

// A gated layer: products of a row, or of its norm, and their combination.
struct Gated {
  array x, weight, gate, up;
  Gated(Dtype dtype, int64_t k)
      : x(there_of({1, 1, k}, dtype, 1)),
        weight(there_of({k}, dtype, 3)),
        gate(there_of({45, k}, dtype, 4)),
        up(there_of({45, k}, dtype, 5)) {}
  std::vector<array> results(bool norm, bool held, bool at_once) const;
};
std::vector<array> Gated::results(bool norm, bool held, bool at_once) const {
  array y = norm ? fast::rms_norm(x, weight, 1e-5f) : x;
  array gate = matmul(y, transpose(this->gate)), up = matmul(y, transpose(this->up));
  if (!at_once) eval({gate, up});
  array both = gate * sigmoid(gate) * up;
  if (held) return {both, gate, up};
  return {both};
}

TEST_F(Joined, ProductsAndWhatTakesThem) {
  for (Dtype dtype : {float32, float16, bfloat16}) {
    for (int64_t k : {64, 1024, 9728}) {
      Gated layer(dtype, k);
      for (bool norm : {false, true}) {
        for (bool held : {false, true}) {
          std::vector<array> joined = layer.results(norm, held, true);
          uint64_t count = launches_of(joined);
          if (!norm || k == 1024) {
            EXPECT_EQ(count, 1u) << dtype_name(dtype) << " " << k << norm << held;
          }
          std::vector<array> apart = layer.results(norm, held, false);
          double limit = std::sqrt(static_cast<double>(k)) * std::sqrt(static_cast<double>(k)) *
                         (dtype == float32   ? 1e-6
                          : dtype == float16 ? 1e-3
                                             : 1e-2);
          for (size_t i = 0; i < joined.size(); ++i) {
            EXPECT_LE(difference_of(joined[i], apart[i]), limit) << dtype_name(dtype) << " " << k;
          }
        }
      }
    }
  }
}

// A stream is given work by several threads.
TEST_F(Joined, WhatThreadsAskForAtOnce) {
  Gated layer(bfloat16, 1024);
  std::vector<array> apart = layer.results(true, true, false);
  eval(apart);
  std::vector<std::thread> threads;
  std::atomic<int> differ{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int k = 0; k < 25; ++k) {
        std::vector<array> joined = layer.results(true, true, true);
        eval(joined);
        for (size_t i = 0; i < joined.size(); ++i) {
          if (difference_of(joined[i], apart[i]) != 0) ++differ;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(differ, 0);
}

TEST_F(Joined, AProductAndItsBias) {
  for (Dtype dtype : {float32, bfloat16}) {
    array x = there_of({1, 512}, dtype, 1), w = there_of({70, 512}, dtype, 2);
    array bias = there_of({70}, dtype, 3);
    auto of = [&] {
      array y = matmul(x, transpose(w)) + bias;
      return std::vector<array>{maximum(y, array(0.0f, dtype))};
    };
    EXPECT_EQ(launches_of(of()), 1u) << dtype_name(dtype);
    EXPECT_TRUE(agrees(of(), dtype == float32 ? 64 : 8)) << dtype_name(dtype);
    // The norm that is multiplied is an operand of what follows: others may not have it yet.
    array square = there_of({512, 512}, dtype, 4), weight = there_of({512}, dtype, 5);
    auto gate = [&](bool at_once) {
      array norm = fast::rms_norm(x, weight, 1e-5f);
      array y = matmul(norm, transpose(square));
      if (!at_once) y.eval();
      return std::vector<array>{y * norm};
    };
    EXPECT_EQ(launches_of(gate(true)), 2u) << dtype_name(dtype);
    EXPECT_LE(difference_of(gate(true)[0], gate(false)[0]), dtype == float32 ? 1e-3 : 0.5);
  }
}

TEST_F(Joined, ARowThatIsAMatrixToo) {
  for (int64_t k : {2048, 4096}) {
    array x = there(filled({1, k}, bfloat16, -1, 1, 1));
    array w = there(filled({40, k}, bfloat16, -1, 1, 2));
    auto of = [&] {
      array row = softmax(x, -1);
      return std::vector<array>{matmul(row, transpose(row)), matmul(row, transpose(w))};
    };
    eval(of());
    EXPECT_TRUE(agrees(of(), 8)) << k;
  }
}

TEST_F(Joined, ProductsWithLevelsOfOneOperand) {
  for (Dtype dtype : {float16, bfloat16}) {
    array x = there(filled({1, 512}, dtype, -1, 1, 1));
    std::vector<array> products;
    for (int64_t n : {96, 40, 24}) {
      std::vector<array> q = quantize(filled({n, 512}, dtype, -1, 1, static_cast<uint64_t>(n)), 64);
      eval(q);
      products.push_back(quantized_matmul(x, q[0], q[1], q[2]));
    }
    EXPECT_EQ(launches_of(products), 1u) << dtype_name(dtype);
    EXPECT_TRUE(agrees(products, 8)) << dtype_name(dtype);
  }
}

TEST_F(Joined, ProductsWithBlocksOfOneOperand) {
  for (PackedFormat format : {PackedFormat::q8_0, PackedFormat::q6_k}) {
    int64_t k = format == PackedFormat::q8_0 ? 640 : 768;
    array x = there(filled({1, k}, bfloat16, -1, 1, 1));
    std::vector<array> products;
    for (int64_t n : {96, 40, 25}) {
      std::vector<std::byte> bytes = test::random_packed(format, n, k, static_cast<uint32_t>(n));
      const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
      array w = there(array(data, Shape{n, packed_row_bytes(format, k)}, uint8));
      products.push_back(packed_matmul(x, w, format));
    }
    EXPECT_EQ(launches_of(products), 1u) << packed_format_info(format).name;
    EXPECT_TRUE(agrees(products, 8)) << packed_format_info(format).name;
  }
}

struct Attention {
  array q, k, v, keys, values;

  static Attention of(Dtype dtype, bool norms) {
    array x = filled({2, 3, 16 * 64}, dtype, -1, 1, 1);
    auto heads = [&](int first, int count) {
      array part = slice(x, {0, 0, first * 64}, {2, 3, (first + count) * 64});
      array y = transpose(reshape(part, {2, 3, count, 64}), {0, 2, 1, 3});
      y = copy(y);
      y.eval();
      return y;
    };
    auto cache = [&](uint64_t seed) {
      array y = copy(filled({2, 4, 10, 64}, dtype, -1, 1, seed));
      y.eval();
      return y;
    };
    Attention a{heads(0, 8), heads(8, 4), heads(12, 4), cache(3), cache(4)};
    if (norms) {
      array w = filled({64}, dtype, 0.5, 1.5, 2);
      a.q = fast::rms_norm(a.q, w, 1e-5f);
      a.k = fast::rms_norm(a.k, w, 1e-5f);
    }
    for (array* turned : {&a.q, &a.k}) {
      *turned = fast::rope(*turned, 64, false, 10000.0f, 1.0f, 5);
    }
    Shape from{0, 0, 5, 0}, to{2, 4, 8, 64};
    a.keys = slice_update(std::move(a.keys), a.k, from, to);
    a.values = slice_update(std::move(a.values), a.v, from, to);
    return a;
  }
  std::vector<array> results() const { return {q, keys, values}; }
};

TEST_F(Joined, RotationsAndTheirUpdates) {
  for (Dtype dtype : {float32, float16, bfloat16}) {
    Attention a = Attention::of(dtype, false);
    std::vector<array> results = a.results();
    a.k = a.v = a.q;
    EXPECT_EQ(launches_of(results), 1u) << dtype_name(dtype);
    EXPECT_TRUE(agrees(Attention::of(dtype, false).results(), 2)) << dtype_name(dtype);
    // Norms come first, both of them in another launch.
    Attention normed = Attention::of(dtype, true);
    results = normed.results();
    normed.k = normed.v = normed.q;
    EXPECT_EQ(launches_of(results), 2u) << dtype_name(dtype);
    EXPECT_TRUE(agrees(Attention::of(dtype, true).results(), 4)) << dtype_name(dtype);
  }
}

TEST_F(Joined, StepsOfOneForm) {
  for (Dtype dtype : {float32, bfloat16}) {
    auto of = [&](int64_t columns) {
      std::vector<array> results;
      for (int64_t rows : {3, 2}) {
        array x = filled({rows, columns}, dtype, -1, 1, static_cast<uint64_t>(rows));
        results.push_back(softmax(there(x), -1));
      }
      return results;
    };
    for (int64_t columns : {64, 1000, 4096}) {
      EXPECT_EQ(launches_of(of(columns)), 1u) << dtype_name(dtype) << " " << columns;
      EXPECT_TRUE(agrees(of(columns), 16)) << dtype_name(dtype) << " " << columns;
    }
    // One that reads what the other writes.
    array x = there(filled({3, 64}, dtype, -1, 1, 1));
    auto twice = [&] {
      array y = softmax(x, -1);
      return std::vector<array>{y, softmax(slice(y, {1, 0}, {3, 64}), -1)};
    };
    EXPECT_EQ(launches_of(twice()), 2u);
    EXPECT_TRUE(agrees(twice(), 16));
  }
}

TEST_F(Joined, NothingThatDependsOnTheOther) {
  // A cache that is rotated into itself, and a rotation of what an update has made.
  auto caches = [] {
    array cache = there(filled({1, 2, 8, 64}, bfloat16, -1, 1, 3));
    array turned =
        fast::rope(slice(cache, {0, 0, 0, 0}, {1, 2, 4, 64}), 64, false, 100.0f, 1.0f, 1);
    cache = slice_update(std::move(cache), turned, {0, 0, 2, 0}, {1, 2, 6, 64});
    array again = fast::rope(cache, 64, false, 100.0f, 1.0f, 1);
    return std::vector<array>{cache, again};
  };
  std::vector<array> first = caches();
  EXPECT_GE(launches_of(first), 2u);
  EXPECT_TRUE(agrees(caches(), 2));
  array x = there(filled({1, 2, 8, 64}, bfloat16, -1, 1, 4));
  array twice = fast::rope(fast::rope(x, 64, false, 100.0f, 1.0f, 1), 64, false, 100.0f, 1.0f, 1);
  EXPECT_EQ(launches_of({twice}), 2u);
}

}  // namespace
}  // namespace lazuli
