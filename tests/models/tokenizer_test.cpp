#include "common/tokenizer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <sstream>

#include "common/text_stream.h"
#include "lazuli/error.h"
#include "models/recordings.h"
#include "support/model_file.h"
#include "support/temporary_folder.h"

namespace lazuli::models {
namespace {

using testing::message_of;
using testing::TemporaryFolder;
using Tokens = std::vector<int32_t>;

constexpr int32_t normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6;

// A vocabulary: <unk> 0, <s> 1, </s> 2, the bytes 3 to 258, the space 259, a to h 260 to 267, then
// what the test adds.
struct Example {
  std::vector<std::string> texts = {"<unk>", "<s>", "</s>"};
  std::vector<float> scores = {0, 0, 0};
  std::vector<int32_t> kinds = {unknown, control, control};
  gguf::Writer writer;

  explicit Example(bool with_bytes = true) {
    constexpr char digits[] = "0123456789ABCDEF";
    for (int i = 0; with_bytes && i < 256; ++i) {
      add({'<', '0', 'x', digits[i / 16], digits[i % 16], '>'}, 0, byte);
    }
    add("\xe2\x96\x81", -1000);
    for (char letter = 'a'; letter <= 'h'; ++letter) add({letter}, -1000);
  }
  int32_t add(const std::string& text, float score, int32_t kind = normal) {
    texts.push_back(text);
    scores.push_back(score);
    kinds.push_back(kind);
    return static_cast<int32_t>(texts.size()) - 1;
  }
  Tokenizer build() {
    std::vector<std::string_view> views(texts.begin(), texts.end());
    writer.add("tokenizer.ggml.model", "llama");
    writer.add("tokenizer.ggml.tokens", std::span<const std::string_view>(views));
    writer.add("tokenizer.ggml.scores", std::span<const float>(scores));
    writer.add("tokenizer.ggml.token_type", std::span<const int32_t>(kinds));
    TemporaryFolder folder;
    writer.save(folder.file("v.gguf"));
    return Tokenizer::from_gguf(gguf::open(folder.file("v.gguf")));
  }
  Tokenizer without_prefix() {
    writer.add("tokenizer.ggml.add_space_prefix", false);
    return build();
  }
};

constexpr int32_t space = 259, a = 260, b = 261, c = 262, d = 263;
int32_t byte_token(int value) { return 3 + value; }

// The expected tokens below were seen from llama.cpp (llama-cpp-python 0.3.36) on the same
// vocabularies.
TEST(Tokenizer, SpecialTokensAndSpacePrefix) {
  Tokenizer tokenizer = Example().build();
  EXPECT_EQ(tokenizer.encode(""), Tokens{1});
  EXPECT_EQ(tokenizer.encode("", false), Tokens{});
  EXPECT_EQ(tokenizer.encode("a b"), (Tokens{1, space, a, space, b}));
  EXPECT_EQ(tokenizer.encode(" a", false), (Tokens{space, space, a}));
  EXPECT_EQ(tokenizer.encode("<s> a<s>b"), (Tokens{1, 1, space, space, a, 1, space, b}));
  EXPECT_EQ(tokenizer.encode("<s>a", false, false),
            (Tokens{space, byte_token('<'), byte_token('s'), byte_token('>'), a}));
  Example example;
  example.writer.add("tokenizer.ggml.add_bos_token", false);
  example.writer.add("tokenizer.ggml.add_eos_token", true);
  EXPECT_EQ(example.without_prefix().encode("a"), (Tokens{a, 2}));
}

TEST(Tokenizer, SettingsAreAnswered) {
  Example example;
  int32_t turn = example.add("<end_of_turn>", 0, normal);
  example.writer.add("tokenizer.ggml.add_eos_token", true);
  example.writer.add("tokenizer.ggml.bos_token_id", uint32_t{a});
  Tokenizer tokenizer = example.build();
  EXPECT_EQ(tokenizer.size(), turn + 1);
  EXPECT_EQ(tokenizer.bos(), a);
  EXPECT_EQ(tokenizer.eos(), 2);
  EXPECT_EQ(tokenizer.eot(), turn);
  EXPECT_EQ(tokenizer.unknown(), 0);
  EXPECT_TRUE(tokenizer.adds_bos());
  EXPECT_TRUE(tokenizer.adds_eos());
  EXPECT_TRUE(tokenizer.is_end(2));
  EXPECT_TRUE(tokenizer.is_end(turn));
  EXPECT_FALSE(tokenizer.is_end(a));
  EXPECT_EQ(Example().build().eot(), -1);
}

TEST(Tokenizer, MergesByScoreThenFromTheLeft) {
  Example example;
  int32_t ab = example.add("ab", -2);
  int32_t bc = example.add("bc", -1);
  int32_t aa = example.add("aa", -3);
  int32_t abc = example.add("abc", -9, unused);
  Tokenizer tokenizer = example.without_prefix();
  EXPECT_EQ(tokenizer.encode("ab", false), Tokens{ab});
  EXPECT_EQ(tokenizer.encode("bbc", false), (Tokens{b, bc}));
  EXPECT_EQ(tokenizer.encode("aaa", false), (Tokens{aa, a}));
  EXPECT_EQ(tokenizer.encode("aaaa", false), (Tokens{aa, aa}));
  EXPECT_EQ(tokenizer.encode("babc", false), (Tokens{b, abc}));
}

TEST(Tokenizer, LongerSpecialTokensWin) {
  Example example;
  example.add("ab", 0, user_defined);
  int32_t bcd = example.add("bcd", 0, user_defined);
  Tokenizer tokenizer = example.without_prefix();
  EXPECT_EQ(tokenizer.encode("abcd", false), (Tokens{a, bcd}));
  Example other;
  int32_t abc = other.add("abc", 0, control);
  int32_t cd = other.add("cd", 0, user_defined);
  tokenizer = other.without_prefix();
  EXPECT_EQ(tokenizer.encode("abcd", false, true), (Tokens{abc, d}));
  EXPECT_EQ(tokenizer.encode("abcd", false, false), (Tokens{a, b, cd}));
  EXPECT_EQ(tokenizer.encode("abcabc", false, true), (Tokens{abc, abc}));
}

TEST(Tokenizer, OfEquallyLongSpecialTokensTheFirstWins) {
  Example example;
  int32_t bc = example.add("bc", 0, user_defined);
  example.add("ab", 0, user_defined);
  Tokenizer tokenizer = example.without_prefix();
  EXPECT_EQ(tokenizer.encode("abc", false), (Tokens{a, bc}));
}

TEST(Tokenizer, SpecialTokensAreMatchedInThePlainText) {
  Example example;
  int32_t spaced = example.add("a b", 0, user_defined);
  int32_t marked = example.add(
      "c\xe2\x96\x81"
      "d",
      0, user_defined);
  Tokenizer tokenizer = example.without_prefix();
  EXPECT_EQ(tokenizer.encode("a bc d", false), (Tokens{spaced, c, space, d}));
  EXPECT_EQ(tokenizer.encode("c\xe2\x96\x81"
                             "d",
                             false),
            Tokens{marked});
}

TEST(Tokenizer, InvalidTextBecomesBytes) {
  Example example;
  int32_t cd = example.add("cd", -1);
  Tokenizer tokenizer = example.without_prefix();
  EXPECT_EQ(tokenizer.encode("\xe2"
                             "cdcd",
                             false),
            (Tokens{byte_token(0xe2), byte_token('c'), byte_token('d'), cd}));
  EXPECT_EQ(tokenizer.encode("\xff"
                             "cdcdcd",
                             false),
            (Tokens{byte_token(0xff), byte_token('c'), byte_token('d'), byte_token('c'), d, cd}));
  EXPECT_EQ(tokenizer.encode("\x80"
                             "cd",
                             false),
            (Tokens{byte_token(0x80), cd}));
  EXPECT_EQ(tokenizer.encode("a\xe2", false), (Tokens{a, byte_token(0xe2)}));
}

TEST(Tokenizer, WithoutByteTokensTheRestIsUnknown) {
  Tokenizer tokenizer = Example(false).build();
  EXPECT_EQ(tokenizer.encode("az", false), (Tokens{3, 4, 0}));
}

TEST(Tokenizer, EndTokensAreControlTokens) {
  Example example;
  int32_t turn = example.add("<|im_end|>", 0, user_defined);
  Tokenizer tokenizer = example.without_prefix();
  EXPECT_EQ(tokenizer.encode("<|im_end|>", false, true), Tokens{turn});
  EXPECT_EQ(tokenizer.encode("<|im_end|>", false, false).size(), 10u);
  EXPECT_EQ(tokenizer.piece(turn), "");
  EXPECT_EQ(tokenizer.piece(turn, true), "<|im_end|>");
}

TEST(Tokenizer, Decodes) {
  Example example;
  int32_t word = example.add(
      "\xe2\x96\x81"
      "ab",
      0);
  int32_t literal = example.add("x\xe2\x96\x81y", 0, user_defined);
  int32_t hidden = example.add("hidden", 0, unused);
  Tokenizer tokenizer = example.build();
  EXPECT_EQ(tokenizer.decode(Tokens{}), "");
  EXPECT_EQ(tokenizer.decode(Tokens{word, word}), "ab ab");
  EXPECT_EQ(tokenizer.decode(Tokens{space, space, a}), " a");
  EXPECT_EQ(tokenizer.decode(Tokens{1, word, literal, hidden, 2}), " abx\xe2\x96\x81y");
  EXPECT_EQ(tokenizer.decode(Tokens{1, word, 2}, true), "<s> ab</s>");
  EXPECT_EQ(tokenizer.decode(Tokens{byte_token(0xe2), byte_token(0x82)}), "\xe2\x82");
  EXPECT_EQ(tokenizer.piece(word), " ab");
  EXPECT_EQ(message_of<IndexError>([&] { tokenizer.piece(-1); }),
            "Tokenizer: there is no token -1; the vocabulary has 0 to 270");
  EXPECT_EQ(message_of<IndexError>([&] { tokenizer.decode(Tokens{a, 271}); }),
            "Tokenizer: there is no token 271; the vocabulary has 0 to 270");
}

// The error of a vocabulary without the path.
template <class Prepare>
std::string load_error(Prepare prepare) {
  TemporaryFolder folder;
  gguf::Writer writer;
  prepare(writer);
  writer.save(folder.file("v.gguf"));
  std::string message =
      message_of<IoError>([&] { Tokenizer::from_gguf(gguf::open(folder.file("v.gguf"))); });
  std::string prefix = "gguf file '" + folder.file("v.gguf") + "': ";
  return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
}

void add_tokens(gguf::Writer& writer, std::vector<std::string_view> texts) {
  writer.add("tokenizer.ggml.model", "llama");
  writer.add("tokenizer.ggml.tokens", std::span<const std::string_view>(texts));
}

TEST(Tokenizer, LoadErrors) {
  using gguf::Writer;
  EXPECT_EQ(load_error([](Writer&) {}),
            "metadata key 'tokenizer.ggml.model' is missing; the file has no tokenizer");
  EXPECT_EQ(load_error([](Writer& w) { w.add("tokenizer.ggml.model", 1); }),
            "metadata key 'tokenizer.ggml.model' is of type int32, not a string");
  EXPECT_EQ(load_error([](Writer& w) { w.add("tokenizer.ggml.model", "bert"); }),
            "metadata key 'tokenizer.ggml.model' is 'bert', a tokenizer that is not supported; "
            "SentencePiece, 'llama', and byte-level BPE, 'gpt2', are");
  EXPECT_EQ(load_error([](Writer& w) { w.add("tokenizer.ggml.model", "llama"); }),
            "no metadata key 'tokenizer.ggml.tokens'");
  EXPECT_EQ(load_error([](Writer& w) { add_tokens(w, {}); }),
            "metadata key 'tokenizer.ggml.tokens' has 0 tokens; 1 to 2^31 - 1 are possible");
  std::string giant(70000, 'x');
  EXPECT_EQ(load_error([&](Writer& w) { add_tokens(w, {giant}); }),
            "metadata key 'tokenizer.ggml.tokens' has a token of 70000 bytes, more than the limit "
            "of 65535");
  std::vector<float> three = {1, 2, 3};
  EXPECT_EQ(load_error([&](Writer& w) {
              add_tokens(w, {"a", "b"});
              w.add("tokenizer.ggml.scores", std::span<const float>(three));
            }),
            "metadata key 'tokenizer.ggml.scores' has 3 values for 2 tokens");
  std::vector<int32_t> kinds = {1, 7};
  EXPECT_EQ(load_error([&](Writer& w) {
              add_tokens(w, {"a", "b"});
              w.add("tokenizer.ggml.token_type", std::span<const int32_t>(kinds));
            }),
            "metadata key 'tokenizer.ggml.token_type' has the value 7 for token 1; 0 to 6 are "
            "possible");
  std::vector<int32_t> bytes = {2, 6};
  EXPECT_EQ(load_error([&](Writer& w) {
              add_tokens(w, {"a", "<0x4g>"});
              w.add("tokenizer.ggml.token_type", std::span<const int32_t>(bytes));
            }),
            "metadata key 'tokenizer.ggml.tokens' has a byte token, 1, whose text is not of the "
            "form '<0x41>'");
  EXPECT_EQ(load_error([&](Writer& w) {
              add_tokens(w, {"a", "b"});
              w.add("tokenizer.ggml.eos_token_id", 2);
            }),
            "metadata key 'tokenizer.ggml.eos_token_id' is 2, outside the 2 tokens");
  EXPECT_EQ(load_error([&](Writer& w) { add_tokens(w, {"a"}); }),
            "metadata key 'tokenizer.ggml.bos_token_id' is missing");
  EXPECT_EQ(load_error([&](Writer& w) {
              add_tokens(w, {"a", "b"});
              w.add("tokenizer.ggml.add_eos_token", true);
            }),
            "metadata key 'tokenizer.ggml.eos_token_id' is missing");
  EXPECT_EQ(load_error([&](Writer& w) {
              add_tokens(w, {"a", "b"});
              w.add("tokenizer.ggml.unknown_token_id", -1);
            }),
            "metadata key 'tokenizer.ggml.tokens' has neither a token '<0x00>' nor an unknown "
            "token");
  EXPECT_EQ(load_error([&](Writer& w) {
              add_tokens(w, {"a", "b"});
              w.add("tokenizer.ggml.bos_token_id", "1");
            }),
            "metadata key 'tokenizer.ggml.bos_token_id' is of type string, not an integer that "
            "fits into int64");
}

TEST(Tokenizer, TooManySpecialTokens) {
  std::vector<std::string> many(100, std::string(60000, 'x'));
  std::vector<std::string_view> views(many.begin(), many.end());
  std::vector<int32_t> controls(100, control);
  EXPECT_EQ(load_error([&](gguf::Writer& w) {
              add_tokens(w, views);
              w.add("tokenizer.ggml.token_type", std::span<const int32_t>(controls));
            }),
            "metadata key 'tokenizer.ggml.tokens' has more than 4194304 bytes of control and "
            "user-defined tokens");
}

TEST(Tokenizer, TextsTooLong) {
  Tokenizer tokenizer = Example().build();
  std::string_view view("x", (size_t{1} << 30) + 1);  // never touched
  EXPECT_EQ(message_of<ArgumentError>([&] { tokenizer.encode(view); }),
            "Tokenizer::encode: a text of 1073741825 bytes is longer than the limit of 2^30; "
            "encode it in parts");
}

// Quadratic work on four million bytes would not end within the time that a test has.
TEST(Tokenizer, HostileTextTakesLinearTime) {
  Example example;
  std::string run;
  for (int length = 1; length <= 64; ++length) {
    run += 'a';
    if (length > 1) example.add(run, static_cast<float>(-length));
    example.add(std::string(length, '\t'), 0, user_defined);
  }
  Tokenizer tokenizer = example.build();
  for (std::string unit : {"a", "\t", "ab", "<", "<s", "\xff", "\xf0\x9f\x98", " "}) {
    std::string text;
    while (text.size() < 4'000'000) text += unit;
    EXPECT_GT(tokenizer.encode(text).size(), 1u) << unit;
  }
}

std::string environment_or(const char* name, const std::string& fallback) {
  const char* value = std::getenv(name);
  return value == nullptr ? fallback : value;
}

std::string gemma_file() {
  return environment_or("LAZULI_TOKENIZER_MODEL", testing::model_file("gemma-3-270m-q4_k_m.gguf"));
}

// Compares with the answers of llama.cpp in a file that tokenizer_oracle.py wrote.
void expect_agreement(const std::string& model, const std::string& answers_path, int lines_min) {
  std::ifstream answers(answers_path);
  ASSERT_TRUE(answers.is_open()) << answers_path;
  Tokenizer tokenizer = Tokenizer::from_gguf(gguf::open(model));
  std::string line;
  ASSERT_TRUE(std::getline(answers, line));
  EXPECT_EQ((Tokens{tokenizer.bos(), tokenizer.eos(), tokenizer.eot()}), numbers_of(line));
  int count = 0;
  for (; std::getline(answers, line) && !::testing::Test::HasFailure(); ++count) {
    std::vector<std::string> fields = fields_of(line);
    ASSERT_EQ(fields.size(), 5u);
    std::string text = bytes_of(fields[0]);
    SCOPED_TRACE("text " + fields[0] + " (hexadecimal)");
    // "=" stands for the usual answer.
    Tokens parsed = numbers_of(fields[1]);
    Tokens plain = fields[2] == "=" ? parsed : numbers_of(fields[2]);
    if (fields[2] == "=") plain.insert(plain.begin(), tokenizer.bos());
    EXPECT_EQ(tokenizer.encode(text, false, true), parsed);
    EXPECT_EQ(tokenizer.encode(text, true, false), plain);
    EXPECT_EQ(tokenizer.decode(parsed, true), fields[3] == "=" ? text : bytes_of(fields[3]));
    EXPECT_EQ(tokenizer.decode(plain), fields[4] == "=" ? text : bytes_of(fields[4]));
  }
  EXPECT_GE(count, lines_min);
}

// tokenizer_oracle.py runs this test on other answers than the recorded ones, too.
TEST(Tokenizer, AgreesWithTheRecording) {
  std::string model = gemma_file();
  if (!std::filesystem::exists(model)) {
    GTEST_SKIP() << "the model is not there: " << model << " (./dev demo fetches it)";
  }
  expect_agreement(model,
                   environment_or("LAZULI_TOKENIZER_ANSWERS",
                                  LAZULI_SOURCE_DIR "/tests/models/data/tokenizer_gemma.txt"),
                   100);
}

// 10,000 lines, answered by the peer now.
TEST(Tokenizer, AgreesWithThePeer) {
  std::string model = gemma_file();
  std::string python = LAZULI_SOURCE_DIR "/.cache/peers/bin/python";
  if (!std::filesystem::exists(model)) {
    GTEST_SKIP() << "the model is not there: " << model << " (./dev demo fetches it)";
  }
  if (!std::filesystem::exists(python)) {
    GTEST_SKIP() << "llama.cpp is not there to compare with (./dev setup peers fetches it)";
  }
  TemporaryFolder folder;
  std::string command = "'" + python +
                        "' '" LAZULI_SOURCE_DIR
                        "/tests/models/tokenizer_oracle.py' record --count 10000 --model '" +
                        model + "' --output '" + folder.file("answers") + "'";
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  expect_agreement(model, folder.file("answers"), 10000);
}

}  // namespace
}  // namespace lazuli::models
