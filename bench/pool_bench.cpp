// What the thread pool adds to a kernel: sequences of 300 jobs of two equal parts, each part
// counting for a given time, against the same parts without the pool. Microseconds a job.
#include "base/thread_pool.h"

#include <fmt/core.h>

#include "rows.h"

namespace lazuli::bench {
namespace {

constexpr int jobs = 300;

void count_for(double us) {
  for (double end = now_ms() + us * 1e-3; now_ms() < end;) {
  }
}

double sequence_us(double part_us, bool pooled) {
  double before = now_ms();
  for (int i = 0; i < jobs; ++i) {
    if (pooled) {
      ThreadPool::instance().run(2, [&](int64_t) { count_for(part_us); });
    } else {
      count_for(part_us);
    }
  }
  return (now_ms() - before) * 1e3 / jobs;
}

void run() {
  for (double part_us : {5.0, 20.0, 50.0}) {
    std::vector<double> added;
    for (int i = 0; i < 41; ++i) {
      added.push_back(sequence_us(part_us, true) - sequence_us(part_us, false));
    }
    fmt::print(
        "{{\"name\": \"pool_job\", \"peer\": \"lazuli\", \"version\": \"{}\", \"part_us\": {}, "
        "\"added_us_median\": {:.3f}, \"added_us_min\": {:.3f}}}\n",
        version(), part_us, median(added), *std::min_element(added.begin(), added.end()));
  }
}

}  // namespace
}  // namespace lazuli::bench

int main() { lazuli::bench::run(); }
