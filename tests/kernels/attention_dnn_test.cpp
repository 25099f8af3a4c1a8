// Attention by cuDNN against the reference backend, on a GPU where cuDNN is installed.
#include <gtest/gtest.h>

#include <thread>

#include "backends/cuda/dnn/dnn.h"
#include "backends/cuda/kernels/attention/attention.h"
#include "base/flags.h"
#include "lazuli/lazuli.h"
#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::agrees;
using testing::filled;

class DnnAttention : public ::testing::Test {
 protected:
  void SetUp() override {
    bool on_gpu = default_device() == Device(Device::gpu) && !flags().fake_device;
    if (!on_gpu) GTEST_SKIP() << "the default device is no NVIDIA GPU (LAZULI_GPU=1)";
    if (!cuda::find_dnn()) GTEST_SKIP() << "cuDNN 9.19 or newer is not there";
    flags().cudnn = 2;
  }
  void TearDown() override { flags().cudnn = 1; }
};

array attend(const array& q, const array& k, const array& v, const std::string& mode) {
  return fast::scaled_dot_product_attention(q, k, v, 0.3f, mode);
}

// Whether cuDNN is what computes the arrays.
::testing::AssertionResult served(const std::vector<array>& outputs) {
  uint64_t before = cuda::attention_runs_by_dnn();
  ::testing::AssertionResult agreed = agrees(outputs, 2);
  uint64_t runs = cuda::attention_runs_by_dnn() - before;
  if (!agreed || runs == outputs.size()) return agreed;
  return ::testing::AssertionFailure() << "cuDNN served " << runs << " of " << outputs.size();
}

TEST_F(DnnAttention, AgreesForEverySizeAndGroup) {
  struct Sizes {
    int64_t batch, heads, key_heads, queries, keys, size, value_size;
  };
  const Sizes sizes[] = {
      {1, 4, 1, 200, 200, 64, 64},  {2, 4, 2, 130, 300, 128, 128}, {1, 2, 2, 128, 128, 256, 256},
      {1, 2, 2, 150, 150, 192, 96}, {1, 2, 1, 129, 131, 72, 72},   {1, 4, 1, 9, 512, 128, 128},
  };
  for (Dtype dtype : {float16, bfloat16}) {
    for (const Sizes& s : sizes) {
      array q = filled({s.batch, s.heads, s.queries, s.size}, dtype, -1, 1, 1);
      array k = filled({s.batch, s.key_heads, s.keys, s.size}, dtype, -1, 1, 2);
      array v = filled({s.batch, s.key_heads, s.keys, s.value_size}, dtype, -1, 1, 3);
      EXPECT_TRUE(served({attend(q, k, v, "")})) << q.shape() << k.shape() << v.shape();
      EXPECT_TRUE(served({attend(q, k, v, "causal")})) << q.shape() << k.shape() << v.shape();
    }
  }
}

TEST_F(DnnAttention, ReadsStridesAsTheyLie) {
  // Heads beside each other for each token, as a projection writes them; and parts of a cache.
  array q = transpose(filled({2, 150, 4, 64}, bfloat16, -1, 1, 1), {0, 2, 1, 3});
  array k = filled({2, 2, 256, 64}, bfloat16, -1, 1, 2);
  array v = transpose(filled({2, 256, 2, 64}, bfloat16, -1, 1, 3), {0, 2, 1, 3});
  eval({q, k, v});
  k = slice(k, {0, 0, 5, 0}, {2, 2, 205, 64}), v = slice(v, {0, 0, 5, 0}, {2, 2, 205, 64});
  for (const char* mode : {"", "causal"}) EXPECT_TRUE(served({attend(q, k, v, mode)})) << mode;
}

TEST_F(DnnAttention, OneProblemHasOnePlanForEveryScale) {
  array q = filled({1, 2, 128, 64}, float16, -1, 1, 1),
        k = filled({1, 2, 128, 64}, float16, -1, 1, 2);
  for (float scale : {0.05f, 1.0f}) {
    EXPECT_TRUE(served({fast::scaled_dot_product_attention(q, k, k, scale, "causal")})) << scale;
  }
}

TEST_F(DnnAttention, ManyProblemsOneAfterTheOther) {
  // More than are remembered: plans are dropped while kernels of theirs are queued.
  array q = filled({1, 1, 150, 64}, bfloat16, -1, 1, 1);
  std::vector<array> outputs;
  for (int64_t n = 10; n < 150; ++n) {
    array part = slice(q, {0, 0, 0, 0}, {1, 1, n, 64});
    outputs.push_back(attend(part, part, part, "causal"));
  }
  EXPECT_TRUE(served(outputs));
}

TEST_F(DnnAttention, ThreadsTakeTurns) {
  array q = filled({1, 2, 140, 64}, bfloat16, -1, 1, 1), wanted = attend(q, q, q, "causal");
  EXPECT_TRUE(served({wanted}));
  std::vector<array> outputs(4, wanted);
  std::vector<std::thread> threads;
  for (array& out : outputs) {
    threads.emplace_back([&] {
      StreamContext context(new_stream(default_device()));
      for (int k = 0; k < 50; ++k) {
        out = attend(q, q, q, "causal");
        out.eval();
      }
      synchronize();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const array& out : outputs) EXPECT_TRUE(array_equal(out, wanted).item<bool>());
}

TEST_F(DnnAttention, LeavesTheRestToOtherKernels) {
  array q = filled({1, 2, 40, 64}, bfloat16, -1, 1, 1),
        k = filled({1, 2, 30, 64}, bfloat16, -1, 1, 2);
  array mask = filled({40, 30}, bool_, 0, 1, 3), sinks = filled({2}, bfloat16, -1, 1, 4);
  array wide = filled({1, 2, 40, 320}, bfloat16, -1, 1, 5),
        odd = filled({1, 2, 40, 36}, bfloat16, -1, 1, 6);
  array repeated = broadcast_to(filled({1, 1, 40, 64}, bfloat16, -1, 1, 7), {1, 2, 40, 64});
  std::vector<array> outputs = {
      attend(q, k, k, "causal"),  // the first queries see nothing
      fast::scaled_dot_product_attention(q, k, k, 0.3f, "array", mask),
      fast::scaled_dot_product_attention(q, k, k, 0.3f, "", std::nullopt, sinks),
      attend(wide, wide, wide, ""),
      attend(odd, odd, odd, ""),
      attend(q, repeated, repeated, ""),
  };
  uint64_t before = cuda::attention_runs_by_dnn();
  EXPECT_TRUE(agrees(outputs, 2));
  EXPECT_EQ(cuda::attention_runs_by_dnn(), before);
}

TEST_F(DnnAttention, TheFlagLeavesItOut) {
  flags().cudnn = 0;
  array q = filled({1, 2, 256, 64}, bfloat16, -1, 1, 1);
  uint64_t before = cuda::attention_runs_by_dnn();
  EXPECT_TRUE(agrees({attend(q, q, q, "causal")}, 2));
  EXPECT_EQ(cuda::attention_runs_by_dnn(), before);
}

}  // namespace
}  // namespace lazuli
