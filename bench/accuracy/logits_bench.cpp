// Writes the logits of a model at every position of a text, for bench/accuracy/compare.py.
//
//   logits_bench MODEL.gguf TEXT POSITIONS OUT PREFILL
//
// PREFILL tokens go through the model together, the rest one by one. OUT gets float32
// [POSITIONS, vocabulary]; the token ids go to standard output, one a line.
#include <fmt/core.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/tokenizer.h"
#include "lazuli/io/gguf.h"
#include "llm/model.h"

namespace lazuli::bench {
namespace {

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write(std::ofstream& out, const array& logits) {
  array values = logits;
  values.eval();
  out.write(reinterpret_cast<const char*>(values.data<float>()),
            static_cast<std::streamsize>(values.nbytes()));
}

void run(const std::string& model_path, const std::string& text_path, size_t positions,
         const std::string& out_path, size_t together) {
  gguf::File file = gguf::open(model_path);
  const auto model = models::open_model(file);
  std::vector<int32_t> tokens = models::Tokenizer::from_gguf(file).encode(read_text(text_path));
  if (tokens.size() < positions) throw std::runtime_error("The text is too short.");
  std::ofstream out(out_path, std::ios::binary);
  auto cache = model->make_cache();
  for (size_t at = 0; at < positions;) {
    size_t count = at < together ? together : 1;
    array ids(tokens.data() + at, Shape{1, static_cast<int64_t>(count)}, int32);
    write(out, (*model)(ids, cache, true));
    at += count;
  }
  for (size_t i = 0; i < positions; ++i) fmt::print("{}\n", tokens[i]);
}

}  // namespace
}  // namespace lazuli::bench

int main(int count, char** arguments) {
  if (count != 6) {
    fmt::print(stderr, "usage: logits_bench MODEL.gguf TEXT POSITIONS OUT PREFILL\n");
    return 2;
  }
  lazuli::bench::run(arguments[1], arguments[2], std::stoul(arguments[3]), arguments[4],
                     std::stoul(arguments[5]));
}
