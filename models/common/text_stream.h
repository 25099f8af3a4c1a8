// The text of tokens as they come, in whole characters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/tokenizer.h"

namespace lazuli::models {

// Lets bytes through as UTF-8 text. Bytes that begin a character are held back until it is whole.
// Bytes that no longer can become a character come out as U+FFFD, one for each maximal part that
// could have begun one (the Unicode Standard's practice, section 3.9).
class Utf8Stream {
 public:
  // The text that is whole now.
  std::string push(std::string_view bytes);
  // The end of the input: U+FFFD if a character was left half.
  std::string finish();

 private:
  std::string held_;  // a proper prefix of a character, at most 3 bytes
};

// The text of a model's tokens, one after the other, for showing while it grows: what `push` and
// `finish` return, joined, is the decoded text with invalid bytes replaced.
class TextStream {
 public:
  explicit TextStream(Tokenizer tokenizer, bool render_special = false)
      : tokenizer_(std::move(tokenizer)), render_special_(render_special) {}

  // The text that is whole now; may be empty. IndexError for an id outside the vocabulary.
  std::string push(int32_t token);
  std::string finish() { return utf8_.finish(); }

 private:
  Tokenizer tokenizer_;
  bool render_special_;
  Utf8Stream utf8_;
};

}  // namespace lazuli::models
