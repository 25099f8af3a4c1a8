#include "common/sentencepiece_tokenizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace lazuli::models {

namespace {

// How SentencePiece writes a space: U+2581.
constexpr std::string_view space_mark = "\xe2\x96\x81";

// The length of a character that its first byte promises. The rest of an invalid character may be
// anything, so that it ends up as bytes; llama.cpp cuts likewise.
size_t character_bytes(char first) {
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

class SentencePiece : public PlainText {
 public:
  SentencePiece(const VocabularyReader& reader, const Vocabulary& vocabulary)
      : vocabulary_(vocabulary) {
    for (int32_t id = 0; id < vocabulary.texts.size(); ++id) {
      text_bytes_max_ = std::max(text_bytes_max_, vocabulary.texts[id].size());
      joints_.add_token(vocabulary.texts[id]);
    }
    read_scores(reader);
    find_byte_tokens(reader);
  }

  void encode(std::string_view text, std::vector<int32_t>& tokens) const override;
  void decode(int32_t token, std::string& text) const override;

 private:
  class Merger;

  void read_scores(const VocabularyReader& reader) {
    scores_.assign(static_cast<size_t>(vocabulary_.texts.size()), 0.0f);
    if (!reader.has("scores")) return;
    scores_ = reader.array("scores", [](const gguf::Array& a) { return a.floats(); });
    reader.check_size("scores", scores_.size(), vocabulary_);
    for (float& score : scores_) {
      if (std::isnan(score)) score = -std::numeric_limits<float>::infinity();
    }
  }

  void find_byte_tokens(const VocabularyReader& reader) {
    constexpr char digits[] = "0123456789ABCDEF";
    for (int byte = 0; byte < 256; ++byte) {
      std::string text = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
      int32_t id = vocabulary_.find(text);
      if (id < 0) id = vocabulary_.unknown;
      if (id < 0) {
        reader.fail("tokens", "has neither a token '" + text + "' nor an unknown token");
      }
      byte_tokens_[byte] = id;
    }
    for (int32_t id = 0; id < vocabulary_.texts.size(); ++id) {
      if (vocabulary_.kinds[id] == TokenKind::byte && !is_byte_text(vocabulary_.texts[id])) {
        reader.fail("tokens", "has a byte token, " + std::to_string(id) +
                                  ", whose text is not of the form '<0x41>'");
      }
    }
  }

  static bool is_byte_text(std::string_view text) {
    auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
    return text.size() == 6 && text.starts_with("<0x") && is_digit(text[3]) && is_digit(text[4]) &&
           text[5] == '>';
  }

  const Vocabulary& vocabulary_;
  std::vector<float> scores_;              // no NaN
  std::array<int32_t, 256> byte_tokens_;   // what a byte outside of all other tokens becomes
  size_t text_bytes_max_ = 0;              // of the longest token
  Joints joints_;
};

size_t Joints::left_class(std::string_view character) {
  return character == space_mark ? 256 : static_cast<unsigned char>(character.back());
}

size_t Joints::right_class(std::string_view character) {
  return character == space_mark ? 256 : static_cast<unsigned char>(character.front());
}

void Joints::add_token(std::string_view text) {
  std::string_view previous;
  while (!text.empty()) {
    std::string_view character = text.substr(0, character_bytes(text.front()));
    if (!previous.empty()) {
      seen_[left_class(previous) * class_count + right_class(character)] = true;
    }
    previous = character;
    text.remove_prefix(character.size());
  }
}

// Joins the characters of text into tokens. The text is cut first where no token reaches across,
// mostly between words, so that the work on each part stays in the cache.
class SentencePiece::Merger {
 public:
  Merger(const SentencePiece& pieces, std::vector<int32_t>& tokens)
      : pieces_(pieces), tokens_(tokens) {}

  void run(std::string_view text) {
    size_t begin = 0;
    std::string_view previous;
    for (size_t at = 0; at < text.size(); at += previous.size()) {
      std::string_view character = text.substr(at, character_bytes(text[at]));
      if (at > begin && !pieces_.joints_.may_join(previous, character)) {
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
    if (length > pieces_.text_bytes_max_) return;
    int32_t token = pieces_.vocabulary_.find(text_.substr(symbols_[left].begin, length));
    if (token < 0) return;
    pairs_.push_back({pieces_.scores_[token], left, length});
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
    int32_t token = pieces_.vocabulary_.find(text);
    if (token >= 0) {
      tokens_.push_back(token);
      return;
    }
    for (unsigned char byte : text) tokens_.push_back(pieces_.byte_tokens_[byte]);
  }

  const SentencePiece& pieces_;
  std::vector<int32_t>& tokens_;
  std::string_view text_;
  std::vector<Symbol> symbols_;
  std::vector<Pair> pairs_;  // a heap
};

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

void SentencePiece::encode(std::string_view text, std::vector<int32_t>& tokens) const {
  std::string marked;
  marked.reserve(text.size() + text.size() / 2);
  if (vocabulary_.adds_space_prefix) marked += space_mark;
  for (char c : text) {
    if (c == ' ') {
      marked += space_mark;
    } else {
      marked += c;
    }
  }
  Merger(*this, tokens).run(marked);
}

void SentencePiece::decode(int32_t token, std::string& text) const {
  std::string_view spelt = vocabulary_.texts[token];
  if (vocabulary_.kinds[token] == TokenKind::byte) {
    text += static_cast<char>(hexadecimal(spelt[3]) * 16 + hexadecimal(spelt[4]));
  } else {
    append_with_spaces(spelt, text);
  }
}

}  // namespace

// The roles are those of SentencePiece's training: unknown, begin, end.
std::unique_ptr<const PlainText> make_sentencepiece(const VocabularyReader& reader,
                                                    Vocabulary& vocabulary) {
  vocabulary.unknown = reader.token("unknown_token_id", vocabulary, 0);
  vocabulary.bos = 1;
  vocabulary.eos = 2;
  vocabulary.adds_bos = true;
  vocabulary.adds_space_prefix = reader.flag("add_space_prefix", true);
  return std::make_unique<SentencePiece>(reader, vocabulary);
}

}  // namespace lazuli::models
