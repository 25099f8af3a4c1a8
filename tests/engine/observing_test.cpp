// Seeing an evaluation: explain, the trace file, the check against the reference backend.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/flags.h"
#include "compiler/plan.h"
#include "engine/random_graph.h"
#include "runtime/registry.h"
#include "support/against_reference.h"
#include "support/temporary_folder.h"

namespace lazuli {
namespace {

using testing::filled;

// Sets a flag for a scope.
template <class T>
class Setting {
 public:
  Setting(T& flag, T value) : flag_(flag), before_(flag) { flag = value; }
  ~Setting() { flag_ = before_; }

 private:
  T& flag_;
  T before_;
};

TEST(Explain, SaysWhetherThePlanIsKnownAndWhatItsStepsAre) {
  clear_plan_cache();
  auto graph = [](int64_t n) { return softmax(filled({n, 7}, float32, -1, 1, 1) * 2.0f, -1); };
  EXPECT_NE(explain({graph(3)}).find("New plan: no plan is known yet"), std::string::npos);
  graph(3).eval();
  std::string known = explain({graph(5)});
  EXPECT_NE(known.find("The plan is known"), std::string::npos) << known;
  EXPECT_NE(known.find("fused ("), std::string::npos) << known;
  array lazy = graph(3);
  explain({lazy});
  EXPECT_FALSE(lazy.is_available());
}

TEST(Explain, NamesTheFactThatDiffers) {
  clear_plan_cache();
  auto graph = [](Shape shape, Dtype dtype) { return exp(filled(shape, dtype, -1, 1, 2)) + 1; };
  graph({3, 4}, float32).eval();
  auto reason = [&](Shape shape, Dtype dtype) { return explain({graph(shape, dtype)}); };
  EXPECT_NE(reason({3, 1}, float32).find("which extents are 0 or 1 of"), std::string::npos);
  EXPECT_NE(reason({3, 4}, float16).find("the dtype of"), std::string::npos);
  EXPECT_NE(reason({3}, float32).find("the rank of"), std::string::npos);
  array x = filled({3, 4}, float32, -1, 1, 2);
  EXPECT_NE(explain({sin(x) + 1}).find("the op of"), std::string::npos);
  array held = exp(x);
  EXPECT_NE(explain({held + 1}).find("which values are held"), std::string::npos);
}

TEST(Explain, NamesTheGuardThatFails) {
  clear_plan_cache();
  auto graph = [](int64_t m) {
    array x = filled({8, 16}, float32, -1, 1, 4), y = filled({8, m}, float32, -1, 1, 5);
    return y + sum(x, -1, true);
  };
  graph(16).eval();
  std::string text = explain({graph(32)});
  EXPECT_NE(text.find("is guarded"), std::string::npos) << text;
  EXPECT_NE(text.find("must have one shape"), std::string::npos) << text;
}

TEST(Debug, ShowsEveryPassAtLevelFive) {
  Setting<int> debug(flags().debug, 5);
  clear_plan_cache();
  ::testing::internal::CaptureStderr();
  softmax(filled({3, 7}, float32, -1, 1, 8), -1).eval();
  std::string text = ::testing::internal::GetCapturedStderr();
  auto shows = [&](const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  };
  for (const char* part : {"new plan: no plan is known yet", "after fuse:", "1 row axes",
                           "after schedule:", "after lifetimes:", "0 ends %0", "code of fused (",
                           " GF/s", "  fused ("}) {
    shows(part);
  }
  bool stages = default_device() == Device::cpu || flags().fake_device;
  for (const char* part : {"reduce max", "along the row:"}) {
    if (stages) shows(part);
  }
  if (!stages) shows("__global__ void");
}

TEST(Trace, HoldsEveryStepWithItsTime) {
  testing::TemporaryFolder folder;
  std::string path = folder.file("trace.json");
  {
    Setting<std::string> trace(flags().trace, path);
    array x = filled({64, 64}, float32, -1, 1, 6), row = filled({64}, float32, -1, 1, 7);
    eval(matmul(exp(broadcast_to(row, {64, 64})), x));
  }
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  auto events = nlohmann::json::parse(text + "]");
  ASSERT_EQ(events.size(), 3u);
  events.erase(0);
  EXPECT_EQ(events[1]["name"], "matmul");
  EXPECT_GT(events[1]["dur"].get<double>(), 0);
  EXPECT_EQ(events[1]["args"]["bytes"], 3 * 64 * 64 * 4);
  EXPECT_EQ(events[1]["args"]["flops"], 2 * 64 * 64 * 64);
  EXPECT_EQ(events[0]["args"]["flops"], 64 * 64);
  EXPECT_EQ(events[0]["args"]["bytes"], (64 + 64 * 64) * 4);
  // What products reach is known of real GPUs alone; the fake device has no peak at all.
  bool on_cpu = default_device() == Device::cpu;
  EXPECT_EQ(events[0]["args"]["share of peak"] > 0, on_cpu || !flags().fake_device);
  EXPECT_TRUE(events[1]["args"]["share of peak"] == 0 || !on_cpu);
}

TEST(Check, PassesRandomGraphs) {
  Setting<int> check(flags().check, 1);
  auto graphs = static_cast<uint64_t>(std::min(flags().test_graphs, 300));
  for (uint64_t seed = 0; seed < graphs; ++seed) {
    auto graph = testing::build(seed, 0);
    EXPECT_NO_THROW(eval(graph.outputs)) << "seed " << seed;
  }
}

// A step whose result is not what the reference computes is named.
TEST(Check, NamesAStepThatDiffers) {
  Setting<int> check(flags().check, 1);
  array x = filled({9}, float32, 0.5, 1, 7);
  x.eval();
  array y = exp(x);
  Graph graph;
  Node* outputs[] = {y.node()};
  collect(outputs, graph);
  auto plan = make_plan(graph);
  const Layout* reads[] = {&x.node()->value->layout};
  auto step_check = check_step(graph, plan->steps[0], reads);
  array wrong = x * 2.0f, right = exp(filled({9}, float32, 0.5, 1, 7));
  eval(wrong, right);
  const Layout* right_writes[] = {&right.node()->value->layout};
  EXPECT_EQ(step_check->difference(right_writes), "");
  const Layout* wrong_writes[] = {&wrong.node()->value->layout};
  EXPECT_NE(step_check->difference(wrong_writes).find("(exp), element 0"), std::string::npos);
}

TEST(Check, TakesAnyOrderBesideThePlaceOfAPartition) {
  Setting<int> check(flags().check, 1);
  array x = filled({3, 50}, float32, -1, 1, 7);
  EXPECT_NO_THROW(eval(partition(x, 20, 1), argpartition(x, 7, 1), topk(x, 5, 1)));
}

// One wrong boolean or integer is a difference, unless a float it is made of lay beside a jump.
TEST(Check, FindsOneWrongBooleanOrInteger) {
  Setting<int> check(flags().check, 1);
  array x = filled({900}, float32, 0.5, 1, 7);
  x.eval();
  auto difference = [&](auto make, const array& written) {
    array y = make();  // without what else an expression holds
    Graph graph;
    Node* outputs[] = {y.node()};
    collect(outputs, graph);
    auto plan = make_plan(graph);
    const Layout* reads[] = {&x.node()->value->layout};
    array kept = copy(written);
    kept.eval();
    const Layout* writes[] = {&kept.node()->value->layout};
    return check_step(graph, plan->steps[0], reads)->difference(writes);
  };
  auto with_one = [](const array& a, int value) {
    return slice_update(a, array(value, a.dtype()), {5}, {6});
  };
  EXPECT_EQ(difference([&] { return x != x; }, zeros({900}, bool_)), "");
  EXPECT_NE(difference([&] { return x != x; }, with_one(zeros({900}, bool_), 1)).find("element 5"),
            std::string::npos);
  array fives = full({900}, 5, int32);
  EXPECT_EQ(difference([&] { return astype(x * 0.5f + 5.2f, int32); }, fives), "");
  EXPECT_NE(difference([&] { return astype(x * 0.5f + 5.2f, int32); }, with_one(fives, 4)), "");
  array wide = array({65504.0f, 1.0f}, float16) * 3;
  array small = array({6e-8f, 1e-7f}, float16) * array(0.1f, float16);
  EXPECT_NO_THROW(eval(wide, small));  // infinite and 0; 196512 and 6e-9 in the reference
  // The quotient is one but for rounding.
  EXPECT_EQ(difference([&] { return astype(x / x, int32); }, with_one(ones({900}, int32), 0)), "");
  EXPECT_EQ(difference([&] { return x / x >= array(1.0f); }, with_one(ones({900}, bool_), 0)), "");
  EXPECT_NE(difference([&] { return x / x >= array(0.9f); }, with_one(ones({900}, bool_), 0)), "");
}

}  // namespace
}  // namespace lazuli
