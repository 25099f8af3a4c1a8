// The Llama family on SmolLM2-135M-Instruct and Qwen2.5-Coder-0.5B-Instruct: logits against a
// float32 computation (bench/accuracy recorded it), an answer, and what a long decode takes from
// the planner and the system.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "compiler/plan.h"
#include "lazuli/io/gguf.h"
#include "lazuli/lazuli.h"
#include "llm/generate.h"
#include "llm/model.h"
#include "models/logits_recording.h"
#include "support/model_file.h"

namespace lazuli::models {
namespace {

struct Case {
  const char* name;  // as ./dev models has it
  const char* file;
  const char* recording;
  size_t positions;  // of the recording
  size_t tensors;
};

// The model of a case; one at a time is open.
const LanguageModel& model_of(const Case& which) {
  static std::string name;
  static std::unique_ptr<LanguageModel> model;
  if (name != which.name) {
    model = open_model(gguf::open(testing::model_file(which.file)));
    name = which.name;
  }
  return *model;
}

class Llama : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    path_ = testing::model_file(GetParam().file);
    if (!std::filesystem::exists(path_)) {
      GTEST_SKIP() << "./dev models " << GetParam().name << " fetches " << path_;
    }
    wanted_ = recorded_logits(GetParam().recording);
    ASSERT_EQ(wanted_.size(), GetParam().positions);
  }
  const LanguageModel& model() const { return model_of(GetParam()); }

  std::string path_;
  std::vector<Position> wanted_;
};

TEST_P(Llama, EveryTensorIsUsed) {
  EXPECT_EQ(model().weights().size(), GetParam().tensors);
  EXPECT_EQ(gguf::open(path_).tensors().size(), GetParam().tensors);
}

TEST_P(Llama, PrefillAgreesWithFloat32) {
  auto cache = model().make_cache();
  Agreement agreement;
  agreement.add(model()(token_array(wanted_, 0, wanted_.size()), cache, true), wanted_, 0);
  agreement.expect_close();
}

TEST_P(Llama, TokenByTokenAgreesWithFloat32) {
  auto cache = model().make_cache();
  Agreement agreement;
  for (size_t at = 0; at < 64; ++at) {
    agreement.add(model()(token_array(wanted_, at, 1), cache), wanted_, at);
  }
  agreement.expect_close();
}

TEST_P(Llama, TheLastPositionAloneIsTheLastOfAll) {
  for (size_t count : {1, 2, 100}) {
    auto one = model().make_cache(), other = model().make_cache();
    array last = model()(token_array(wanted_, 0, count), one);
    array all = model()(token_array(wanted_, 0, count), other, true);
    EXPECT_EQ(all.shape(1), static_cast<int64_t>(count));
    all = slice(all, {0, all.shape(1) - 1, 0}, all.shape());
    EXPECT_TRUE(allclose(last, all, 1e-2, 2e-2).item<bool>()) << count;
  }
}

// Both models have ChatML's template; its text is written out.
TEST_P(Llama, Answers) {
  Tokenizer tokenizer = Tokenizer::from_gguf(gguf::open(path_));
  GenerateOptions options;
  options.tokens_max = 40;
  GenerateResult result = generate(
      model(), tokenizer,
      "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
      "Face<|im_end|>\n<|im_start|>user\nWhat is the capital of France?<|im_end|>\n"
      "<|im_start|>assistant\n",
      options, [](const std::string&) { return true; });
  EXPECT_EQ(result.text, "The capital of France is Paris.");
  EXPECT_TRUE(result.ended);
}

// The caches have room for multiples of 256 positions: they grow once, at the 129th step.
TEST_P(Llama, ALongDecodeReusesItsPlansAndItsMemory) {
  auto cache = model().make_cache();
  auto step = [&](size_t i) { model()(token_array(wanted_, i % 128, 1), cache).eval(); };
  model()(token_array(wanted_, 0, 128), cache).eval();
  PlanCacheStatistics before = plan_cache_statistics();
  for (size_t i = 0; i < 136; ++i) step(i);
  size_t held = get_active_memory() + get_cache_memory();
  for (size_t i = 136; i < 200; ++i) step(i);
  PlanCacheStatistics after = plan_cache_statistics();
  // The first step, which still computes what prefill left; a step; one whose caches grow, and the
  // one behind it.
  EXPECT_LE(after.misses - before.misses, 4u);
  EXPECT_EQ(get_active_memory() + get_cache_memory(), held);
}

INSTANTIATE_TEST_SUITE_P(Models, Llama,
                         ::testing::Values(Case{"smollm2", "smollm2-135m-instruct-q4_1.gguf",
                                                "smollm2_reference.txt", 256, 272},
                                           Case{"qwen2", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
                                                "qwen2_reference.txt", 128, 291}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace lazuli::models
