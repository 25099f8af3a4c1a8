#include "common/sampler.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "lazuli/error.h"

namespace lazuli::models {
namespace {

void check(bool sound, const char* what) {
  if (!sound) throw ArgumentError(std::string("[sampler] ") + what);
}

// The index of the largest value; the first one among equals. Sixteen peaks side by side, which the
// compiler keeps in vectors, find the value.
int32_t most_likely(std::span<const float> logits) {
  constexpr size_t lanes = 16;
  float peaks[lanes];
  std::fill(peaks, peaks + lanes, logits[0]);
  size_t i = 0;
  for (; i + lanes <= logits.size(); i += lanes) {
    for (size_t j = 0; j < lanes; ++j) {
      peaks[j] = logits[i + j] > peaks[j] ? logits[i + j] : peaks[j];
    }
  }
  float peak = *std::max_element(peaks, peaks + lanes);
  for (; i < logits.size(); ++i) peak = std::max(peak, logits[i]);
  auto found = std::find(logits.begin(), logits.end(), peak);
  return found == logits.end() ? 0 : static_cast<int32_t>(found - logits.begin());
}

}  // namespace

Sampler::Sampler(const SamplerOptions& options) : options_(options), random_(options.seed) {
  check(options.temperature >= 0 && std::isfinite(options.temperature), "temperature is negative.");
  check(options.top_k >= 0, "top_k is negative.");
  check(options.top_p > 0 && options.top_p <= 1, "top_p lies outside of (0, 1].");
  check(options.min_p >= 0 && options.min_p <= 1, "min_p lies outside of [0, 1].");
  check(options.repetition_penalty > 0, "repetition_penalty is not positive.");
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
  check(!logits.empty(), "there are no logits.");
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
