#include "llm/gemma3.h"

#include <cmath>
#include <limits>
#include <optional>

#include "lazuli/printable.h"

namespace lazuli::models {
namespace {

constexpr const char* architecture = "gemma3";

// Reads the metadata of one file; every problem names the file and the key.
class ConfigReader {
 public:
  explicit ConfigReader(const gguf::File& file) : file_(file) {
    std::string_view found = file.text("general.architecture");
    if (found != architecture) {
      fail("general.architecture", "is " + printable(found) + "; a model of the architecture '" +
                                       architecture + "' is needed");
    }
  }

  int positive(const char* name) const {
    int64_t value = file_.integer(key(name));
    if (value < 1 || value > std::numeric_limits<int32_t>::max()) {
      fail(key(name), "is " + std::to_string(value) + "; 1 to 2^31 - 1 are possible");
    }
    return static_cast<int>(value);
  }

  float positive_float(const char* name, std::optional<double> fallback = std::nullopt) const {
    double value = fallback ? file_.number(key(name), *fallback) : file_.number(key(name));
    float narrow = static_cast<float>(value);
    if (!(narrow > 0) || !std::isfinite(narrow)) {
      fail(key(name), "is " + std::to_string(value) + "; a finite number above 0 is needed");
    }
    return narrow;
  }

  bool has(const char* name) const { return file_.find(key(name)) != nullptr; }

  [[noreturn]] void fail(const std::string& key, const std::string& problem) const {
    throw IoError("gguf file " + printable(file_.path(), 1000) + ": metadata key '" + key + "' " +
                  problem + ".");
  }
  static std::string key(const char* name) { return std::string(architecture) + "." + name; }

 private:
  const gguf::File& file_;
};

Gemma3Config read_config(const gguf::File& file) {
  ConfigReader read(file);
  Gemma3Config c{};
  c.layers = read.positive("block_count");
  c.hidden = read.positive("embedding_length");
  c.heads = read.positive("attention.head_count");
  c.kv_heads = read.positive("attention.head_count_kv");
  c.head_size = read.positive("attention.key_length");
  c.window = read.positive("attention.sliding_window");
  c.context = read.positive("context_length");
  c.epsilon = read.positive_float("attention.layer_norm_rms_epsilon");
  c.rope_base = read.positive_float("rope.freq_base", 1e6);
  c.rope_base_local = read.positive_float("rope.freq_base_swa", 1e4);
  c.vocabulary = static_cast<int>(matrix_rows(file, "token_embd.weight"));
  c.feed_forward = read.has("feed_forward_length")
                       ? read.positive("feed_forward_length")
                       : static_cast<int>(matrix_rows(file, "blk.0.ffn_gate.weight"));
  if (c.heads % c.kv_heads != 0) {
    read.fail(read.key("attention.head_count"),
              "is " + std::to_string(c.heads) + ", no multiple of the " +
                  std::to_string(c.kv_heads) + " heads of keys and values");
  }
  if (file.find_tensor("blk." + std::to_string(c.layers) + ".attn_q.weight")) {
    read.fail(read.key("block_count"),
              "is " + std::to_string(c.layers) + ", but the file has more layers");
  }
  return c;
}

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

}  // namespace

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

Gemma3::Cache Gemma3::make_cache() const {
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

array Gemma3::operator()(const array& tokens, Cache& cache, bool all) const {
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

size_t Gemma3::nbytes() const {
  size_t total = 0;
  for (const array& w : weights()) total += w.nbytes();
  return total;
}

}  // namespace lazuli::models
