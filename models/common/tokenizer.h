// Text to tokens and back, with the vocabulary of a GGUF file: SentencePiece
// (sentencepiece_tokenizer.h) or byte-level BPE (bpe_tokenizer.h).
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
  // is missing, damaged, or of a kind that is not supported.
  static Tokenizer from_gguf(const gguf::File& file);

  // The tokens of `text`, which may be any bytes. With `add_special` the begin and end tokens are
  // added that the vocabulary asks for; with `parse_special` the text of a control token, such as
  // "<start_of_turn>", becomes that token (turn it off for text from strangers).
  // ArgumentError if the text is longer than 2^30 bytes.
  std::vector<int32_t> encode(std::string_view text, bool add_special = true,
                              bool parse_special = true) const;

  // The text of the tokens: what `encode` was given. With SentencePiece one space may be missing
  // that `encode` has put first, U+2581 comes back as a space, and spaces right behind a broken
  // character as U+2581; with byte-level BPE bytes for which there is no token are missing. The
  // result may end within a UTF-8 character. Control tokens have no text unless `render_special`.
  // IndexError for an id outside the vocabulary.
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
