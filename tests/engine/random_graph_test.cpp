// Random graphs agree with the reference backend, fused and unfused, and through cached plans.
#include "engine/random_graph.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/flags.h"
#include "compiler/plan.h"
#include "ops/rows.h"
#include "runtime/run.h"
#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::RandomGraph;

constexpr double slack = 60;  // errors add up along a graph

// How often each row of the tables and each situation came up; the full run must have seen all.
void report(const testing::Coverage& coverage, int64_t graphs) {
  std::string text;
  for (const auto& [what, times] : coverage) text += " " + what + ":" + std::to_string(times);
  std::printf("coverage of %lld graphs:%s\n", static_cast<long long>(graphs), text.c_str());
  if (graphs < 100000) return;
  auto at_least = [&](const std::string& what, int64_t least) {
    auto found = coverage.find(what);
    EXPECT_GE(found == coverage.end() ? 0 : found->second, least) << what;
  };
  for (const testing::Row& row : testing::unary_rows()) {
    if (row.accepts != Accepts::Complex) at_least(row.name, 500);
  }
  for (const testing::Row& row : testing::binary_rows()) at_least(row.name, 500);
  for (const char* what : {"held", "leaves given away", "slice_update", "second stream", "extent 0",
                           "extent 1", "slice", "transpose", "broadcast_to", "softmax", "matmul"}) {
    at_least(what, 500);
  }
}

TEST(RandomGraphs, AgreeWithTheReference) {
  testing::Coverage coverage;
  int64_t graphs = flags().test_graphs;
  for (int64_t seed = flags().test_first; seed < flags().test_first + graphs; ++seed) {
    RandomGraph g = testing::build(static_cast<uint64_t>(seed), 0, &coverage);
    ASSERT_TRUE(testing::agrees(g.outputs, slack)) << "seed " << seed;
  }
  report(coverage, graphs);
}

TEST(RandomGraphs, TakeBuffersOver) {
  uint64_t before = take_overs(),
           graphs = static_cast<uint64_t>(std::min(flags().test_graphs, 500));
  for (uint64_t seed = 0; seed < graphs; ++seed) eval(testing::build(seed, 0).outputs);
  EXPECT_GT(take_overs(), before + graphs / 5);
}

TEST(RandomGraphs, GiveTheSameThroughACachedPlan) {
  int64_t graphs = flags().test_graphs;
  int64_t first = flags().test_first;
  for (int64_t seed = first; seed < first + graphs; ++seed) {
    uint64_t id = static_cast<uint64_t>(seed) + 500000;
    eval(testing::build(id, 1).outputs);
    RandomGraph through_cache = testing::build(id, 2);
    eval(through_cache.outputs);
    clear_plan_cache();
    RandomGraph fresh = testing::build(id, 2);
    eval(fresh.outputs);
    for (size_t k = 0; k < fresh.outputs.size(); ++k) {
      ASSERT_TRUE(array_equal(through_cache.outputs[k], fresh.outputs[k], true).item<bool>())
          << "seed " << id << " output " << k;
    }
  }
}

TEST(RandomGraphs, AgreeUnfused) {
  flags().fusion = 0;
  clear_plan_cache();
  int64_t graphs = flags().test_graphs;
  for (int64_t seed = 0; seed < graphs; ++seed) {
    RandomGraph g = testing::build(static_cast<uint64_t>(seed), 0);
    EXPECT_TRUE(testing::agrees(g.outputs, slack)) << "seed " << seed;
    if (HasFailure()) break;
  }
  flags().fusion = 1;
  clear_plan_cache();
}

}  // namespace
}  // namespace lazuli
