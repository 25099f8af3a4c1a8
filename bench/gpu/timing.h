// Times on a device: many evaluations are queued, then waited for once.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "lazuli/lazuli.h"

namespace lazuli::bench {

// Seconds of one of `evaluations` calls of `evaluate`, which are queued and waited for once: the
// median of `rounds` rounds.
template <class Evaluate>
double median_seconds_of(Evaluate evaluate, int evaluations, int rounds = 7) {
  std::vector<double> times;
  for (int r = 0; r < rounds; ++r) {
    synchronize();
    auto start = std::chrono::steady_clock::now();
    for (int k = 0; k < evaluations; ++k) evaluate();
    synchronize();
    std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    times.push_back(elapsed.count() / evaluations);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

// Of one call of `work`, which returns an array to be evaluated, after `calls_before`. A round
// takes about 20 ms.
template <class Work>
double seconds_of(Work work, int calls_before = 3) {
  for (int k = 0; k < calls_before; ++k) work().eval();
  auto start = std::chrono::steady_clock::now();
  work().eval();
  std::chrono::duration<double> once = std::chrono::steady_clock::now() - start;
  int calls = std::clamp(static_cast<int>(0.02 / once.count()), 1, 1000);
  return median_seconds_of([&] { async_eval(work()); }, calls);
}

// The same for work on other arrays each time that takes the device less than an evaluation takes
// the host: 16 calls are evaluated together, as the steps of a model are.
template <class Work>
double short_seconds_of(Work work) {
  constexpr int together = 16;
  auto evaluate = [&] {
    std::vector<array> results;
    for (int k = 0; k < together; ++k) results.push_back(work());
    async_eval(results);
  };
  for (int k = 0; k < 4; ++k) evaluate();
  return median_seconds_of(evaluate, 60) / together;
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
