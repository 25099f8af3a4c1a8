// Gemma 3 (Gemma Team, 2025, arXiv:2503.19786), text: decoder layers with grouped-query attention,
// normalised queries and keys, five sliding-window layers for each full one, gated GELU.
#pragma once

#include <string>
#include <vector>

#include "common/kv_cache.h"
#include "common/weights.h"

namespace lazuli::models {

struct Gemma3Config {
  int layers, hidden, heads, kv_heads, head_size, feed_forward, window, vocabulary, context;
  float epsilon, rope_base, rope_base_local;
  int global_every = 6;  // layers i with (i + 1) % global_every == 0 see all positions
};

class Gemma3 {
 public:
  using Cache = std::vector<KvCache>;

  // IoError or NotFoundError, naming the file, if it is not a Gemma 3 model or its tensors have
  // other shapes than its metadata say.
  explicit Gemma3(const gguf::File& file);

  Cache make_cache() const;

  // Logits [1, T, vocabulary] for token ids [1, T] that follow what the cache has seen; of the last
  // position alone, [1, 1, vocabulary], unless `all`.
  array operator()(const array& tokens, Cache& cache, bool all = false) const;

  const Gemma3Config& config() const { return config_; }
  std::vector<array> weights() const;
  size_t nbytes() const;  // of the weights

 private:
  struct Layer {
    JoinedWeight query_key_value, gate_up;
    Weight output, down;
    array attention_norm, head_norms;  // of queries and keys [heads + kv_heads, head_size]
    array post_attention_norm, ffn_norm, post_ffn_norm;
  };

  // Of all positions of x, or of the last one alone.
  array attention(const Layer& layer, const array& x, KvCache& cache, bool global,
                  bool last_alone) const;
  array feed_forward(const Layer& layer, const array& x) const;
  bool is_global(size_t layer) const { return (layer + 1) % config_.global_every == 0; }

  Gemma3Config config_;
  Weight embedding_;
  array output_norm_;
  std::vector<Layer> layers_;
};

}  // namespace lazuli::models
