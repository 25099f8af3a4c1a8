// Any bytes as text, under every split rule: pieces joined are the text, what is encoded decodes to
// the same bytes, at once and as a stream.
#include <cstdint>
#include <string>
#include <vector>

#include "common/split_rules.h"
#include "common/text_stream.h"
#include "fuzz/require.h"
#include "support/temporary_folder.h"

using namespace lazuli;

namespace {

std::string spelt(int code) {
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xc0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3f))};
}

// All bytes, merges that compete for the same text, control and user-defined tokens.
models::Tokenizer make_tokenizer(std::string_view rule) {
  std::vector<std::string> texts, merges;
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    bool printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
    texts.push_back(spelt(printable ? byte : next++));
  }
  const std::string space = spelt(0x120), line_feed = spelt(0x10a);
  for (auto [left, right] :
       std::vector<std::pair<std::string, std::string>>{{"a", "b"},
                                                        {"b", "c"},
                                                        {"ab", "c"},
                                                        {"a", "a"},
                                                        {"aa", "aa"},
                                                        {"a", "bc"},
                                                        {space, "a"},
                                                        {space, space},
                                                        {line_feed, line_feed},
                                                        {"'", "s"},
                                                        {"1", "2"},
                                                        {spelt(0xc3), spelt(0xa9)}}) {
    merges.push_back(left + " " + right);
    texts.push_back(left + right);
  }
  std::vector<int32_t> kinds(texts.size(), 1);
  for (const char* text : {"<|im_end|>", "<s>"}) {
    texts.push_back(text);
    kinds.push_back(3);
  }
  for (const char* text : {"  \n", "bca", "<"}) {
    texts.push_back(text);
    kinds.push_back(4);
  }
  std::vector<std::string_view> views(texts.begin(), texts.end()),
      lines(merges.begin(), merges.end());
  gguf::Writer writer;
  writer.add("tokenizer.ggml.model", "gpt2");
  writer.add("tokenizer.ggml.pre", rule);
  writer.add("tokenizer.ggml.add_bos_token", false);
  writer.add("tokenizer.ggml.tokens", std::span<const std::string_view>(views));
  writer.add("tokenizer.ggml.token_type", std::span<const int32_t>(kinds));
  writer.add("tokenizer.ggml.merges", std::span<const std::string_view>(lines));
  testing::TemporaryFolder folder;
  writer.save(folder.file("v.gguf"));
  return models::Tokenizer::from_gguf(gguf::open(folder.file("v.gguf")));
}

std::string joined_pieces(const models::SplitRule& rule, std::string_view text) {
  std::string joined;
  models::Splitter splitter(rule, text);
  for (std::string_view piece; !(piece = splitter.next()).empty();) joined += piece;
  return joined;
}

std::string streamed(const models::Tokenizer& tokenizer, const std::vector<int32_t>& tokens) {
  models::TextStream stream(tokenizer, true);
  std::string text;
  for (int32_t token : tokens) text += stream.push(token);
  return text + stream.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<models::Tokenizer> tokenizers = [] {
    std::vector<models::Tokenizer> made;
    for (const models::SplitRule& rule : models::split_rules()) {
      made.push_back(make_tokenizer(rule.name));
    }
    return made;
  }();
  std::string text(reinterpret_cast<const char*>(data), size);
  models::Utf8Stream whole;
  std::string shown = whole.push(text);
  shown += whole.finish();
  for (size_t i = 0; i < tokenizers.size(); ++i) {
    require(joined_pieces(models::split_rules()[i], text) == text, "pieces joined are the text");
    for (bool parse_special : {false, true}) {
      std::vector<int32_t> tokens = tokenizers[i].encode(text, false, parse_special);
      require(tokenizers[i].decode(tokens, true) == text, "decoding gives the text back");
      require(streamed(tokenizers[i], tokens) == shown, "the stream gives the decoded text");
    }
  }
  return 0;
}
