// How byte-level BPE cuts text, against the regular expressions as the package `tokenizers` runs
// them (bpe_oracle.py).
#include "common/split_rules.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/unicode/categories.h"
#include "models/recordings.h"

namespace lazuli::models {
namespace {

const SplitRule& rule(std::string_view name) {
  for (const SplitRule& found : split_rules()) {
    if (found.name == name) return found;
  }
  throw std::runtime_error("no rule " + std::string(name));
}

std::vector<std::string> pieces(std::string_view name, std::string_view text) {
  std::vector<std::string> all;
  Splitter splitter(rule(name), text);
  for (std::string_view piece; !(piece = splitter.next()).empty();) all.emplace_back(piece);
  return all;
}

using Pieces = std::vector<std::string>;

TEST(SplitRules, WordsTakeTheSpaceBeforeThem) {
  for (const SplitRule& each : split_rules()) {
    EXPECT_EQ(pieces(each.name, "a  bc"), (Pieces{"a", " ", " bc"})) << each.name;
    EXPECT_EQ(pieces(each.name, "it's  "), (Pieces{"it", "'s", "  "})) << each.name;
    EXPECT_EQ(pieces(each.name, ""), Pieces{}) << each.name;
  }
}

TEST(SplitRules, Digits) {
  EXPECT_EQ(pieces("gpt-2", "x 12345"), (Pieces{"x", " 12345"}));
  EXPECT_EQ(pieces("smollm", "x 123"), (Pieces{"x", " ", "1", "2", "3"}));
  EXPECT_EQ(pieces("qwen2", "x 123"), (Pieces{"x", " ", "1", "2", "3"}));
  EXPECT_EQ(pieces("llama-bpe", "x 12345"), (Pieces{"x", " ", "123", "45"}));
}

TEST(SplitRules, ABrokenCharacterIsASymbol) {
  EXPECT_EQ(pieces("gpt-2", "a\xff\xe2\x82 b"), (Pieces{"a", "\xff\xe2\x82", " b"}));
  EXPECT_EQ(pieces("qwen2",
                   "\xff"
                   "a\xc3"),
            (Pieces{"\xff"
                    "a",
                    "\xc3"}));
}

TEST(SplitRules, AgreeWithTheRecording) {
  std::vector<std::string> lines = lines_of(recorded("splits.txt"));
  ASSERT_GE(lines.size(), 300u);
  std::vector<std::string> names = fields_of(lines[0]);
  ASSERT_EQ(names.size(), 1 + split_rules().size());
  for (size_t i = 1; i < lines.size(); ++i) {
    std::vector<std::string> fields = fields_of(lines[i]);
    ASSERT_EQ(fields.size(), names.size());
    std::string text = bytes_of(fields[0]), joined;
    for (size_t column = 1; column < names.size(); ++column) {
      std::vector<int32_t> sizes;
      joined.clear();
      for (const std::string& piece : pieces(names[column], text)) {
        sizes.push_back(static_cast<int32_t>(piece.size()));
        joined += piece;
      }
      EXPECT_EQ(sizes, numbers_of(fields[column])) << names[column] << ": " << fields[0];
      EXPECT_EQ(joined, text);
    }
  }
}

TEST(Categories, AreUnicodes) {
  struct Example {
    char32_t code;
    bool letter, number, space;
  };
  for (const Example& e :
       std::vector<Example>{{'A', true, false, false},      {'z', true, false, false},
                            {'@', false, false, false},     {'[', false, false, false},
                            {'9', false, true, false},      {'\t', false, false, true},
                            {'\r', false, false, true},     {0x1c, false, false, false},
                            {0x85, false, false, true},     {0xa0, false, false, true},
                            {0xaa, true, false, false},     {0xb2, false, true, false},
                            {0x301, false, false, false},   {0x661, false, true, false},
                            {0x2167, false, true, false},   {0x3007, false, true, false},
                            {0x3000, false, false, true},   {0x200b, false, false, false},
                            {0x4e2d, true, false, false},   {0x1f600, false, false, false},
                            {0x323af, true, false, false},  {0x323b0, false, false, false},
                            {0x10ffff, false, false, false}}) {
    EXPECT_EQ(is_letter(e.code), e.letter) << std::hex << static_cast<uint32_t>(e.code);
    EXPECT_EQ(is_number(e.code), e.number) << std::hex << static_cast<uint32_t>(e.code);
    EXPECT_EQ(is_space(e.code), e.space) << std::hex << static_cast<uint32_t>(e.code);
  }
}

}  // namespace
}  // namespace lazuli::models
