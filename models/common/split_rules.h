// How byte-level BPE cuts text into pieces before it merges: mostly words with the space before
// them. `tokenizer.ggml.pre` of a file names the rule.
//
// The rules are the regular expressions that the tokenizers were trained with (split_rules.cpp has
// them), carried out by hand in one pass, so that hostile text takes linear time. Categories are
// Unicode's; a byte that is part of no character counts as a symbol.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace lazuli::models {

struct SplitRule {
  std::string_view name;
  enum class Words { gpt2, llama3 } words;
  bool isolates_digits;  // every digit is a piece, before anything else is cut
  int digits_max;        // a piece has at most so many digits (llama3)
  bool adds_bos;         // where the file does not say
  bool keeps_tokens;     // a piece that is a token is not cut and merged
};

std::span<const SplitRule> split_rules();

// Hands out the pieces of a text one after the other; joined they are the text.
class Splitter {
 public:
  Splitter(const SplitRule& rule, std::string_view text) : rule_(rule), text_(text) {}

  // The next piece; empty at the end.
  std::string_view next();

 private:
  enum class Kind { letter, number, space, symbol, end };
  struct Character {
    Kind kind;
    size_t bytes;
  };

  Character at(size_t place) const;
  size_t run(size_t place, Kind kind) const;
  size_t line_feeds(size_t place) const;
  size_t contraction(size_t place, bool any_case) const;
  size_t spaces(size_t place) const;
  size_t gpt2_piece(size_t place) const;
  size_t llama3_piece(size_t place) const;
  void find_stretch();

  const SplitRule& rule_;
  std::string_view text_;
  size_t done_ = 0;
  size_t stretch_end_ = 0;  // pieces end here at the latest: at a digit that is isolated
};

}  // namespace lazuli::models
