// Byte-level BPE: small vocabularies by hand, and those of models against the package `tokenizers`
// (bpe_oracle.py recorded it).
#include <gtest/gtest.h>

#include <filesystem>

#include "common/text_stream.h"
#include "common/tokenizer.h"
#include "lazuli/error.h"
#include "models/recordings.h"
#include "support/model_file.h"
#include "support/temporary_folder.h"

namespace lazuli::models {
namespace {

using testing::message_of;
using testing::TemporaryFolder;
using Tokens = std::vector<int32_t>;

constexpr int32_t normal = 1, control = 3, user_defined = 4;
constexpr const char* spelt_space = "\xc4\xa0";

// A vocabulary: <|endoftext|> 0, the space 1, a to h 2 to 9, 1 and 2 10 and 11, then what the test
// adds.
struct Example {
  std::vector<std::string> texts = {"<|endoftext|>", spelt_space};
  std::vector<int32_t> kinds = {control, normal};
  std::vector<std::string> merges;
  std::string pre = "gpt-2";
  gguf::Writer writer;

  Example() {
    for (char c : std::string("abcdefgh12")) add({c});
  }
  int32_t add(const std::string& text, int32_t kind = normal) {
    texts.push_back(text);
    kinds.push_back(kind);
    return static_cast<int32_t>(texts.size()) - 1;
  }
  // Adds the token of two others and how it comes about.
  int32_t merge(const std::string& left, const std::string& right) {
    merges.push_back(left + " " + right);
    return add(left + right);
  }
  Tokenizer build() {
    std::vector<std::string_view> views(texts.begin(), texts.end());
    std::vector<std::string_view> lines(merges.begin(), merges.end());
    writer.add("tokenizer.ggml.model", "gpt2");
    if (!pre.empty()) writer.add("tokenizer.ggml.pre", pre);
    writer.add("tokenizer.ggml.tokens", std::span<const std::string_view>(views));
    writer.add("tokenizer.ggml.token_type", std::span<const int32_t>(kinds));
    writer.add("tokenizer.ggml.merges", std::span<const std::string_view>(lines));
    TemporaryFolder folder;
    writer.save(folder.file("v.gguf"));
    return Tokenizer::from_gguf(gguf::open(folder.file("v.gguf")));
  }
  // The error of the vocabulary behind the file's name.
  std::string error() {
    std::string message = message_of<IoError>([&] { build(); });
    size_t at = message.find("': ");
    return at == std::string::npos ? message : message.substr(at + 3);
  }
};

constexpr int32_t space = 1, a = 2, b = 3, c = 4, d = 5;

TEST(BytePairs, MergeInTheOrderOfTheList) {
  Example example;
  int32_t bc = example.merge("b", "c");
  int32_t ab = example.merge("a", "b");
  int32_t aa = example.merge("a", "a");
  int32_t abab = example.merge("ab", "ab");
  Tokenizer tokenizer = example.build();
  EXPECT_EQ(tokenizer.encode("ab"), Tokens{ab});
  EXPECT_EQ(tokenizer.encode("abc"), (Tokens{a, bc}));
  EXPECT_EQ(tokenizer.encode("aaa"), (Tokens{aa, a}));
  EXPECT_EQ(tokenizer.encode("ababab"), (Tokens{abab, ab}));
  EXPECT_EQ(tokenizer.encode("aab"), (Tokens{a, ab}));
  EXPECT_EQ(tokenizer.encode(""), Tokens{});
}

// The first of two equal merges counts; it says what the others can build on.
TEST(BytePairs, OfEqualMergesTheFirstCounts) {
  Example example;
  int32_t ab = example.merge("a", "b");
  int32_t bc = example.merge("b", "c");
  example.merges.push_back("a b");
  Tokenizer tokenizer = example.build();
  EXPECT_EQ(tokenizer.encode("abc"), (Tokens{ab, c}));
  EXPECT_EQ(tokenizer.encode("bc"), Tokens{bc});
}

TEST(BytePairs, PiecesAreMergedApart) {
  Example example;
  int32_t spaced = example.merge(spelt_space, "a");
  int32_t digits = example.merge("1", "2");
  example.merge("a", spelt_space);  // never within a piece
  EXPECT_EQ(example.build().encode("a a12"), (Tokens{a, spaced, digits}));
  Example other;
  other.merge("1", "2");
  other.pre = "smollm";
  EXPECT_EQ(other.build().encode("12"), (Tokens{10, 11}));
}

TEST(BytePairs, WholeTokensAreKeptWhereTheRuleSaysSo) {
  for (bool kept : {true, false}) {
    Example example;
    int32_t abc = example.add("abc");
    example.pre = kept ? "llama-bpe" : "qwen2";
    if (kept) example.writer.add("tokenizer.ggml.add_bos_token", false);
    EXPECT_EQ(example.build().encode("abc"), kept ? Tokens{abc} : (Tokens{a, b, c}));
  }
}

TEST(BytePairs, SpecialTokensAreMatchedInTheText) {
  Example example;
  int32_t user = example.add("a b", user_defined);
  Tokenizer tokenizer = example.build();
  EXPECT_EQ(tokenizer.encode("a<|endoftext|>b"), (Tokens{a, 0, b}));
  EXPECT_EQ(tokenizer.encode("da b"), (Tokens{d, user}));
  EXPECT_EQ(tokenizer.decode(Tokens{d, user, 0}), "da b");
  EXPECT_EQ(tokenizer.decode(Tokens{d, user, 0}, true), "da b<|endoftext|>");
  // As plain text; most of its bytes have no token here.
  EXPECT_EQ(tokenizer.encode("<|endoftext|>", true, false), (Tokens{6, d, 7, 6}));
}

TEST(BytePairs, EveryByteHasASpelling) {
  Example example;
  example.texts.resize(1);
  example.kinds.resize(1);
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    bool printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
    int code = printable ? byte : next++;
    if (code < 0x80) {
      example.add({static_cast<char>(code)});
    } else {
      example.add({static_cast<char>(0xc0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3f))});
    }
  }
  Tokenizer tokenizer = example.build();
  std::string bytes;
  Tokens tokens;
  for (int byte = 0; byte < 256; ++byte) {
    bytes += static_cast<char>(byte);
    tokens.push_back(1 + byte);
  }
  EXPECT_EQ(tokenizer.encode(bytes), tokens);
  EXPECT_EQ(tokenizer.decode(tokens), bytes);
}

TEST(BytePairs, RolesAreTheFiles) {
  Example example;
  Tokenizer tokenizer = example.build();
  EXPECT_FALSE(tokenizer.adds_bos());
  EXPECT_EQ(tokenizer.bos(), -1);
  EXPECT_EQ(tokenizer.eos(), -1);
  EXPECT_EQ(tokenizer.unknown(), -1);
  EXPECT_TRUE(tokenizer.is_end(0));
  Example other;
  other.pre = "llama-bpe";
  other.writer.add("tokenizer.ggml.bos_token_id", a);
  EXPECT_EQ(other.build().encode("b"), (Tokens{a, b}));
}

// Qwen2's vocabulary has "</s>" as a piece of HTML.
TEST(BytePairs, ANormalTokenEndsNoText) {
  Example example;
  int32_t html = example.add("</s>");
  Tokenizer tokenizer = example.build();
  EXPECT_FALSE(tokenizer.is_end(html));
  EXPECT_EQ(tokenizer.decode(Tokens{html}), "</s>");
  Example other;
  int32_t turn = other.add("<|im_end|>", user_defined);
  EXPECT_TRUE(other.build().is_end(turn));
}

TEST(BytePairs, LoadErrors) {
  Example unknown;
  unknown.pre = "new\x1b";
  EXPECT_EQ(unknown.error(),
            "metadata key 'tokenizer.ggml.pre' is 'new\\x1b'; the rules to split text by that are "
            "known are gpt-2, smollm, llama-bpe, qwen2");
  Example missing;
  missing.pre = "";
  EXPECT_EQ(missing.error(),
            "metadata key 'tokenizer.ggml.pre' is missing; the rules to split text by that are "
            "known are gpt-2, smollm, llama-bpe, qwen2");
  for (std::string line : {"a", "", " ", "ab"}) {
    Example example;
    example.merges.push_back(line);
    EXPECT_EQ(example.error(), "metadata key 'tokenizer.ggml.merges' has the merge '" + line +
                                   "', which is not two tokens");
  }
  for (std::string line : {"a z", "z a", "a b", "a ", "a b c"}) {
    Example example;
    example.merges.push_back(line);
    EXPECT_EQ(example.error(), "metadata key 'tokenizer.ggml.merges' has the merge '" + line +
                                   "', which names a token that is not in the vocabulary");
  }
  Example without;
  without.pre = "llama-bpe";
  EXPECT_EQ(without.error(), "metadata key 'tokenizer.ggml.bos_token_id' is missing");
}

// Quadratic work on four million bytes would not end within the time that a test has.
TEST(BytePairs, HostileTextTakesLinearTime) {
  for (const char* pre : {"gpt-2", "smollm", "llama-bpe", "qwen2"}) {
    Example example;
    example.pre = pre;
    example.writer.add("tokenizer.ggml.add_bos_token", false);
    std::string run = "a";
    for (int length = 2; length <= 64; ++length, run += 'a') example.merge(run, "a");
    Tokenizer tokenizer = example.build();
    for (std::string unit :
         {"a", " ", "ab", "\n ", " \n", "'", "1", "\xff", "\xf0\x9f\x98", "-\n"}) {
      std::string text;
      while (text.size() < 2'000'000) text += unit;
      tokenizer.encode(text);
      tokenizer.encode(text + "b");
    }
  }
}

struct Case {
  const char* name;  // as ./dev models has it
  const char* file;
  const char* recording;
  int32_t bos, eos;
};

class BytePairsOf : public ::testing::TestWithParam<Case> {};

TEST_P(BytePairsOf, AgreeWithTheRecording) {
  std::string model = testing::model_file(GetParam().file);
  if (!std::filesystem::exists(model)) {
    GTEST_SKIP() << "./dev models " << GetParam().name << " fetches " << model;
  }
  Tokenizer tokenizer = Tokenizer::from_gguf(gguf::open(model));
  EXPECT_EQ(tokenizer.bos(), GetParam().bos);
  EXPECT_EQ(tokenizer.eos(), GetParam().eos);
  EXPECT_EQ(tokenizer.eot(), GetParam().eos);
  std::vector<std::string> lines = lines_of(recorded(GetParam().recording));
  ASSERT_GE(lines.size(), 400u);
  for (const std::string& line : lines) {
    std::vector<std::string> fields = fields_of(line);
    ASSERT_EQ(fields.size(), 4u);
    SCOPED_TRACE("text " + fields[0] + " (hexadecimal)");
    std::string text = bytes_of(fields[0]);
    std::string kept = fields[3] == "=" ? text : bytes_of(fields[3]);
    Tokens parsed = numbers_of(fields[1]);
    Tokens plain = fields[2] == "=" ? parsed : numbers_of(fields[2]);
    EXPECT_EQ(tokenizer.encode(text), parsed);
    EXPECT_EQ(tokenizer.encode(text, true, false), plain);
    EXPECT_EQ(tokenizer.decode(parsed, true), kept);
    EXPECT_EQ(tokenizer.decode(plain), kept);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, BytePairsOf,
                         ::testing::Values(Case{"smollm2", "smollm2-135m-instruct-q4_1.gguf",
                                                "tokenizer_smollm2.txt", 1, 2},
                                           Case{"qwen2", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
                                                "tokenizer_qwen2.txt", 151643, 151645}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace lazuli::models
