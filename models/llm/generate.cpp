#include "llm/generate.h"

#include <algorithm>
#include <chrono>

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
  Sampler sampler(options.sampler);
  TextStream stream(tokenizer);
  Gemma3::Cache cache = model.make_cache();
  array logits = prefill(model, tokens, std::max(options.prefill_chunk, 1), cache);
  auto first = std::chrono::steady_clock::now();
  auto emit = [&](const std::string& text) {
    result.text += text;
    return text.empty() || on_text(text);
  };
  for (bool go_on = true; go_on && result.new_tokens < options.tokens_max;) {
    size_t vocabulary = static_cast<size_t>(logits.shape(-1));
    int32_t token = sampler({logits.data<float>(), vocabulary}, tokens);
    if (result.new_tokens == 0) {
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
    if (!go_on || result.new_tokens == options.tokens_max) break;
    logits = model(token_array(&token, 1), cache);
    logits.eval();
  }
  result.decode_seconds = seconds_since(first);
  emit(stream.finish());
  return result;
}

}  // namespace lazuli::models
