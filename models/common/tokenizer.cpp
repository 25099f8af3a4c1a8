#include "common/tokenizer.h"

#include <algorithm>

#include "common/vocabulary.h"
#include "lazuli/error.h"

namespace lazuli::models {

namespace {

constexpr size_t text_bytes_max = size_t{1} << 30;  // thrice that still fits into 32 bits

// Joins the characters of text into tokens. The text is cut first where no token reaches across,
// mostly between words, so that the work on each part stays in the cache.
class Merger {
 public:
  Merger(const Vocabulary& vocabulary, std::vector<int32_t>& tokens)
      : vocabulary_(vocabulary), tokens_(tokens) {}

  void run(std::string_view text) {
    size_t begin = 0;
    std::string_view previous;
    for (size_t at = 0; at < text.size(); at += previous.size()) {
      std::string_view character = text.substr(at, character_bytes(text[at]));
      if (at > begin && !vocabulary_.joints.may_join(previous, character)) {
        merge(text.substr(begin, at - begin));
        begin = at;
      }
      previous = character;
    }
    merge(text.substr(begin));
  }

 private:
  static constexpr int32_t none = -1;

  // A stretch of the text, linked to its neighbours. Joined into its left neighbour: length 0.
  struct Symbol {
    uint32_t begin;
    uint32_t length;
    int32_t previous;
    int32_t next;
  };

  // A symbol that can be joined with its right neighbour, `length` bytes together.
  struct Pair {
    float score;
    int32_t left;
    uint32_t length;

    bool operator<(const Pair& other) const {
      return score != other.score ? score < other.score : left > other.left;
    }
  };

  void merge(std::string_view text) {
    text_ = text;
    cut_into_characters();
    for (size_t i = 1; i < symbols_.size(); ++i) propose(static_cast<int32_t>(i) - 1);
    while (!pairs_.empty()) {
      std::pop_heap(pairs_.begin(), pairs_.end());
      Pair pair = pairs_.back();
      pairs_.pop_back();
      join(pair);
    }
    for (int32_t i = 0; i != none; i = symbols_[i].next) append(symbols_[i]);
  }

  void cut_into_characters() {
    symbols_.clear();
    for (size_t begin = 0; begin < text_.size();) {
      size_t length = std::min(character_bytes(text_[begin]), text_.size() - begin);
      int32_t index = static_cast<int32_t>(symbols_.size());
      symbols_.push_back(
          {static_cast<uint32_t>(begin), static_cast<uint32_t>(length), index - 1, index + 1});
      begin += length;
    }
    symbols_.back().next = none;
  }

  // Queues the symbol with its right neighbour if their joined text is a token.
  void propose(int32_t left) {
    if (left == none || symbols_[left].next == none) return;
    uint32_t length = symbols_[left].length + symbols_[symbols_[left].next].length;
    if (length > vocabulary_.text_bytes_max) return;
    int32_t token = vocabulary_.find(text_.substr(symbols_[left].begin, length));
    if (token < 0) return;
    pairs_.push_back({vocabulary_.scores[token], left, length});
    std::push_heap(pairs_.begin(), pairs_.end());
  }

  void join(const Pair& pair) {
    Symbol& left = symbols_[pair.left];
    // Symbols only grow, so a pair whose length is still right is still the same two.
    if (left.length == 0 || left.next == none) return;
    Symbol& right = symbols_[left.next];
    if (left.length + right.length != pair.length) return;
    left.length = pair.length;
    right.length = 0;
    left.next = right.next;
    if (left.next != none) symbols_[left.next].previous = pair.left;
    propose(left.previous);
    propose(pair.left);
  }

  void append(const Symbol& symbol) {
    std::string_view text = text_.substr(symbol.begin, symbol.length);
    int32_t token = vocabulary_.find(text);
    if (token >= 0) {
      tokens_.push_back(token);
      return;
    }
    for (unsigned char byte : text) tokens_.push_back(vocabulary_.byte_tokens[byte]);
  }

  const Vocabulary& vocabulary_;
  std::vector<int32_t>& tokens_;
  std::string_view text_;
  std::vector<Symbol> symbols_;
  std::vector<Pair> pairs_;  // a heap
};

void append_plain(const Vocabulary& vocabulary, std::string_view text,
                  std::vector<int32_t>& tokens) {
  if (text.empty()) return;
  std::string marked;
  marked.reserve(text.size() + text.size() / 2);
  if (vocabulary.adds_space_prefix) marked += space_mark;
  for (char c : text) {
    if (c == ' ') {
      marked += space_mark;
    } else {
      marked += c;
    }
  }
  Merger(vocabulary, tokens).run(marked);
}

void append_with_spaces(std::string_view text, std::string& out) {
  size_t from = 0;
  for (size_t mark; (mark = text.find(space_mark, from)) != std::string_view::npos;) {
    out += text.substr(from, mark - from);
    out += ' ';
    from = mark + space_mark.size();
  }
  out += text.substr(from);
}

int hexadecimal(char digit) { return digit <= '9' ? digit - '0' : digit - 'A' + 10; }

void append_piece(const Vocabulary& vocabulary, int32_t token, bool render_special,
                  std::string& out) {
  if (token < 0 || token >= vocabulary.texts.size()) {
    throw IndexError("Tokenizer: there is no token " + std::to_string(token) +
                     "; the vocabulary has 0 to " + std::to_string(vocabulary.texts.size() - 1));
  }
  std::string_view text = vocabulary.texts[token];
  switch (vocabulary.kinds[token]) {
    case TokenKind::normal: append_with_spaces(text, out); break;
    case TokenKind::byte:
      out += static_cast<char>(hexadecimal(text[3]) * 16 + hexadecimal(text[4]));
      break;
    case TokenKind::user_defined: out += text; break;
    case TokenKind::unknown:
    case TokenKind::control:
      if (render_special) out += text;
      break;
    case TokenKind::undefined:
    case TokenKind::unused: break;
  }
}

}  // namespace

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool add_special,
                                       bool parse_special) const {
  const Vocabulary& vocabulary = *vocabulary_;
  if (text.size() > text_bytes_max) {
    throw ArgumentError("Tokenizer::encode: a text of " + std::to_string(text.size()) +
                        " bytes is longer than the limit of 2^30; encode it in parts");
  }
  std::vector<int32_t> tokens;
  if (add_special && vocabulary.adds_bos) tokens.push_back(vocabulary.bos);
  size_t done = 0;
  for (const SpecialMatcher::Match& match : vocabulary.specials.find(text, parse_special)) {
    append_plain(vocabulary, text.substr(done, match.begin - done), tokens);
    tokens.push_back(match.token);
    done = match.end;
  }
  append_plain(vocabulary, text.substr(done), tokens);
  if (add_special && vocabulary.adds_eos) tokens.push_back(vocabulary.eos);
  return tokens;
}

std::string Tokenizer::decode(std::span<const int32_t> tokens, bool render_special) const {
  std::string text;
  for (size_t i = 0; i < tokens.size(); ++i) {
    append_piece(*vocabulary_, tokens[i], render_special, text);
    if (i == 0 && vocabulary_->adds_space_prefix && text.starts_with(' ')) text.erase(0, 1);
  }
  return text;
}

std::string Tokenizer::piece(int32_t token, bool render_special) const {
  std::string text;
  append_piece(*vocabulary_, token, render_special, text);
  return text;
}

int32_t Tokenizer::size() const noexcept { return vocabulary_->texts.size(); }
int32_t Tokenizer::bos() const noexcept { return vocabulary_->bos; }
int32_t Tokenizer::eos() const noexcept { return vocabulary_->eos; }
int32_t Tokenizer::eot() const noexcept { return vocabulary_->eot; }
int32_t Tokenizer::unknown() const noexcept { return vocabulary_->unknown; }
bool Tokenizer::adds_bos() const noexcept { return vocabulary_->adds_bos; }
bool Tokenizer::adds_eos() const noexcept { return vocabulary_->adds_eos; }

bool Tokenizer::is_end(int32_t token) const noexcept {
  return std::binary_search(vocabulary_->ends.begin(), vocabulary_->ends.end(), token);
}

}  // namespace lazuli::models
