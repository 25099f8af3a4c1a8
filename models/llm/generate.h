// Writing text with a language model.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/sampler.h"
#include "common/tokenizer.h"
#include "llm/model.h"

namespace lazuli::models {

struct GenerateOptions {
  SamplerOptions sampler;
  int tokens_max = 128;
  int prefill_chunk = 512;  // prompt tokens computed at a time
};

struct GenerateResult {
  std::string text;
  int prompt_tokens = 0, new_tokens = 0;
  double prompt_seconds = 0;  // until the first token is known
  double decode_seconds = 0;  // from the first token to the last
  bool ended = false;         // the model wrote an end token
  bool interrupted = false;   // the user's wish to stop (lazuli/interrupt.h) ended it
};

// Called with text as soon as it is whole characters; returning false stops.
using OnText = std::function<bool(const std::string&)>;

// ArgumentError if the prompt is empty, a token of it is none of the model's, or prompt and new
// tokens exceed the model's context; RuntimeError if the logits are not finite.
GenerateResult generate(const LanguageModel& model, const Tokenizer& tokenizer,
                        const std::string& prompt, const GenerateOptions& options,
                        const OnText& on_text);

}  // namespace lazuli::models
