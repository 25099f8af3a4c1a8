// Choosing the next token from logits.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace lazuli::models {

struct SamplerOptions {
  float temperature = 0.0f;         // 0: the most likely token
  int top_k = 0;                    // keep the k most likely tokens; 0: all
  float top_p = 1.0f;  // keep the most likely tokens that together reach this probability
  float min_p = 0.0f;  // drop tokens below this fraction of the most likely one's
  float repetition_penalty = 1.0f;  // divides the logits of recent tokens (Keskar et al., 2019)
  int repetition_window = 64;  // how many recent tokens that are
  uint64_t seed = 0;
};

// ArgumentError for options out of range.
void check(const SamplerOptions& options);

// Applies, in order: repetition penalty, temperature, top-k, top-p, min-p. The same options, seed
// and logits give the same tokens on every machine.
class Sampler {
 public:
  // ArgumentError for options out of range.
  explicit Sampler(const SamplerOptions& options);

  // The next token. `history` holds the tokens so far, the newest last. RuntimeError if a logit is
  // NaN or infinity, or all are -infinity: a damaged model.
  int32_t operator()(std::span<const float> logits, std::span<const int32_t> history);

 private:
  struct Candidate {
    int32_t token;
    float logit;
  };
  void penalize(std::vector<float>& logits, std::span<const int32_t> history) const;
  int32_t draw(std::vector<Candidate>& candidates);

  SamplerOptions options_;
  std::mt19937_64 random_;
};

}  // namespace lazuli::models
