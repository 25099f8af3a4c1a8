// Gemma 3 on the demo's file: its logits against a float32 computation (bench/accuracy recorded
// it), and what a long decode takes from the planner and the system.
#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

#include "compiler/plan.h"
#include "lazuli/io/gguf.h"
#include "lazuli/lazuli.h"
#include "llm/model.h"
#include "models/logits_recording.h"
#include "support/model_file.h"

namespace lazuli::models {
namespace {

const std::string model_path = testing::model_file("gemma-3-270m-q4_k_m.gguf");

#define NEED_MODEL() \
  if (!std::filesystem::exists(model_path)) GTEST_SKIP() << "./dev demo fetches " << model_path

const LanguageModel& model() {
  static const LanguageModel* loaded = open_model(gguf::open(model_path)).release();
  return *loaded;
}

std::vector<Position> recording() { return recorded_logits("gemma_reference.txt"); }

TEST(Gemma3, PrefillAgreesWithFloat32) {
  NEED_MODEL();
  std::vector<Position> wanted = recording();
  ASSERT_EQ(wanted.size(), 1024u);
  auto cache = model().make_cache();
  Agreement agreement;
  for (size_t at = 0; at < wanted.size(); at += 256) {
    agreement.add(model()(token_array(wanted, at, 256), cache, true), wanted, at);
  }
  agreement.expect_close();
}

TEST(Gemma3, TokenByTokenAgreesWithFloat32) {
  NEED_MODEL();
  std::vector<Position> wanted = recording();
  auto cache = model().make_cache();
  Agreement agreement;
  for (size_t at = 0; at < 128; ++at) {
    agreement.add(model()(token_array(wanted, at, 1), cache), wanted, at);
  }
  agreement.expect_close();
}

TEST(Gemma3, TheLastPositionAloneIsTheLastOfAll) {
  NEED_MODEL();
  std::vector<Position> wanted = recording();
  for (size_t count : {1, 2, 300, 700}) {
    auto one = model().make_cache(), other = model().make_cache();
    array last = model()(token_array(wanted, 0, count), one);
    array all = model()(token_array(wanted, 0, count), other, true);
    all = slice(all, {0, all.shape(1) - 1, 0}, all.shape());
    EXPECT_TRUE(allclose(last, all, 1e-2, 2e-2).item<bool>()) << count;
    // What follows sees the same keys and values.
    array next = model()(token_array(wanted, count, 1), one);
    array next_other = model()(token_array(wanted, count, 1), other);
    EXPECT_TRUE(allclose(next, next_other, 1e-2, 2e-2).item<bool>()) << count;
  }
}

// 256 tokens from position 400 on: the full caches grow at 512, where the windows are full too.
TEST(Gemma3, ALongDecodeReusesItsPlansAndItsMemory) {
  NEED_MODEL();
  std::vector<Position> wanted = recording();
  auto cache = model().make_cache();
  model()(token_array(wanted, 0, 400), cache).eval();
  auto step = [&](size_t at) { model()(token_array(wanted, at, 1), cache).eval(); };
  PlanCacheStatistics before = plan_cache_statistics();
  for (size_t at = 400; at < 528; ++at) step(at);
  size_t held = get_active_memory() + get_cache_memory();
  for (size_t at = 528; at < 656; ++at) step(at);
  PlanCacheStatistics after = plan_cache_statistics();
  // At most one plan for each of: the first step, which still computes the caches prefill left; a
  // step; the step that fills the windows, whose slice becomes the whole; the step in which the
  // full caches grow; and a step with full windows.
  EXPECT_LE(after.misses - before.misses, 5u);
  EXPECT_EQ(get_active_memory() + get_cache_memory(), held);
}

}  // namespace
}  // namespace lazuli::models
