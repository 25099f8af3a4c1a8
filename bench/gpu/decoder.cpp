#include "gpu/decoder.h"

#include <cmath>

namespace lazuli::bench {
namespace {

constexpr int group = 64, bits = 4;

array random_matrix(int rows, int columns, uint64_t seed) {
  float scale = 1.0f / std::sqrt(static_cast<float>(columns));
  array w =
      astype(random::uniform(-scale, scale, {rows, columns}, float32, random::key(seed)), bfloat16);
  w.eval();
  return w;
}

array zero_cache(int batch, int heads, int length, int head) {
  array cache = zeros({batch, heads, length, head}, bfloat16);
  cache.eval();
  return cache;
}

}  // namespace

array Weight::times(const array& x) const {
  if (scales) return quantized_matmul(x, w, *scales, biases, true, group, bits);
  return matmul(x, transpose(w));
}

Weight Decoder::random_weight(int rows, int columns) {
  Weight weight{random_matrix(rows, columns, seed_++), std::nullopt, std::nullopt};
  if (quantized_) {
    std::vector<array> parts = quantize(weight.w, group, bits);
    eval(parts);
    weight = {parts[0], parts[1], parts[2]};
    weight_bytes_ += static_cast<double>(parts[1].nbytes() + parts[2].nbytes());
  }
  weight_bytes_ += static_cast<double>(weight.w.nbytes());
  return weight;
}

array Decoder::random_norm(int size) {
  array w = astype(random::uniform(0.5f, 1.5f, {size}, float32, random::key(seed_++)), bfloat16);
  w.eval();
  return w;
}

Decoder::Decoder(const DecoderShape& shape, bool quantized, int batch, int context_max)
    : shape_(shape),
      quantized_(quantized),
      embedding_(random_matrix(shape.vocabulary, shape.width, 1000)),
      norm_(random_norm(shape.width)),
      head_(random_weight(shape.vocabulary, shape.width)) {
  int rows = shape.heads * shape.head, kv_rows = shape.kv_heads * shape.head;
  for (int l = 0; l < shape.layers; ++l) {
    layers_.push_back({random_weight(rows, shape.width), random_weight(kv_rows, shape.width),
                       random_weight(kv_rows, shape.width), random_weight(shape.width, rows),
                       random_weight(shape.hidden, shape.width),
                       random_weight(shape.hidden, shape.width),
                       random_weight(shape.width, shape.hidden), random_norm(shape.width),
                       random_norm(shape.width), random_norm(shape.head), random_norm(shape.head),
                       zero_cache(batch, shape.kv_heads, context_max, shape.head),
                       zero_cache(batch, shape.kv_heads, context_max, shape.head)});
  }
}

array Decoder::attention(Layer& layer, const array& x, int position) {
  int batch = static_cast<int>(x.shape(0)), count = static_cast<int>(x.shape(1));
  auto heads_of = [&](const array& y, int heads) {
    return transpose(reshape(y, {batch, count, heads, shape_.head}), {0, 2, 1, 3});
  };
  array q = heads_of(layer.q.times(x), shape_.heads);
  array k = heads_of(layer.k.times(x), shape_.kv_heads);
  array v = heads_of(layer.v.times(x), shape_.kv_heads);
  if (shape_.head_norms) {
    q = fast::rms_norm(q, layer.q_norm, 1e-6f);
    k = fast::rms_norm(k, layer.k_norm, 1e-6f);
  }
  q = fast::rope(q, shape_.head, false, shape_.rope_base, 1.0f, position);
  k = fast::rope(k, shape_.head, false, shape_.rope_base, 1.0f, position);
  Shape from = {0, 0, position, 0}, to = {batch, shape_.kv_heads, position + count, shape_.head};
  layer.keys = slice_update(layer.keys, k, from, to);
  layer.values = slice_update(layer.values, v, from, to);
  array keys = slice(layer.keys, {0, 0, 0, 0}, to), values = slice(layer.values, {0, 0, 0, 0}, to);
  float scale = 1.0f / std::sqrt(static_cast<float>(shape_.head));
  array mixed =
      fast::scaled_dot_product_attention(q, keys, values, scale, count > 1 ? "causal" : "");
  mixed = reshape(transpose(mixed, {0, 2, 1, 3}), {batch, count, shape_.heads * shape_.head});
  return layer.o.times(mixed);
}

array Decoder::step(const array& tokens, int position) {
  array x = take(embedding_, tokens, 0);
  for (Layer& layer : layers_) {
    x = x + attention(layer, fast::rms_norm(x, layer.before, 1e-5f), position);
    array y = fast::rms_norm(x, layer.after, 1e-5f);
    array gate = layer.gate.times(y);
    x = x + layer.down.times(gate * sigmoid(gate) * layer.up.times(y));
  }
  int count = static_cast<int>(tokens.shape(1));
  array last = slice(x, {0, count - 1, 0}, {static_cast<int>(x.shape(0)), count, shape_.width});
  array logits = head_.times(fast::rms_norm(last, norm_, 1e-5f));
  return argmax(logits, -1);
}

std::vector<array> Decoder::state() const {
  std::vector<array> all;
  for (const Layer& layer : layers_) {
    all.push_back(layer.keys);
    all.push_back(layer.values);
  }
  return all;
}

}  // namespace lazuli::bench
