// Decoders with random weights: tokens a second with 512 tokens of context, and the prefill of
// 1,024 tokens. gpu_decoder_bench [llama|qwen|all] [bf16|4bit|all]
#include <cmath>
#include <optional>

#include "gpu/timing.h"

namespace lazuli::bench {
namespace {

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

using Clock = std::chrono::steady_clock;

constexpr int context = 512, prompt = 1024, steps = 64;

const DecoderShape llama{"llama-8b", 32, 4096, 32, 8, 128, 14336, 128256, false, 500000.0f};
const DecoderShape qwen{"qwen3-4b", 36, 2560, 32, 8, 128, 9728, 151936, true, 1000000.0f};

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

array random_tokens(int batch, int count) {
  array tokens = random::randint(0, 30000, {batch, count}, int32, random::key(7));
  tokens.eval();
  return tokens;
}

// As mlx-lm generates: the next step is queued, then the token of the last one is read.
void decode(Decoder& decoder, const DecoderShape& shape, const char* kind, int batch) {
  array token = random_tokens(batch, 1);
  double host = 0, best = 1e9;
  int64_t read = 0;
  for (int round = 0; round < 3; ++round) {
    synchronize();
    Clock::time_point start = Clock::now();
    host = 0;
    for (int k = 0; k < steps; ++k) {
      Clock::time_point step_start = Clock::now();
      array next = astype(decoder.step(token, context + k), int32);
      async_eval({next});
      host += since(step_start);
      read += *token.data<int32_t>();
      token = next;
    }
    token.eval();
    best = std::min(best, since(start) / steps);
  }
  if (read < 0) fmt::print("a token is negative\n");
  fmt::print(
      "{:<10} decode batch {} {:<5} {:9.1f} tok/s {:8.1f} us/step, host {:7.1f} us, {:.2f} TB/s\n",
      shape.name, batch, kind, batch / best, best * 1e6, host / steps * 1e6,
      decoder.weight_bytes() / best / 1e12);
  std::fflush(stdout);
}

void prefill(Decoder& decoder, const DecoderShape& shape, const char* kind) {
  array tokens = random_tokens(1, prompt);
  auto run = [&] {
    array next = decoder.step(tokens, 0);
    std::vector<array> outputs = decoder.state();
    outputs.push_back(next);
    eval(outputs);
  };
  run();
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    Clock::time_point start = Clock::now();
    run();
    best = std::min(best, since(start));
  }
  fmt::print("{:<10} prefill {} {:<5} {:9.0f} tok/s {:8.2f} ms\n", shape.name, prompt, kind,
             prompt / best, best * 1e3);
  std::fflush(stdout);
}

void measure(const DecoderShape& shape, bool quantized) {
  const char* kind = quantized ? "4bit" : "bf16";
  {
    Decoder decoder(shape, quantized, 1, prompt + 64);
    prefill(decoder, shape, kind);
    decode(decoder, shape, kind, 1);
  }
  Decoder decoder(shape, quantized, 8, context + 64);
  decode(decoder, shape, kind, 8);
}

}  // namespace
}  // namespace lazuli::bench

int main(int count, char** arguments) {
  using namespace lazuli;
  set_default_device(Device::gpu);
  std::string model = count > 1 ? arguments[1] : "all", kind = count > 2 ? arguments[2] : "all";
  for (const bench::DecoderShape* shape : {&bench::llama, &bench::qwen}) {
    if (model != "all" && !shape->name.starts_with(model)) continue;
    for (bool quantized : {false, true}) {
      if (kind != "all" && (kind == "4bit") != quantized) continue;
      try {
        bench::measure(*shape, quantized);
      } catch (const std::exception& error) {
        fmt::print("{} {}: {}\n", shape->name, quantized ? "4bit" : "bf16", error.what());
      }
    }
  }
}
