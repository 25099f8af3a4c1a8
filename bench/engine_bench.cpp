// What the engine costs beside the work itself: recording an operation, a node of a plan that is
// known, a node of a plan that is not, a tiny operation evaluated at once, a step of a plan.
#include <string>
#include <vector>

#include "base/flags.h"
#include "chains.h"
#include "rows.h"

namespace lazuli::bench {
namespace {

constexpr int nodes = 1000;

array long_chain(const array& a, const array& b, int length) {
  array y = a;
  for (int i = 0; i < length; ++i) y = i % 2 == 0 ? y + b : y * b;
  return y;
}

void each(std::vector<double> times, const char* name, int count) {
  for (double& ms : times) ms /= count;
  report(name, "lazuli", "f32", count, times);
}

// Nodes are recorded, and freed unevaluated outside the clock.
void record(const array& a, const array& b) {
  std::vector<double> times;
  std::vector<array> kept;
  for (int run = 0; run < 300; ++run) {
    double before = now_ms();
    kept.push_back(long_chain(a, b, nodes));
    times.push_back(now_ms() - before);
    if (kept.size() == 10) kept.clear();
  }
  each(times, "record_node", nodes);
}

// Evaluation of chains recorded outside the clock, `lengths` in turn.
std::vector<double> evaluate(const array& a, const array& b, const std::vector<int>& lengths) {
  std::vector<double> times;
  for (int run = 0; run < 300; ++run) {
    array y = long_chain(a, b, lengths[static_cast<size_t>(run) % lengths.size()]);
    double before = now_ms();
    y.eval();
    times.push_back(now_ms() - before);
  }
  return times;
}

void plans(const array& a, const array& b) {
  each(evaluate(a, b, {nodes}), "node_plan_hit", nodes);
  // With no room for more than one plan, two structures in turn always miss.
  int budget = flags().plan_cache_mb;
  flags().plan_cache_mb = 0;
  each(evaluate(a, b, {nodes, nodes - 2}), "node_plan_miss", nodes);
  flags().plan_cache_mb = budget;
}

// 300 products of a size that takes 5-50 us, in one plan, against the same product alone.
void kernels() {
  constexpr int steps = 300;
  array x = random_array({16, 512}, float32, 0), w = random_array({512, 512}, float32, 1);
  auto sequence = [&](int count) {
    array y = x;
    for (int i = 0; i < count; ++i) y = matmul(y, w);
    return y;
  };
  auto timed = [&](int count) { return measured([&] { sequence(count).eval(); }); };
  each(timed(steps), "kernels_300", steps);
  each(timed(1), "kernels_1", 1);
}

void run() {
  array a = random_array({8}, float32, 0), b = random_array({8}, float32, 1);
  record(a, b);
  plans(a, b);
  report("tiny_add", "lazuli", "f32", 8, tiny([&] { (a + b).eval(); }));
  report("tiny_chain_100", "lazuli", "f32", 8,
         tiny(
             [&] {
               array y = a;
               for (int i = 0; i < 100; ++i) y = y + b;
               y.eval();
             },
             50));
  kernels();
}

}  // namespace
}  // namespace lazuli::bench

int main() { lazuli::bench::run(); }
