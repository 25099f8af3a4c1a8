// Random graphs agree with the reference backend, fused and unfused, and through cached plans.
#include "engine/random_graph.h"

#include <gtest/gtest.h>

#include "base/flags.h"
#include "compiler/plan.h"
#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::RandomGraph;

constexpr double slack = 60;  // errors add up along a graph

TEST(RandomGraphs, AgreeWithTheReference) {
  testing::Coverage coverage;
  int64_t graphs = flags().test_graphs;
  for (int64_t seed = 0; seed < graphs; ++seed) {
    RandomGraph g = testing::build(static_cast<uint64_t>(seed), 0, &coverage);
    ASSERT_TRUE(testing::agrees(g.outputs, slack)) << "seed " << seed;
  }
  for (const auto& [what, times] : coverage) RecordProperty(what, static_cast<int>(times));
}

TEST(RandomGraphs, GiveTheSameThroughACachedPlan) {
  int64_t graphs = flags().test_graphs / 4;
  for (int64_t seed = 0; seed < graphs; ++seed) {
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
  int64_t graphs = flags().test_graphs / 4;
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
