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
array prefill(const Gemma3& model, const std::vector<int32_t>& prompt, int chunk,
              Gemma3::Cache& cache) {
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
  SampledTokens(const Gemma3& model, Gemma3::Cache& cache, const SamplerOptions& options)
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
  const Gemma3& model_;
  Gemma3::Cache& cache_;
  Sampler sampler_;
};

// The most likely tokens, chosen on the device: it is at the next one while the host looks at the
// last one.
class LikeliestTokens : public TokenSource {
 public:
  LikeliestTokens(const Gemma3& model, Gemma3::Cache& cache) : model_(model), cache_(cache) {}
  int32_t first(const array& logits, const std::vector<int32_t>&) override {
    ahead_ = chosen(logits);
    return advance();
  }
  int32_t next(const std::vector<int32_t>&) override { return advance(); }

 private:
  static array chosen(const array& logits) {
    array token = astype(reshape(argmax(logits, -1), {1, 1}), int32);
    async_eval(token);
    return token;
  }
  int32_t advance() {
    array token = ahead_;
    ahead_ = chosen(model_(token, cache_));
    return token.item<int32_t>();
  }

  const Gemma3& model_;
  Gemma3::Cache& cache_;
  array ahead_ = array(0);
};

std::unique_ptr<TokenSource> token_source(const Gemma3& model, Gemma3::Cache& cache,
                                          const SamplerOptions& options) {
  bool likeliest = options.temperature == 0 && options.repetition_penalty == 1;
  if (likeliest && default_device() == Device::gpu) {
    return std::make_unique<LikeliestTokens>(model, cache);
  }
  return std::make_unique<SampledTokens>(model, cache, options);
}

}  // namespace

GenerateResult generate(const Gemma3& model, const Tokenizer& tokenizer, const std::string& prompt,
                        const GenerateOptions& options, const OnText& on_text) {
  auto start = std::chrono::steady_clock::now();
  GenerateResult result;
  std::vector<int32_t> tokens = tokenizer.encode(prompt);
  if (tokens.empty()) throw ArgumentError("[generate] The prompt is empty.");
  if (static_cast<int>(tokens.size()) + options.tokens_max > model.config().context) {
    throw ArgumentError("[generate] " + std::to_string(tokens.size()) + " prompt tokens and " +
                        std::to_string(options.tokens_max) + " new ones exceed the model's " +
                        std::to_string(model.config().context) + ".");
  }
  result.prompt_tokens = static_cast<int>(tokens.size());
  TextStream stream(tokenizer);
  Gemma3::Cache cache = model.make_cache();
  array logits = prefill(model, tokens, std::max(options.prefill_chunk, 1), cache);
  std::unique_ptr<TokenSource> source = token_source(model, cache, options.sampler);
  auto first = std::chrono::steady_clock::now();
  auto emit = [&](const std::string& text) {
    result.text += text;
    return text.empty() || on_text(text);
  };
  for (bool go_on = true; go_on && result.new_tokens < options.tokens_max;) {
    bool is_first = result.new_tokens == 0;
    int32_t token = is_first ? source->first(logits, tokens) : source->next(tokens);
    if (is_first) {
      result.prompt_seconds = seconds_since(start);
      first = std::chrono::steady_clock::now();
    }
    tokens.push_back(token);
    ++result.new_tokens;
    if (tokenizer.is_end(token)) {
      result.ended = true;
      break;
    }
    go_on = emit(stream.push(token));
  }
  result.decode_seconds = seconds_since(first);
  emit(stream.finish());
  return result;
}

}  // namespace lazuli::models
