// The form of a result, for benchmark programs that `./dev bench` runs: one JSON object a line, as
// bench/peers/rows.py prints them.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "lazuli/version.h"

namespace lazuli::bench {

inline double now_ms() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration<double, std::milli>(Clock::now().time_since_epoch()).count();
}

inline double median(std::vector<double> values) {
  auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// What one row takes, as LAZULI_BENCH_SECONDS says for the peers too.
inline double row_ms() {
  const char* seconds = std::getenv("LAZULI_BENCH_SECONDS");
  return seconds ? std::atof(seconds) * 1000 : 1000;
}

// The times of `call` in ms, after warming up, for about `ms_total`.
template <class Call>
std::vector<double> measured(Call&& call, double ms_total = row_ms(), size_t runs_min = 5) {
  for (int i = 0; i < 3; ++i) call();
  std::vector<double> times;
  double started = now_ms();
  while (times.size() < runs_min || now_ms() - started < ms_total) {
    double before = now_ms();
    call();
    times.push_back(now_ms() - before);
  }
  return times;
}

// The times of a call too short for the clock, each the mean of a batch.
template <class Call>
std::vector<double> tiny(Call&& call, int calls = 2000) {
  std::vector<double> times = measured(
      [&] {
        for (int i = 0; i < calls; ++i) call();
      },
      row_ms(), 7);
  for (double& ms : times) ms /= calls;
  return times;
}

inline void report(const std::string& name, const std::string& peer, const std::string& dtype,
                   int64_t size, const std::vector<double>& times) {
  fmt::print(
      "{{\"name\": \"{}\", \"peer\": \"{}\", \"version\": \"{}\", \"dtype\": \"{}\", \"size\": {}, "
      "\"ms_median\": {}, \"ms_min\": {}, \"runs\": {}}}\n",
      name, peer, version(), dtype, size, median(times),
      *std::min_element(times.begin(), times.end()), times.size());
  std::fflush(stdout);
}

}  // namespace lazuli::bench
