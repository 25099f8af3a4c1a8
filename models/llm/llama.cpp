// Llama (Touvron et al., 2023, arXiv:2302.13971; Dubey et al., 2024, arXiv:2407.21783) and what has
// its form: decoder layers with grouped-query attention, rotary positions and SwiGLU. Qwen2 (Yang
// et al., 2024, arXiv:2407.10671) adds biases to queries, keys and values.
#include <cmath>
#include <string>

#include "common/weights.h"
#include "lazuli/printable.h"
#include "llm/model.h"

namespace lazuli::models {
namespace {

// How queries and keys turn with their positions.
struct Rope {
  int features;  // of a head, the first ones
  // Files of the architecture "llama" have the rows of queries and keys in such an order that
  // neighbours turn together; in the others feature i turns with i + features / 2.
  bool neighbours;
  float scale;  // of positions
  std::optional<array> wave_lengths;  // in place of those of the base

  array operator()(const array& x, float base, int64_t position) const {
    std::optional<float> used = wave_lengths ? std::nullopt : std::optional(base);
    return fast::rope(x, features, neighbours, used, scale, static_cast<int>(position),
                      wave_lengths);
  }
};

float position_scale(const ConfigReader& read) {
  std::string type = read.text("rope.scaling.type", "none");
  if (type == "none") return 1.0f;
  if (type != "linear") {
    read.fail("rope.scaling.type", "is " + printable(type) + "; none and linear are supported");
  }
  return 1.0f / read.positive_float("rope.scaling.factor");
}

// Llama 3.1 and later stretch the longer waves: the file has a factor for each.
std::optional<array> wave_lengths(const gguf::File& file, float base, int features) {
  if (!file.find_tensor("rope_freqs.weight")) return std::nullopt;
  array exponents = arange(0.0, features, 2.0, float32) / static_cast<float>(features);
  array lengths = power(array(base), exponents) * vector(file, "rope_freqs.weight", features / 2);
  lengths.eval();
  return lengths;
}

Rope read_rope(const gguf::File& file, const ConfigReader& read, const DecoderConfig& config) {
  int features = read.positive("rope.dimension_count", config.head_size);
  if (features > config.head_size || features % 2 != 0) {
    read.fail("rope.dimension_count", "is " + std::to_string(features) +
                                          "; an even number up to the head size, " +
                                          std::to_string(config.head_size) + ", is needed");
  }
  return {features, read.architecture() == "llama", position_scale(read),
          wave_lengths(file, config.rope_base, features)};
}

class Llama : public LanguageModel {
 public:
  explicit Llama(const gguf::File& file);

  const DecoderConfig& config() const override { return config_; }
  Cache make_cache() const override { return Cache(layers_.size()); }
  std::vector<array> weights() const override;

 private:
  struct Layer {
    array attention_norm;
    Linear query, key, value, output;
    array ffn_norm;
    Linear gate, up, down;
  };

  array forward(const array& tokens, Cache& cache, bool all) const override;
  array attention(const Layer& layer, const array& x, KvCache& cache) const;
  array feed_forward(const Layer& layer, const array& x) const;
  array norm(const array& x, const array& weight) const {
    return fast::rms_norm(x, weight, config_.epsilon);
  }

  DecoderConfig config_;
  Rope rope_;
  Weight embedding_, output_;
  array output_norm_;
  std::vector<Layer> layers_;
};

Llama::Llama(const gguf::File& file)
    : config_(ConfigReader(file).decoder(10000.0f)),
      rope_(read_rope(file, ConfigReader(file), config_)),
      embedding_(weight(file, "token_embd.weight", config_.vocabulary, config_.hidden)),
      output_(file.find_tensor("output.weight")
                  ? weight(file, "output.weight", config_.vocabulary, config_.hidden)
                  : embedding_),
      output_norm_(vector(file, "output_norm.weight", config_.hidden)) {
  const DecoderConfig& c = config_;
  int64_t query = int64_t{c.heads} * c.head_size, key = int64_t{c.kv_heads} * c.head_size;
  for (int i = 0; i < c.layers; ++i) {
    std::string prefix = "blk." + std::to_string(i) + ".";
    auto product = [&](const char* name, int64_t rows, int64_t columns) {
      return linear(file, prefix + name, rows, columns);
    };
    layers_.push_back({vector(file, prefix + "attn_norm.weight", c.hidden),
                       product("attn_q", query, c.hidden), product("attn_k", key, c.hidden),
                       product("attn_v", key, c.hidden), product("attn_output", c.hidden, query),
                       vector(file, prefix + "ffn_norm.weight", c.hidden),
                       product("ffn_gate", c.feed_forward, c.hidden),
                       product("ffn_up", c.feed_forward, c.hidden),
                       product("ffn_down", c.hidden, c.feed_forward)});
  }
}

array Llama::attention(const Layer& layer, const array& x, KvCache& cache) const {
  int64_t length = x.shape(1), size = config_.head_size, position = cache.length();
  // [1, T, heads * size] -> [1, heads, T, size]
  auto heads = [&](const array& y) {
    return transpose(reshape(y, {1, length, -1, size}), {0, 2, 1, 3});
  };
  array queries = rope_(heads(layer.query(x)), config_.rope_base, position);
  array keys = rope_(heads(layer.key(x)), config_.rope_base, position);
  Attended past = cache.update(keys, heads(layer.value(x)));
  array mixed = fast::scaled_dot_product_attention(queries, past.keys, past.values,
                                                   1.0f / std::sqrt(static_cast<float>(size)),
                                                   past.mask_mode, past.mask);
  return layer.output(reshape(transpose(mixed, {0, 2, 1, 3}), {1, length, config_.heads * size}));
}

array Llama::feed_forward(const Layer& layer, const array& x) const {
  array gate = layer.gate(x);
  return layer.down(gate * sigmoid(gate) * layer.up(x));
}

array Llama::forward(const array& tokens, Cache& cache, bool all) const {
  array x = embedding_.rows(tokens);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    x = x + attention(layer, norm(x, layer.attention_norm), cache[i]);
    x = x + feed_forward(layer, norm(x, layer.ffn_norm));
  }
  if (!all) x = slice(x, {0, x.shape(1) - 1, 0}, x.shape());
  return output_(norm(x, output_norm_));
}

std::vector<array> Llama::weights() const {
  std::vector<array> all = {embedding_.values(), output_norm_};
  if (output_.values().id() != embedding_.values().id()) all.push_back(output_.values());
  for (const Layer& l : layers_) {
    all.insert(all.end(), {l.attention_norm, l.ffn_norm});
    for (const Linear* part : {&l.query, &l.key, &l.value, &l.output, &l.gate, &l.up, &l.down}) {
      all.push_back(part->matrix.values());
      if (part->bias) all.push_back(*part->bias);
    }
  }
  return all;
}

}  // namespace

std::unique_ptr<LanguageModel> make_llama(const gguf::File& file) {
  return std::make_unique<Llama>(file);
}

}  // namespace lazuli::models
