// What a small evaluation costs: launch and wait, and chains of tiny steps.
#include "gpu/timing.h"

namespace lazuli::bench {
namespace {

template <class Work>
double waited(Work work, int calls = 300) {
  using Clock = std::chrono::steady_clock;
  for (int k = 0; k < 20; ++k) work().eval();
  std::vector<double> times;
  for (int k = 0; k < calls; ++k) {
    Clock::time_point start = Clock::now();
    work().eval();
    times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

}  // namespace
}  // namespace lazuli::bench

int main() {
  using namespace lazuli;
  using namespace lazuli::bench;
  set_default_device(Device::gpu);
  array x = random_values({16}, float32, 1), y = random_values({16}, float32, 2);
  fmt::print("tiny add and wait        {:8.2f} us\n", 1e6 * waited([&] { return x + y; }));
  auto adds = [&] {
    array z = x;
    for (int k = 0; k < 1000; ++k) z = z + y;
    return z;
  };
  fmt::print("1000 chained tiny adds   {:8.3f} us each\n", 1e3 * waited(adds, 50));
  // Steps that cannot share a kernel: each reads the sum of the one before.
  auto steps = [&] {
    array z = x;
    for (int k = 0; k < 100; ++k) z = reshape(sum(z * y) + x, {4, 4}), z = reshape(z, {16});
    return z;
  };
  fmt::print("100 dependent steps      {:8.3f} us each, waited\n", 1e4 * waited(steps, 50));
  fmt::print("100 dependent steps      {:8.3f} us each, queued\n", 1e4 * seconds_of(steps));
}
