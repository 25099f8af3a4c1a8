// Any bytes as text: what is encoded decodes to the same bytes, at once and as a stream.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

#include "common/text_stream.h"
#include "fuzz/require.h"
#include "support/temporary_folder.h"

using namespace lazuli;

namespace {

// All bytes, a few words with overlapping merges, control and user-defined tokens.
models::Tokenizer make_tokenizer() {
  std::vector<std::string> texts = {"<unk>", "<s>", "</s>"};
  std::vector<int32_t> kinds = {2, 3, 3};
  for (int byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof(text), "<0x%02X>", byte);
    texts.push_back(text);
    kinds.push_back(6);
  }
  for (const char* text : {"\xe2\x96\x81", "a", "b", "c", "aa", "ab", "bc", "abc", "aab", "aaaa",
                           "\xe2\x96\x81" "a", "\xe2\x96\x81\xe2\x96\x81", "\xc3\xa9", "<s", "<0x4"}) {
    texts.push_back(text);
    kinds.push_back(1);
  }
  for (const char* text : {"\n", "\n\n", "\n\n\n", "\t\t", "bca", "<b>", "  "}) {
    texts.push_back(text);
    kinds.push_back(4);
  }
  std::vector<float> scores;
  for (size_t i = 0; i < texts.size(); ++i) scores.push_back(static_cast<float>(i * 7919 % 31));
  std::vector<std::string_view> views(texts.begin(), texts.end());
  gguf::Writer writer;
  writer.add("tokenizer.ggml.model", "llama");
  writer.add("tokenizer.ggml.tokens", std::span<const std::string_view>(views));
  writer.add("tokenizer.ggml.scores", std::span<const float>(scores));
  writer.add("tokenizer.ggml.token_type", std::span<const int32_t>(kinds));
  writer.add("tokenizer.ggml.add_space_prefix", false);
  testing::TemporaryFolder folder;
  writer.save(folder.file("v.gguf"));
  return models::Tokenizer::from_gguf(gguf::open(folder.file("v.gguf")));
}

// A marked space in the text is indistinguishable from a space.
std::string with_spaces(std::string_view text) {
  std::string result;
  for (; !text.empty(); text.remove_prefix(1)) {
    bool marked = text.starts_with("\xe2\x96\x81");
    result += marked ? ' ' : text[0];
    if (marked) text.remove_prefix(2);
  }
  return result;
}

std::string streamed(const models::Tokenizer& tokenizer, const std::vector<int32_t>& tokens) {
  models::TextStream stream(tokenizer, true);
  std::string text;
  for (int32_t token : tokens) text += stream.push(token);
  return text + stream.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const models::Tokenizer tokenizer = make_tokenizer();
  std::string text(reinterpret_cast<const char*>(data), size);
  for (bool parse_special : {false, true}) {
    std::vector<int32_t> tokens = tokenizer.encode(text, false, parse_special);
    std::string decoded = tokenizer.decode(tokens, true);
    require(with_spaces(decoded) == with_spaces(text), "decoding gives the text back");
    models::Utf8Stream whole;
    std::string expected = whole.push(decoded);
    expected += whole.finish();
    require(streamed(tokenizer, tokens) == expected, "the stream gives the decoded text");
  }
  return 0;
}
