#include "common/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "lazuli/error.h"

namespace lazuli::models {
namespace {

void require(bool sound, const char* what) {
  if (!sound) throw ArgumentError(std::string("[sampler] ") + what);
}

// The index of the largest value; the first one among equals. Sixteen peaks side by side, which the
// compiler keeps in vectors, find the value. RuntimeError if there is none to choose.
int32_t most_likely(std::span<const float> logits) {
  constexpr size_t lanes = 16;
  constexpr float infinity = std::numeric_limits<float>::infinity();
  float peaks[lanes], odd[lanes] = {};  // x - x is NaN where x is not finite
  std::fill(peaks, peaks + lanes, -infinity);
  auto take = [&](size_t j, float x) {
    peaks[j] = x > peaks[j] ? x : peaks[j];
    odd[j] += x == -infinity ? 0.0f : x - x;
  };
  size_t i = 0;
  for (; i + lanes <= logits.size(); i += lanes) {
    for (size_t j = 0; j < lanes; ++j) take(j, logits[i + j]);
  }
  for (; i < logits.size(); ++i) take(0, logits[i]);
  float peak = *std::max_element(peaks, peaks + lanes);
  bool finite = std::accumulate(odd, odd + lanes, 0.0f) == 0 && peak > -infinity;
  if (!finite) {
    throw RuntimeError(
        "[sampler] The logits are not finite, so that no token can be chosen: the "
        "model's weights or metadata are damaged.");
  }
  return static_cast<int32_t>(std::find(logits.begin(), logits.end(), peak) - logits.begin());
}

}  // namespace

void check(const SamplerOptions& options) {
  require(options.temperature >= 0 && std::isfinite(options.temperature),
          "temperature is not a finite number of 0 or more.");
  require(options.top_k >= 0, "top_k is negative.");
  require(options.top_p > 0 && options.top_p <= 1, "top_p lies outside of (0, 1].");
  require(options.min_p >= 0 && options.min_p <= 1, "min_p lies outside of [0, 1].");
  require(options.repetition_penalty > 0 && std::isfinite(options.repetition_penalty),
          "repetition_penalty is not a finite number above 0.");
}

Sampler::Sampler(const SamplerOptions& options) : options_(options), random_(options.seed) {
  check(options);
}

void Sampler::penalize(std::vector<float>& logits, std::span<const int32_t> history) const {
  size_t window =
      std::min(history.size(), static_cast<size_t>(std::max(options_.repetition_window, 0)));
  std::vector<int32_t> recent(history.end() - static_cast<long>(window), history.end());
  std::sort(recent.begin(), recent.end());
  recent.erase(std::unique(recent.begin(), recent.end()), recent.end());
  for (int32_t token : recent) {
    if (token < 0 || static_cast<size_t>(token) >= logits.size()) continue;
    float& logit = logits[static_cast<size_t>(token)];
    logit = logit > 0 ? logit / options_.repetition_penalty : logit * options_.repetition_penalty;
  }
}

int32_t Sampler::operator()(std::span<const float> logits, std::span<const int32_t> history) {
  require(!logits.empty(), "there are no logits.");
  std::vector<float> penalized;
  if (options_.repetition_penalty != 1.0f) {
    penalized.assign(logits.begin(), logits.end());
    penalize(penalized, history);
    logits = penalized;
  }
  if (options_.temperature == 0.0f) return most_likely(logits);
  // Far below the peak nothing is ever drawn: e^-60 is less than one in 10^26.
  float peak = logits[static_cast<size_t>(most_likely(logits))];
  float floor = peak - 60.0f * options_.temperature;
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] >= floor) candidates.push_back({static_cast<int32_t>(i), logits[i]});
  }
  return draw(candidates);
}

int32_t Sampler::draw(std::vector<Candidate>& candidates) {
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
  });
  size_t kept = candidates.size();
  if (options_.top_k > 0) kept = std::min(kept, static_cast<size_t>(options_.top_k));
  std::vector<double> weights(kept);
  double total = 0;
  for (size_t i = 0; i < kept; ++i) {
    weights[i] = std::exp(static_cast<double>(candidates[i].logit - candidates[0].logit) /
                          options_.temperature);
    total += weights[i];
  }
  double reached = 0;
  for (size_t i = 0; i < kept; ++i) {
    bool enough = reached >= options_.top_p * total;
    if (i > 0 && (enough || weights[i] < options_.min_p * weights[0])) {
      kept = i;
      break;
    }
    reached += weights[i];
  }
  // 53 random bits in [0, 1), the same on every platform.
  double target = static_cast<double>(random_() >> 11) * 0x1p-53 * reached;
  for (size_t i = 0; i + 1 < kept; ++i) {
    target -= weights[i];
    if (target < 0) return candidates[i].token;
  }
  return candidates[kept - 1].token;
}

}  // namespace lazuli::models
