// Gemma 3 on the demo's file: its logits against a float32 computation (bench/accuracy recorded
// it), and what a long decode takes from the planner and the system.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "compiler/plan.h"
#include "lazuli/io/gguf.h"
#include "lazuli/lazuli.h"
#include "llm/model.h"
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

// A position of the recording: its token and the likeliest continuations.
struct Position {
  int32_t token;
  std::vector<int32_t> ids;
  std::vector<double> log_probabilities;
};

std::vector<Position> recording() {
  std::ifstream file(std::string(LAZULI_SOURCE_DIR) + "/tests/models/data/gemma_reference.txt");
  std::vector<Position> positions;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    Position p{};
    words >> p.token;
    char colon;
    int32_t id;
    for (double value; words >> id >> colon >> value;) {
      p.ids.push_back(id);
      p.log_probabilities.push_back(value);
    }
    positions.push_back(p);
  }
  return positions;
}

array token_array(const std::vector<Position>& positions, size_t first, size_t count) {
  std::vector<int32_t> tokens;
  for (size_t i = first; i < first + count; ++i) tokens.push_back(positions[i].token);
  return array(tokens.begin(), Shape{1, static_cast<int64_t>(count)}, int32);
}

// How logits compare with the recording: first choices that agree, and the divergence over the
// recorded continuations.
struct Agreement {
  size_t positions = 0, same = 0;
  double divergence = 0;

  void add(const array& logits, const std::vector<Position>& wanted, size_t first) {
    array rows = reshape(logits, {-1, logits.shape(-1)});
    array best = argmax(rows, -1), total = logsumexp(rows, -1);
    eval({rows, best, total});
    for (int64_t i = 0; i < rows.shape(0); ++i) {
      const Position& p = wanted[first + static_cast<size_t>(i)];
      const float* row = rows.data<float>() + i * rows.shape(1);
      ++positions;
      same += best.data<uint32_t>()[i] == static_cast<uint32_t>(p.ids[0]);
      for (size_t k = 0; k < p.ids.size(); ++k) {
        double got = static_cast<double>(row[p.ids[k]]) - total.data<float>()[i];
        divergence += std::exp(p.log_probabilities[k]) * (p.log_probabilities[k] - got);
      }
    }
  }

  void expect_close() const {
    EXPECT_GE(static_cast<double>(same), 0.99 * static_cast<double>(positions));
    EXPECT_LE(std::abs(divergence) / static_cast<double>(positions), 1e-3);
  }
};

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
