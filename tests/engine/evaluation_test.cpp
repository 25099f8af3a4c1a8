// Evaluation: long chains, threads, streams, taking buffers over, failures, plans.
#include <gtest/gtest.h>

#include <thread>

#include "compiler/plan.h"
#include "core/node.h"
#include "lazuli/interrupt.h"
#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::filled;

TEST(Evaluation, OfAMillionChainedOps) {
  array x = array({1.0f, 2.0f, 3.0f});
  array y = x;
  for (int i = 0; i < 1000000; ++i) y = y + 1;
  EXPECT_EQ(y.shape(), x.shape());
  EXPECT_EQ(sum(y).item<float>(), 3000006.0f);
}

TEST(Evaluation, OfAMillionChainedOpsThatAreNeverEvaluated) {
  array y = array(0.0f);
  for (int i = 0; i < 1000000; ++i) y = y + 1;
}

TEST(Plans, AreReusedAtOtherSizesAndScalars) {
  auto run = [](int64_t n, float scale) {
    array x = filled({n, 7}, float32, -1, 1, 1);
    (softmax(x * scale, -1) + x).eval();
  };
  run(3, 2.0f);
  auto before = plan_cache_statistics();
  run(5, 3.0f);
  run(1000, 4.0f);
  auto after = plan_cache_statistics();
  EXPECT_EQ(after.misses, before.misses);
}

TEST(Plans, TellExtentsOfOneFromOthers) {
  for (int64_t n : {3, 1, 4}) {
    array x = filled({n, 5}, float32, -1, 1, 2), y = filled({3 == n ? 3 : 1, 5}, float32, -1, 1, 3);
    EXPECT_TRUE(testing::agrees({x + y, sum(x, 0, true) * y}));
  }
}

TEST(Plans, GuardRowsOfDifferentLength) {
  for (int64_t m : {16, 32, 16}) {
    array x = filled({8, 16}, float32, -1, 1, 4), y = filled({8, m}, float32, -1, 1, 5);
    EXPECT_TRUE(testing::agrees({y + sum(x, -1, true)}));
  }
}

TEST(Plans, TellAxesApart) {
  array x = filled({4, 5}, float32, -1, 1, 6);
  for (int axis : {1, 0, 1}) EXPECT_TRUE(testing::agrees({sum(exp(x), axis)})) << axis;
}

TEST(Plans, TellEdgesApart) {
  array x = filled({20}, float32, -1, 1, 6), y = filled({20}, float32, -1, 1, 7);
  EXPECT_TRUE(testing::agrees({(x - y) - x}));
  EXPECT_TRUE(testing::agrees({(x - y) - y}));
  EXPECT_TRUE(testing::agrees({(y - x) - (y - x) * x}));
}

TEST(Plans, GuardTwoSweepsThatBecameOne) {
  for (int64_t m : {16, 32, 16}) {
    array x = filled({8, 16}, float32, -1, 1, 4), y = filled({8, m}, float32, -1, 1, 5);
    EXPECT_TRUE(testing::agrees({sum(exp(x), -1, true) * sum(exp(y), -1, true)}));
  }
}

TEST(Buffers, AreTakenOverWhenNobodyElseHasThem) {
  array x = filled({1 << 16}, float32, -1, 1, 6);
  x.eval();
  const void* place = x.data<float>();
  array y = x * 2;
  x = array(0.0f);
  y.eval();
  EXPECT_EQ(y.data<float>(), place);
}

TEST(Buffers, AreNotTakenFromHandlesViewsOrForeignMemory) {
  array x = filled({1 << 10}, float32, -1, 1, 7);
  auto before = testing::values_of(x);
  array y = x * 2;
  y.eval();
  EXPECT_EQ(testing::values_of(x), before);
  array view = slice(x, {0}, {512});
  view.eval();
  array z = x + 1;
  auto kept = testing::values_of(view);
  x = array(0.0f);
  z.eval();
  EXPECT_EQ(testing::values_of(view), kept);
  std::vector<float> foreign(256, 1.0f);
  array f(foreign.data(), Shape{256}, float32, [](void*) {});
  array g = f + 1;
  f = array(0.0f);
  g.eval();
  EXPECT_EQ(foreign[0], 1.0f);
}

TEST(Buffers, AreNotTakenWhileTheyAreExported) {
  array x = filled({1 << 10}, float32, -1, 1, 7);
  float first = x.data<float>()[0];
  Buffer* buffer = x.node()->value->layout.buffer;
  buffer->pins.fetch_add(1);
  array y = x * 2;
  x = array(0.0f);
  y.eval();
  EXPECT_NE(y.node()->value->layout.buffer, buffer);
  EXPECT_EQ(y.data<float>()[0], 2 * first);
}

TEST(Buffers, ASteadyStateTakesNothingFromTheSystem) {
  array x = filled({1 << 18}, float32, -1, 1, 8);
  auto step = [&] { return sum(exp(x) * x + tanh(x)).item<float>(); };
  step();
  size_t held = get_active_memory() + get_cache_memory();
  for (int i = 0; i < 10; ++i) step();
  EXPECT_EQ(get_active_memory() + get_cache_memory(), held);
}

TEST(Memory, ABudgetIsObeyedAndTheNextEvaluationWorks) {
  clear_cache();
  size_t before = set_memory_limit(get_active_memory() + (8 << 20));
  EXPECT_THROW((zeros({1 << 24}) + 1).eval(), MemoryError);
  EXPECT_EQ((zeros({10}) + 1).shape(0), 10);
  EXPECT_EQ(sum(zeros({10}) + 1).item<float>(), 10.0f);
  set_memory_limit(before);
}

TEST(Failures, ReachEveryOutputAndStay) {
  array bad = take(array({1.0f, 2.0f}), array({7}), 0);
  array after = bad + 1;
  EXPECT_THROW(eval(bad, after), IndexError);
  EXPECT_THROW(after.eval(), IndexError);
  EXPECT_THROW((after * 2).eval(), IndexError);
  EXPECT_EQ((array(1.0f) + 1).item<float>(), 2.0f);
}

TEST(Failures, InterruptsStopBetweenStepsAndPass) {
  request_interrupt();
  array y = array({1.0f}) + 1;
  EXPECT_THROW(y.eval(), InterruptedError);
  EXPECT_EQ((array(1.0f) + 1).item<float>(), 2.0f);
}

TEST(Streams, OrderEachOther) {
  Stream other = new_stream(Device::cpu);
  array x = filled({1000}, float32, -1, 1, 9);
  array a = exp(x);
  array b = add(a, x, other);
  array c = multiply(b, a);
  EXPECT_TRUE(testing::agrees({a, b, c, sum(c, other)}));
}

TEST(Streams, AsynchronousWorkIsWaitedForWhereItIsRead) {
  array x = filled({1 << 16}, float32, -1, 1, 10);
  for (int i = 0; i < 20; ++i) {
    array y = tanh(x);
    async_eval(y);
    array z = y + 1;
    async_eval(z);
    x = z * 0.5f;
  }
  EXPECT_TRUE(all(isfinite(x)).item<bool>());
  synchronize();
}

TEST(Threads, BuildEvaluateAndFreeSharedArrays) {
  array shared = filled({500}, float32, 0, 1, 11);
  array lazy = exp(shared) + 1;
  double wanted = sum(exp(shared) + 1).item<float>();
  std::vector<std::thread> threads;
  std::vector<double> sums(8);
  for (size_t t = 0; t < sums.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        array mine = lazy * 2 - lazy;
        sums[t] = sum(mine).item<float>();
        array copy = mine;
        mine = copy + shared;
        mine.eval();
      }
    });
  }
  for (std::thread& t : threads) t.join();
  for (double s : sums) EXPECT_NEAR(s, wanted, 1e-2);
}

TEST(Threads, ShareStreamsDevicesAndUnfinishedWork) {
  Stream streams[] = {default_stream(Device::cpu), new_stream(Device::cpu)};
  array shared = filled({300}, float32, 0, 1, 12);
  array lazy = exp(shared) + 1;
  float wanted = sum(exp(shared) + 1).item<float>();
  std::vector<std::thread> threads;
  std::vector<float> sums(8);
  for (size_t t = 0; t < sums.size(); ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 40; ++i) {
        Stream mine = streams[(t + i) % 2], other = streams[(t + i + 1) % 2];
        array y = add(multiply(lazy, array(2.0f), mine), lazy, other);
        async_eval(y);
        array z = subtract(y, multiply(lazy, array(2.0f), other), mine);
        async_eval(z);
        sums[t] = sum(z, other).item<float>();
        y = slice_update(z, ones({3}), {0}, {3}, mine);
        grad(ScalarFunction([](const array& x) { return sum(square(x)); }))(y).eval();
      }
    });
  }
  for (std::thread& t : threads) t.join();
  for (float s : sums) EXPECT_NEAR(s, wanted, 1e-2);
}

TEST(Placeholders, CannotBeEvaluated) {
  ScalarFunction f = [](const array& x) {
    x.eval();
    return x;
  };
  EXPECT_THROW(vmap(f)(array({1.0f, 2.0f})), ArgumentError);
}

}  // namespace
}  // namespace lazuli
