// The tokens of a SentencePiece vocabulary, and which of them plays which part.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/special_matcher.h"

namespace lazuli::models {

// How SentencePiece writes a space: U+2581.
inline constexpr std::string_view space_mark = "\xe2\x96\x81";

// What a token is; the enumerators are the numbers of `tokenizer.ggml.token_type`.
enum class TokenKind : uint8_t { undefined, normal, unknown, control, user_defined, unused, byte };

// All token texts, one after the other in one string.
class TokenTexts {
 public:
  void add(std::string_view text) {
    joined_ += text;
    ends_.push_back(joined_.size());
  }
  void reserve(size_t tokens, size_t bytes) {
    joined_.reserve(bytes);
    ends_.reserve(tokens + 1);
  }
  int32_t size() const { return static_cast<int32_t>(ends_.size()) - 1; }
  std::string_view operator[](int32_t token) const {
    return std::string_view(joined_).substr(ends_[token], ends_[token + 1] - ends_[token]);
  }

 private:
  std::string joined_;
  std::vector<size_t> ends_ = {0};
};

// A map from text to token id: open addressing over one array, since a tokenizer does little else
// than look texts up that are not there.
class TextIndex {
 public:
  // Of equal texts the first counts. At most 2^31 - 1 texts.
  void build(const TokenTexts& texts);
  // The id of the text, -1 if there is none.
  int32_t find(const TokenTexts& texts, std::string_view text) const;

 private:
  struct Slot {
    uint32_t hash = 0;
    int32_t token = -1;  // -1: free
  };
  std::vector<Slot> slots_;
  size_t mask_ = 0;
};

// The length of a character that its first byte promises. The rest of an invalid character may be
// anything, so that it ends up as bytes; llama.cpp cuts likewise.
inline size_t character_bytes(char first) {
  unsigned char byte = static_cast<unsigned char>(first);
  if (byte < 0xc0) return 1;
  if (byte < 0xe0) return 2;
  return byte < 0xf0 ? 3 : 4;
}

// Which characters stand next to each other in some token. Text may be cut wherever no token could
// reach across. A character is known by its byte at the joint, a marked space by itself.
class Joints {
 public:
  void add_token(std::string_view text);
  // Whether some token may hold the end of `left` followed by the start of `right`, which are whole
  // characters.
  bool may_join(std::string_view left, std::string_view right) const {
    return seen_[left_class(left) * class_count + right_class(right)];
  }

 private:
  static constexpr size_t class_count = 257;
  static size_t left_class(std::string_view character);
  static size_t right_class(std::string_view character);

  std::vector<bool> seen_ = std::vector<bool>(class_count * class_count);
};

struct Vocabulary {
  TokenTexts texts;
  TextIndex index;
  std::vector<float> scores;  // no NaN
  std::vector<TokenKind> kinds;
  std::array<int32_t, 256> byte_tokens;  // what a byte outside of all other tokens becomes
  size_t text_bytes_max = 0;             // of the longest token
  Joints joints;
  SpecialMatcher specials;               // user-defined, control and unknown tokens
  std::vector<int32_t> ends;             // tokens after which a model has finished
  int32_t bos = -1;
  int32_t eos = -1;
  int32_t eot = -1;
  int32_t unknown = -1;
  bool adds_bos = true;
  bool adds_eos = false;
  bool adds_space_prefix = true;

  int32_t find(std::string_view text) const { return index.find(texts, text); }
  bool is_control(int32_t token) const {
    return kinds[token] == TokenKind::control || kinds[token] == TokenKind::unknown;
  }
};

}  // namespace lazuli::models
