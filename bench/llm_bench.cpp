// Gemma 3 270M on the demo's file: prefill of 512 tokens and decode of 128, greedy, as
// bench/peers/llama_cpp_peer.py does. The floor of a decoded token is one plain read of the
// weights, measured in turn (row "weights_read").
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "chains.h"
#include "common/tokenizer.h"
#include "lazuli/io/gguf.h"
#include "llm/model.h"
#include "rows.h"

namespace lazuli::bench {
namespace {

constexpr int prefill_tokens = 512, decode_tokens = 128, runs = 5;

void report_rate(const std::string& name, int64_t size, const std::vector<double>& rates) {
  fmt::print(
      "{{\"name\": \"{}\", \"peer\": \"lazuli\", \"version\": \"{}\", \"dtype\": \"q4_k_m\", "
      "\"size\": {}, \"tok_s_median\": {}, \"tok_s_max\": {}, \"runs\": {}}}\n",
      name, version(), size, median(rates), *std::max_element(rates.begin(), rates.end()),
      rates.size());
  std::fflush(stdout);
}

array as_row(const std::vector<int32_t>& tokens) {
  return array(tokens.begin(), {1, static_cast<int64_t>(tokens.size())}, int32);
}

double prefill_rate(const models::LanguageModel& model, const std::vector<int32_t>& tokens) {
  auto cache = model.make_cache();
  double before = now_ms();
  std::vector<array> results = {model(as_row(tokens), cache)};
  for (const models::KvCache& layer : cache) {
    for (const array& kept : layer.state()) results.push_back(kept);
  }
  eval(results);
  return 1e3 * static_cast<double>(tokens.size()) / (now_ms() - before);
}

double decode_rate(const models::LanguageModel& model, const std::vector<int32_t>& prompt) {
  auto cache = model.make_cache();
  auto next = [&](const array& tokens) {
    return argmax(model(tokens, cache), -1).item<uint32_t>();
  };
  uint32_t token = next(as_row(prompt));
  double before = now_ms();
  for (int i = 0; i < decode_tokens; ++i) token = next(as_row({static_cast<int32_t>(token)}));
  return 1e3 * decode_tokens / (now_ms() - before);
}

// The file's bytes read once where the model reads them, a stretch for each thread.
std::vector<double> weights_read(const gguf::File& file) {
  std::span<const std::byte> bytes = file.storage()->bytes();
  std::atomic<uint64_t> kept{0};
  const size_t threads = static_cast<size_t>(ThreadPool::instance().threads());
  const size_t share = bytes.size() / threads / 256 * 256;
  return measured([&] {
    ThreadPool::instance().run(static_cast<int64_t>(threads), [&](int64_t task) {
      const std::byte* from = bytes.data() + static_cast<size_t>(task) * share;
      uint64_t sums[32] = {};
      for (size_t i = 0; i < share; i += sizeof sums) {
        uint64_t words[32];
        std::memcpy(words, from + i, sizeof words);
        for (size_t j = 0; j < 32; ++j) sums[j] ^= words[j];
      }
      for (uint64_t sum : sums) kept.fetch_xor(sum, std::memory_order_relaxed);
    });
  });
}

void run(const std::string& path) {
  gguf::File file = gguf::open(path);
  const auto opened = models::open_model(file);
  const models::LanguageModel& model = *opened;
  auto tokenizer = models::Tokenizer::from_gguf(file);
  std::vector<int32_t> prompt = tokenizer.encode("The meaning to life and the universe is");
  std::vector<int32_t> tokens;
  while (tokens.size() < prefill_tokens) tokens.push_back(prompt[tokens.size() % prompt.size()]);
  report("weights_read", "floor", "bytes", 246, weights_read(file));
  std::vector<double> prefill, decode;
  prefill_rate(model, tokens);
  for (int i = 0; i < runs; ++i) {
    prefill.push_back(prefill_rate(model, tokens));
    decode.push_back(decode_rate(model, prompt));
  }
  report_rate("prefill", prefill_tokens, prefill);
  report_rate("decode", decode_tokens, decode);
}

}  // namespace
}  // namespace lazuli::bench

int main(int count, char** arguments) {
  if (count != 2) {
    fmt::print(stderr, "usage: llm_bench MODEL.gguf\n");
    return 2;
  }
  lazuli::bench::run(arguments[1]);
}
