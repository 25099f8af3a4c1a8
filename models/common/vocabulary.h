// The tokens of a vocabulary, and which of them plays which part.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "common/special_matcher.h"
#include "lazuli/error.h"
#include "lazuli/io/gguf.h"

namespace lazuli::models {

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

// What differs between kinds of vocabulary.
class PlainText {
 public:
  virtual ~PlainText() = default;
  // Appends the tokens of text that holds no special token.
  virtual void encode(std::string_view text, std::vector<int32_t>& tokens) const = 0;
  // Appends the text of a normal or a byte token.
  virtual void decode(int32_t token, std::string& text) const = 0;
};

struct Vocabulary {
  TokenTexts texts;  // as the file spells them
  TextIndex index;
  std::vector<TokenKind> kinds;
  SpecialMatcher specials;  // user-defined, control and unknown tokens
  std::vector<int32_t> ends;  // tokens after which a model has finished, in ascending order
  int32_t bos = -1;
  int32_t eos = -1;
  int32_t eot = -1;
  int32_t unknown = -1;
  bool adds_bos = false;
  bool adds_eos = false;
  bool adds_space_prefix = false;
  std::unique_ptr<const PlainText> plain;  // may refer to the vocabulary, which stays in its place

  int32_t find(std::string_view text) const { return index.find(texts, text); }
  bool is_control(int32_t token) const {
    return kinds[token] == TokenKind::control || kinds[token] == TokenKind::unknown;
  }
};

// Reads the keys `tokenizer.ggml.*` of a file. Every problem is an IoError that names the file and
// the key.
class VocabularyReader {
 public:
  explicit VocabularyReader(const gguf::File& file) : file_(file) {}

  bool has(const char* name) const { return file_.find(key(name)) != nullptr; }
  std::string_view text(const char* name, std::string_view fallback) const;
  bool flag(const char* name, bool fallback) const;
  // A token id, or -1 for none: also where the fallback is none of `vocabulary`.
  int32_t token(const char* name, const Vocabulary& vocabulary, int32_t fallback) const;

  // What `convert` makes of an array of the metadata.
  template <class Convert>
  std::invoke_result_t<Convert, const gguf::Array&> array(const char* name, Convert convert) const {
    const gguf::Array& found = array(name);
    try {
      return convert(found);
    } catch (const Error& error) {  // names neither file nor key
      fail(name, std::string("cannot be read: ") + error.message());
    }
  }
  void check_size(const char* name, size_t size, const Vocabulary& vocabulary) const;

  // "metadata key 'tokenizer.ggml.<name>' <problem>".
  [[noreturn]] void fail(const char* name, const std::string& problem) const;

 private:
  static std::string key(const char* name) { return std::string("tokenizer.ggml.") + name; }
  const gguf::Array& array(const char* name) const;

  const gguf::File& file_;
};

}  // namespace lazuli::models
