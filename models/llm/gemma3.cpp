// Gemma 3 (Gemma Team, 2025, arXiv:2503.19786), text: decoder layers with grouped-query attention,
// normalised queries and keys, five sliding-window layers for each full one, gated GELU.
#include <cmath>
#include <string>

#include "common/weights.h"
#include "llm/model.h"

namespace lazuli::models {
namespace {

struct Gemma3Config : DecoderConfig {
  int window;
  float rope_base_local;
  int global_every = 6;  // layers i with (i + 1) % global_every == 0 see all positions
};

Gemma3Config read_config(const gguf::File& file) {
  ConfigReader read(file);
  return {read.decoder(1e6), read.positive("attention.sliding_window"),
          read.positive_float("rope.freq_base_swa", 1e4)};
}

class Gemma3 : public LanguageModel {
 public:
  explicit Gemma3(const gguf::File& file);

  const DecoderConfig& config() const override { return config_; }
  Cache make_cache() const override;
  std::vector<array> weights() const override;

 private:
  struct Layer {
    JoinedWeight query_key_value, gate_up;
    Weight output, down;
    array attention_norm, head_norms;  // of queries and keys [heads + kv_heads, head_size]
    array post_attention_norm, ffn_norm, post_ffn_norm;
  };

  array forward(const array& tokens, Cache& cache, bool all) const override;
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

array gelu_tanh(const array& x) {
  // 0.5 x (1 + tanh(z)) = x sigmoid(2 z) with z = sqrt(2 / pi) (x + 0.044715 x^3)
  return x * sigmoid(x * (1.5957691216f + 0.0713548163f * square(x)));
}

// The norms of queries and keys, one row a head, so that both are normed together.
array head_norms(const array& query, const array& key, const Gemma3Config& c) {
  array rows = concatenate(
      {broadcast_to(query, {c.heads, c.head_size}), broadcast_to(key, {c.kv_heads, c.head_size})},
      0);
  rows.eval();
  return rows;
}

Gemma3::Gemma3(const gguf::File& file)
    : config_(read_config(file)),
      embedding_(weight(file, "token_embd.weight", config_.vocabulary, config_.hidden)),
      output_norm_(vector(file, "output_norm.weight", config_.hidden)) {
  const Gemma3Config& c = config_;
  int64_t query = int64_t{c.heads} * c.head_size, key = int64_t{c.kv_heads} * c.head_size;
  for (int i = 0; i < c.layers; ++i) {
    std::string prefix = "blk." + std::to_string(i) + ".";
    auto matrix = [&](const char* name, int64_t rows, int64_t columns) {
      return weight(file, prefix + name + ".weight", rows, columns);
    };
    auto norm = [&](const char* name, int64_t size) {
      return vector(file, prefix + name + ".weight", size);
    };
    layers_.push_back(
        {JoinedWeight({matrix("attn_q", query, c.hidden), matrix("attn_k", key, c.hidden),
                       matrix("attn_v", key, c.hidden)}),
         JoinedWeight({matrix("ffn_gate", c.feed_forward, c.hidden),
                       matrix("ffn_up", c.feed_forward, c.hidden)}),
         matrix("attn_output", c.hidden, query), matrix("ffn_down", c.hidden, c.feed_forward),
         norm("attn_norm", c.hidden),
         head_norms(norm("attn_q_norm", c.head_size), norm("attn_k_norm", c.head_size), c),
         norm("post_attention_norm", c.hidden), norm("ffn_norm", c.hidden),
         norm("post_ffw_norm", c.hidden)});
  }
}

LanguageModel::Cache Gemma3::make_cache() const {
  Cache cache;
  for (size_t i = 0; i < layers_.size(); ++i) {
    cache.emplace_back(is_global(i) ? 0 : config_.window);
  }
  return cache;
}

array Gemma3::attention(const Layer& layer, const array& x, KvCache& cache, bool global,
                        bool last_alone) const {
  int64_t length = x.shape(1), size = config_.head_size;
  int64_t turned = config_.heads + config_.kv_heads, all = turned + config_.kv_heads;
  array heads = reshape(layer.query_key_value(x), {1, length, all, size});
  array normed = fast::rms_norm(slice(heads, {0, 0, 0, 0}, {1, length, turned, size}), std::nullopt,
                                config_.epsilon) *
                 layer.head_norms;
  // Heads before positions, from position `first` on; a single position needs no transposition.
  auto chosen = [&](const array& y, int64_t head, int64_t last_head, int64_t first = 0) {
    return slice(y, {0, head, first, 0}, {1, last_head, length, size});
  };
  auto heads_first = [&](const array& y) {
    return length == 1 ? reshape(y, {1, y.shape(2), 1, size}) : transpose(y, {0, 2, 1, 3});
  };
  float base = global ? config_.rope_base : config_.rope_base_local;
  normed = fast::rope(heads_first(normed), static_cast<int>(size), false, base, 1.0f,
                      static_cast<int>(cache.length()));
  Attended past =
      cache.update(chosen(normed, config_.heads, turned), chosen(heads_first(heads), turned, all));
  int64_t first = last_alone ? length - 1 : 0;
  if (first > 0) past = past.for_last();
  array attended = fast::scaled_dot_product_attention(
      chosen(normed, 0, config_.heads, first), past.keys, past.values,
      1.0f / std::sqrt(static_cast<float>(size)), past.mask_mode, past.mask);
  if (length > 1) attended = transpose(attended, {0, 2, 1, 3});
  return layer.output(reshape(attended, {1, length - first, config_.heads * size}));
}

array Gemma3::feed_forward(const Layer& layer, const array& x) const {
  array both = layer.gate_up(x);
  int64_t length = both.shape(1), width = both.shape(2) / 2;
  array gate = slice(both, {0, 0, 0}, {1, length, width});
  array up = slice(both, {0, 0, width}, {1, length, 2 * width});
  return layer.down(gelu_tanh(gate) * up);
}

array Gemma3::forward(const array& tokens, Cache& cache, bool all) const {
  array x = embedding_.rows(tokens) * std::sqrt(static_cast<float>(config_.hidden));
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    // Behind the keys and values of the last layer only the last position counts.
    bool last_alone = !all && i + 1 == layers_.size();
    array h = attention(layer, fast::rms_norm(x, layer.attention_norm, config_.epsilon), cache[i],
                        is_global(i), last_alone);
    if (last_alone) x = slice(x, {0, x.shape(1) - 1, 0}, x.shape());
    x = x + fast::rms_norm(h, layer.post_attention_norm, config_.epsilon);
    h = feed_forward(layer, fast::rms_norm(x, layer.ffn_norm, config_.epsilon));
    x = x + fast::rms_norm(h, layer.post_ffn_norm, config_.epsilon);
  }
  return embedding_(fast::rms_norm(x, output_norm_, config_.epsilon));
}

std::vector<array> Gemma3::weights() const {
  std::vector<array> all = {embedding_.values(), output_norm_};
  for (const Layer& l : layers_) {
    for (const JoinedWeight* joined : {&l.query_key_value, &l.gate_up}) {
      for (const Weight& part : joined->parts()) all.push_back(part.values());
    }
    all.insert(all.end(), {l.output.values(), l.down.values(), l.attention_norm, l.head_norms,
                           l.post_attention_norm, l.ffn_norm, l.post_ffn_norm});
  }
  return all;
}

}  // namespace

std::unique_ptr<LanguageModel> make_gemma3(const gguf::File& file) {
  return std::make_unique<Gemma3>(file);
}

}  // namespace lazuli::models
