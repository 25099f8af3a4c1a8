// A decoder with random weights in the shape of a real one, in plain ops of the public API.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lazuli/lazuli.h"

namespace lazuli::bench {

struct DecoderShape {
  std::string name;
  int layers, width, heads, kv_heads, head, hidden, vocabulary;
  bool head_norms;  // of queries and keys
  float rope_base;
};

// A matrix [rows, columns], plain or as 4-bit levels in groups of 64.
struct Weight {
  array w;
  std::optional<array> scales, biases;
  array times(const array& x) const;
};

class Decoder {
 public:
  Decoder(const DecoderShape& shape, bool quantized, int batch, int context_max);

  // Tokens [batch, count] at positions from `position` on; the most likely next token of each
  // sequence, [batch, 1]. The caches grow by `count`.
  array step(const array& tokens, int position);
  // Everything that must be evaluated for the next step.
  std::vector<array> state() const;
  double weight_bytes() const { return weight_bytes_; }

 private:
  struct Layer {
    Weight q, k, v, o, gate, up, down;
    array before, after, q_norm, k_norm;
    array keys, values;
  };

  Weight random_weight(int rows, int columns);
  array random_norm(int size);
  array attention(Layer& layer, const array& x, int position);

  DecoderShape shape_;
  bool quantized_;
  double weight_bytes_ = 0;
  uint64_t seed_ = 1;
  array embedding_, norm_;
  Weight head_;
  std::vector<Layer> layers_;
};

}  // namespace lazuli::bench
