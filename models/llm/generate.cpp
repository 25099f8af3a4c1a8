#include "llm/generate.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "common/text_stream.h"

namespace lazuli::models {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

array token_array(const int32_t* first, int64_t count) {
  return array(first, Shape{1, count}, int32);
}

// Runs the prompt through the model; the logits of its last token.
array prefill(const LanguageModel& model, const std::vector<int32_t>& prompt, int chunk,
              LanguageModel::Cache& cache) {
  array logits = array(0.0f);
  for (size_t at = 0; at < prompt.size(); at += static_cast<size_t>(chunk)) {
    auto count = std::min(static_cast<size_t>(chunk), prompt.size() - at);
    logits = model(token_array(prompt.data() + at, static_cast<int64_t>(count)), cache);
    std::vector<array> pending = {logits};
    for (const KvCache& layer : cache) {
      for (const array& a : layer.state()) pending.push_back(a);
    }
    eval(pending);
  }
  return logits;
}

// Where the tokens of a text come from, after the prompt's logits.
class TokenSource {
 public:
  virtual ~TokenSource() = default;
  virtual int32_t first(const array& logits, const std::vector<int32_t>& tokens) = 0;
  // The token after the last one of `tokens`, which `first` or `next` has given.
  virtual int32_t next(const std::vector<int32_t>& tokens) = 0;
};

class SampledTokens : public TokenSource {
 public:
  SampledTokens(const LanguageModel& model, LanguageModel::Cache& cache,
                const SamplerOptions& options)
      : model_(model), cache_(cache), sampler_(options) {}
  int32_t first(const array& logits, const std::vector<int32_t>& tokens) override {
    return sampler_({logits.data<float>(), static_cast<size_t>(logits.shape(-1))}, tokens);
  }
  int32_t next(const std::vector<int32_t>& tokens) override {
    array logits = model_(token_array(&tokens.back(), 1), cache_);
    logits.eval();
    return first(logits, tokens);
  }

 private:
  const LanguageModel& model_;
  LanguageModel::Cache& cache_;
  Sampler sampler_;
};

// The most likely tokens, chosen on the device: it is at the next one while the host looks at the
// last one.
class LikeliestTokens : public TokenSource {
 public:
  LikeliestTokens(const LanguageModel& model, LanguageModel::Cache& cache)
      : model_(model), cache_(cache) {}
  int32_t first(const array& logits, const std::vector<int32_t>&) override {
    ahead_ = chosen(logits);
    return advance();
  }
  int32_t next(const std::vector<int32_t>&) override { return advance(); }

 private:
  static constexpr int32_t no_token = -1;

  static array chosen(const array& logits) {
    array likeliest = astype(reshape(argmax(logits, -1), {1, 1}), int32);
    // The largest logit is not finite if one is NaN or infinity.
    array sound = isfinite(reshape(max(logits, -1), {1, 1}));
    array token = where(sound, likeliest, array(no_token));
    async_eval(token);
    return token;
  }
  int32_t advance() {
    array token = ahead_;
    ahead_ = chosen(model_(token, cache_));
    int32_t chosen_token = token.item<int32_t>();
    if (chosen_token == no_token) {
      throw RuntimeError(
          "[generate] The logits are not finite, so that no token can be chosen: "
          "the model's weights or metadata are damaged.");
    }
    return chosen_token;
  }

  const LanguageModel& model_;
  LanguageModel::Cache& cache_;
  array ahead_ = array(0);
};

std::unique_ptr<TokenSource> token_source(const LanguageModel& model, LanguageModel::Cache& cache,
                                          const SamplerOptions& options) {
  bool likeliest = options.temperature == 0 && options.repetition_penalty == 1;
  if (likeliest && default_device() == Device::gpu) {
    return std::make_unique<LikeliestTokens>(model, cache);
  }
  return std::make_unique<SampledTokens>(model, cache, options);
}

// The tokens of a prompt that the model can continue by `tokens_max`.
std::vector<int32_t> prompt_tokens(const LanguageModel& model, const Tokenizer& tokenizer,
                                   const std::string& prompt, int tokens_max) {
  std::vector<int32_t> tokens = tokenizer.encode(prompt);
  if (tokens.empty()) throw ArgumentError("[generate] The prompt is empty.");
  const DecoderConfig& config = model.config();
  if (static_cast<int64_t>(tokens.size()) + tokens_max > config.context) {
    throw ArgumentError("[generate] " + std::to_string(tokens.size()) + " prompt tokens and " +
                        std::to_string(tokens_max) + " new ones exceed the model's " +
                        std::to_string(config.context) + ".");
  }
  int32_t largest = *std::max_element(tokens.begin(), tokens.end());
  if (largest >= config.vocabulary) {
    throw ArgumentError("[generate] The prompt has the token " + std::to_string(largest) +
                        ", the model's embedding has " + std::to_string(config.vocabulary) +
                        " rows.");
  }
  return tokens;
}

}  // namespace

GenerateResult generate(const LanguageModel& model, const Tokenizer& tokenizer,
                        const std::string& prompt, const GenerateOptions& options,
                        const OnText& on_text) {
  auto start = std::chrono::steady_clock::now(), first = start;
  std::vector<int32_t> tokens = prompt_tokens(model, tokenizer, prompt, options.tokens_max);
  GenerateResult result;
  result.prompt_tokens = static_cast<int>(tokens.size());
  TextStream stream(tokenizer);
  auto emit = [&](const std::string& text) {
    result.text += text;
    return text.empty() || on_text(text);
  };
  try {
    LanguageModel::Cache cache = model.make_cache();
    array logits = prefill(model, tokens, std::max(options.prefill_chunk, 1), cache);
    std::unique_ptr<TokenSource> source = token_source(model, cache, options.sampler);
    for (bool go_on = true; go_on && result.new_tokens < options.tokens_max;) {
      bool is_first = result.new_tokens == 0;
      int32_t token = is_first ? source->first(logits, tokens) : source->next(tokens);
      if (is_first) {
        first = std::chrono::steady_clock::now();
        result.prompt_seconds = std::chrono::duration<double>(first - start).count();
      }
      tokens.push_back(token);
      ++result.new_tokens;
      result.ended = tokenizer.is_end(token);
      go_on = !result.ended && emit(stream.push(token));
    }
  } catch (const InterruptedError&) {
    result.interrupted = true;
  }
  if (result.new_tokens > 0) result.decode_seconds = seconds_since(first);
  emit(stream.finish());
  return result;
}

}  // namespace lazuli::models
