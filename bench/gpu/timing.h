// Times on a device: many evaluations are queued, then waited for once.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "lazuli/lazuli.h"

namespace lazuli::bench {

// Seconds of one call of `work`, which returns an array to be evaluated: the median of `rounds`
// rounds of as many calls as fit into about `round_seconds`, after `calls_before`.
template <class Work>
double seconds_of(Work work, int rounds = 7, double round_seconds = 0.02, int calls_before = 3) {
  using Clock = std::chrono::steady_clock;
  auto elapsed = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  for (int k = 0; k < calls_before; ++k) work().eval();
  Clock::time_point start = Clock::now();
  work().eval();
  int calls = std::clamp(static_cast<int>(round_seconds / elapsed(start)), 1, 1000);
  std::vector<double> times;
  for (int r = 0; r < rounds; ++r) {
    synchronize();
    start = Clock::now();
    for (int k = 0; k < calls; ++k) async_eval(work());
    synchronize();
    times.push_back(elapsed(start) / calls);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

// The same for work on other arrays each time that takes the device less than an evaluation takes
// the host: 16 calls are evaluated together, as the steps of a model are.
template <class Work>
double short_seconds_of(Work work) {
  constexpr int together = 16, rounds = 7;
  auto evaluate = [&] {
    std::vector<array> results;
    for (int k = 0; k < together; ++k) results.push_back(work());
    async_eval(results);
  };
  using Clock = std::chrono::steady_clock;
  for (int k = 0; k < 4; ++k) evaluate();
  std::vector<double> times;
  for (int r = 0; r < rounds; ++r) {
    constexpr int evaluations = 60;
    synchronize();
    Clock::time_point start = Clock::now();
    for (int k = 0; k < evaluations; ++k) evaluate();
    synchronize();
    std::chrono::duration<double> elapsed = Clock::now() - start;
    times.push_back(elapsed.count() / (evaluations * together));
  }
  std::sort(times.begin(), times.end());
  return times[rounds / 2];
}

// One row of a table: `amount` bytes or operations in all, in units of `unit` a second.
inline void row(const std::string& name, const std::string& dtype, double seconds, double amount,
                const char* unit) {
  double scale = std::string(unit) == "tok/s" ? 1 : 1e12;
  fmt::print("{:<28} {:<5} {:>10.2f} us {:>9.3f} {}\n", name, dtype, seconds * 1e6,
             amount / seconds / scale, unit);
  std::fflush(stdout);
}

// Fresh values in [-1, 1), not zeros: they run faster than real data.
inline array random_values(Shape shape, Dtype dtype, uint64_t seed) {
  array x = astype(random::uniform(-1.0f, 1.0f, shape, float32, random::key(seed)), dtype);
  x.eval();
  return x;
}

inline const char* short_name(Dtype dtype) {
  return dtype == float32 ? "f32" : dtype == bfloat16 ? "bf16" : dtype == float16 ? "f16" : "f64";
}

}  // namespace lazuli::bench
