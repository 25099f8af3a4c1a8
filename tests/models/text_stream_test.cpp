#include "common/text_stream.h"

#include <gtest/gtest.h>

#include <random>

namespace lazuli::models {
namespace {

constexpr const char* replaced = "\xef\xbf\xbd";

std::string in_one_go(const std::string& bytes) {
  Utf8Stream stream;
  std::string text = stream.push(bytes);
  return text + stream.finish();
}

// The bytes one at a time; each step must give whole characters.
std::string byte_by_byte(const std::string& bytes) {
  Utf8Stream stream;
  std::string text;
  for (char byte : bytes) {
    std::string part = stream.push({&byte, 1});
    EXPECT_EQ(in_one_go(part), part);
    text += part;
  }
  return text + stream.finish();
}

TEST(Utf8Stream, HoldsHalfCharactersBack) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("a\xf0\x9f"), "a");
  EXPECT_EQ(stream.push("\x98"), "");
  EXPECT_EQ(stream.push("\x80!"), "\xf0\x9f\x98\x80!");
  EXPECT_EQ(stream.finish(), "");
  EXPECT_EQ(stream.push("\xe2\x82"), "");
  EXPECT_EQ(stream.finish(), replaced);
  EXPECT_EQ(stream.finish(), "");
}

TEST(Utf8Stream, ReplacesAsSoonAsNothingCanFollow) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("\xff"), replaced);
  EXPECT_EQ(stream.push("\xe2\x82"), "");
  EXPECT_EQ(stream.push("a"), std::string(replaced) + "a");
  EXPECT_EQ(stream.push("\xed"), "");
  EXPECT_EQ(stream.push("\xa0"), std::string(replaced) + replaced);  // a surrogate
}

// The examples of the Unicode Standard, tables 3-8 to 3-11.
TEST(Utf8Stream, OneReplacementForEachMaximalPart) {
  auto expected = [](std::string_view pattern) {
    std::string text;
    for (char c : pattern) text += c == '?' ? std::string(replaced) : std::string(1, c);
    return text;
  };
  for (auto convert : {in_one_go, byte_by_byte}) {
    EXPECT_EQ(convert("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82" "A"), expected("????????A"));
    EXPECT_EQ(convert("\xed\xa0\x80\xed\xbf\xbf\xed\xaf" "A"), expected("????????A"));
    EXPECT_EQ(convert("\xf4\x91\x92\x93\xff" "A\x80\xbf" "B"), expected("?????A??B"));
    EXPECT_EQ(convert("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf" "A"), expected("????A"));
  }
}

TEST(Utf8Stream, ValidTextIsLeftAlone) {
  std::string text = "a\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
                     "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\n";
  EXPECT_EQ(in_one_go(text), text);
  EXPECT_EQ(byte_by_byte(text), text);
}

TEST(Utf8Stream, TheCutsDoNotMatter) {
  std::mt19937 random(1);
  const char choice[] = "\xf0\x9f\x98\x80\xe2\x82\xac\xc3\xa9" "a\xed\xa0\xf4\x90\xff";
  for (int round = 0; round < 5000; ++round) {
    std::string bytes;
    for (int i = 0; i < 12; ++i) bytes += choice[random() % (sizeof(choice) - 1)];
    EXPECT_EQ(byte_by_byte(bytes), in_one_go(bytes));
  }
}

}  // namespace
}  // namespace lazuli::models
