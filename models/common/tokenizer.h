// Text to tokens and back, with the SentencePiece vocabulary of a GGUF file.
//
// The method is the one of the SentencePiece paper (Kudo and Richardson 2018) for BPE models: text
// is cut into characters, and of all neighbours whose joined text is in the vocabulary the pair of
// the highest score is joined, the leftmost at a tie, until none is left. Spaces are written as
// U+2581; what is not in the vocabulary becomes one token for each byte. The ids are those of
// llama.cpp: tests/models/tokenizer_oracle.py compares.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lazuli/io/gguf.h"

namespace lazuli::models {

struct Vocabulary;  // internal

// Immutable, cheap to copy, usable from any thread.
class Tokenizer {
 public:
  // The tokenizer in the metadata `tokenizer.ggml.*`. IoError, naming the file and the key, if it
  // is missing, damaged, or not of the SentencePiece kind ("llama").
  static Tokenizer from_gguf(const gguf::File& file);

  // The tokens of `text`, which may be any bytes. With `add_special` the begin and end tokens are
  // added that the vocabulary asks for; with `parse_special` the text of a control token, such as
  // "<start_of_turn>", becomes that token (turn it off for text from strangers).
  // ArgumentError if the text is longer than 2^30 bytes.
  std::vector<int32_t> encode(std::string_view text, bool add_special = true,
                              bool parse_special = true) const;

  // The text of the tokens: what `encode` was given, but for one space that `encode` may have put
  // first, U+2581, which comes back as a space, and spaces right behind a broken character, which
  // come back as U+2581. The result may end within a UTF-8 character. Control tokens have no text
  // unless `render_special`. IndexError for an id outside the vocabulary.
  std::string decode(std::span<const int32_t> tokens, bool render_special = false) const;

  // The text of one token, as it stands in the middle of a text. IndexError as above.
  std::string piece(int32_t token, bool render_special = false) const;

  int32_t size() const noexcept;
  int32_t bos() const noexcept;  // begins a text
  int32_t eos() const noexcept;  // ends a text
  int32_t eot() const noexcept;  // ends a turn of a conversation; -1 if there is none
  int32_t unknown() const noexcept;
  bool adds_bos() const noexcept;  // whether `encode` begins with `bos` when asked to add specials
  bool adds_eos() const noexcept;

  // Whether a model that writes this token has finished: `eos`, `eot` and their like.
  bool is_end(int32_t token) const noexcept;

 private:
  explicit Tokenizer(std::shared_ptr<const Vocabulary> vocabulary)
      : vocabulary_(std::move(vocabulary)) {}

  std::shared_ptr<const Vocabulary> vocabulary_;
};

}  // namespace lazuli::models
