// Milliseconds to load a tokenizer and to encode texts: tokenizer_bench MODEL TEXT_FILE...
// One line a text: name, tokens, the median of five. tokenizer_bench.py runs it beside llama.cpp.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "common/tokenizer.h"

using lazuli::models::Tokenizer;

namespace {

double median_ms(const std::function<void()>& work) {
  std::vector<double> times;
  for (int i = 0; i < 5; ++i) {
    auto start = std::chrono::steady_clock::now();
    work();
    std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
    times.push_back(taken.count());
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "tokenizer_bench MODEL TEXT_FILE...\n");
    return 2;
  }
  auto load = [&] { return Tokenizer::from_gguf(lazuli::gguf::open(argv[1])); };
  std::printf("load 0 %.2f\n", median_ms([&] { load(); }));
  Tokenizer tokenizer = load();
  for (int i = 2; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(file)), {});
    size_t count = 0;
    double ms = median_ms([&] { count = tokenizer.encode(text).size(); });
    std::printf("%s %zu %.2f\n", argv[i], count, ms);
  }
}
