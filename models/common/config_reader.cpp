#include "common/config_reader.h"

#include <cmath>
#include <limits>

#include "common/weights.h"
#include "lazuli/printable.h"

namespace lazuli::models {

int ConfigReader::positive(const char* name) const {
  int64_t value = file_.integer(key(name));
  if (value < 1 || value > std::numeric_limits<int32_t>::max()) {
    fail(name, "is " + std::to_string(value) + "; 1 to 2^31 - 1 are possible");
  }
  return static_cast<int>(value);
}

int ConfigReader::positive(const char* name, int fallback) const {
  return has(name) ? positive(name) : fallback;
}

float ConfigReader::positive_float(const char* name, std::optional<double> fallback) const {
  double value = fallback ? file_.number(key(name), *fallback) : file_.number(key(name));
  float narrow = static_cast<float>(value);
  if (!(narrow > 0) || !std::isfinite(narrow)) {
    fail(name, "is " + std::to_string(value) + "; a finite number above 0 is needed");
  }
  return narrow;
}

std::string ConfigReader::text(const char* name, const char* fallback) const {
  return std::string(file_.text(key(name), fallback));
}

DecoderConfig ConfigReader::decoder(float rope_base) const {
  DecoderConfig c{};
  c.layers = positive("block_count");
  c.hidden = positive("embedding_length");
  c.heads = positive("attention.head_count");
  c.kv_heads = positive("attention.head_count_kv", c.heads);
  c.head_size = positive("attention.key_length", c.hidden / c.heads);
  c.context = positive("context_length");
  c.epsilon = positive_float("attention.layer_norm_rms_epsilon");
  c.rope_base = positive_float("rope.freq_base", rope_base);
  c.vocabulary = static_cast<int>(matrix_rows(file_, "token_embd.weight"));
  c.feed_forward = has("feed_forward_length")
                       ? positive("feed_forward_length")
                       : static_cast<int>(matrix_rows(file_, "blk.0.ffn_gate.weight"));
  if (c.heads % c.kv_heads != 0) {
    fail("attention.head_count", "is " + std::to_string(c.heads) + ", no multiple of the " +
                                     std::to_string(c.kv_heads) + " heads of keys and values");
  }
  if (c.head_size < 1) {
    fail("attention.head_count", "is " + std::to_string(c.heads) + ", more than the " +
                                     std::to_string(c.hidden) + " features");
  }
  if (file_.find_tensor("blk." + std::to_string(c.layers) + ".attn_q.weight")) {
    fail("block_count", "is " + std::to_string(c.layers) + ", but the file has more layers");
  }
  return c;
}

void ConfigReader::fail(const char* name, const std::string& problem) const {
  throw IoError("gguf file " + printable(file_.path(), 1000) + ": metadata key '" + key(name) +
                "' " + problem + ".");
}

}  // namespace lazuli::models
