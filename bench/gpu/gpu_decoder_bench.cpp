// Decoders with random weights: tokens a second with 512 tokens of context, and the prefill of
// 1,024 tokens. gpu_decoder_bench [llama|qwen|all] [bf16|4bit|all]
#include <cstring>

#include "gpu/decoder.h"
#include "gpu/timing.h"

namespace lazuli::bench {
namespace {

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

// The host works out the next step while the device is at this one.
void decode(Decoder& decoder, const DecoderShape& shape, const char* kind, int batch) {
  array token = random_tokens(batch, 1);
  double host = 0, best = 1e9;
  for (int round = 0; round < 3; ++round) {
    synchronize();
    Clock::time_point start = Clock::now();
    host = 0;
    for (int k = 0; k < steps; ++k) {
      Clock::time_point step_start = Clock::now();
      token = astype(decoder.step(token, context + k), int32);
      std::vector<array> outputs = decoder.state();
      outputs.push_back(token);
      async_eval(outputs);
      host += since(step_start);
    }
    token.eval();
    best = std::min(best, since(start) / steps);
  }
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
