#include "common/bpe_tokenizer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <span>

#include "common/split_rules.h"
#include "common/unicode/utf8.h"
#include "lazuli/printable.h"

namespace lazuli::models {

namespace {

// How a file spells bytes: printable characters of Latin-1 stand for themselves, the others, in
// order, for the characters from U+0100 on.
class ByteSpelling {
 public:
  ByteSpelling() {
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      bool printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
      char32_t code = printable ? static_cast<char32_t>(byte) : next++;
      bytes_[code] = static_cast<int16_t>(byte);
      spelt_[static_cast<size_t>(byte)] =
          code < 0x80 ? std::string(1, static_cast<char>(code)) : two_bytes(code);
    }
  }

  const std::string& operator[](unsigned char byte) const { return spelt_[byte]; }

  // Appends the bytes that a token's text spells; what spells none stays as it is.
  void append_bytes(std::string_view spelt, std::string& bytes) const {
    while (!spelt.empty()) {
      Utf8Prefix prefix = utf8_prefix(spelt);
      std::string_view character = spelt.substr(0, static_cast<size_t>(prefix.bytes));
      char32_t code = prefix.whole() ? utf8_code(character) : code_count;
      if (code < code_count && bytes_[code] >= 0) {
        bytes += static_cast<char>(bytes_[code]);
      } else {
        bytes += character;
      }
      spelt.remove_prefix(character.size());
    }
  }

 private:
  static constexpr char32_t code_count = 0x100 + 68;  // 68 bytes are not printable

  static std::string two_bytes(char32_t code) {
    return {static_cast<char>(0xc0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3f))};
  }

  std::array<std::string, 256> spelt_;
  std::array<int16_t, code_count> bytes_ = [] {
    std::array<int16_t, code_count> none;
    none.fill(-1);
    return none;
  }();
};

const ByteSpelling& byte_spelling() {
  static const ByteSpelling spelling;
  return spelling;
}

// What two neighbouring tokens become. Entries are sorted, so that no choice of pairs makes
// look-ups slow.
class Merges {
 public:
  struct Entry {
    int32_t left, right;
    int32_t rank;  // the lower, the earlier
    int32_t token;
  };

  void build(std::vector<Entry> entries, int32_t token_count) {
    auto order = [](const Entry& a, const Entry& b) {
      if (a.left != b.left) return a.left < b.left;
      return a.right != b.right ? a.right < b.right : a.rank < b.rank;
    };
    std::sort(entries.begin(), entries.end(), order);
    entries_ = std::move(entries);
    starts_.assign(static_cast<size_t>(token_count) + 1, 0);
    for (const Entry& entry : entries_) ++starts_[static_cast<size_t>(entry.left) + 1];
    for (size_t i = 1; i < starts_.size(); ++i) starts_[i] += starts_[i - 1];
  }

  // Of equal pairs the first of the list. Null if they are not merged.
  const Entry* find(int32_t left, int32_t right) const {
    auto begin = entries_.begin() + starts_[static_cast<size_t>(left)];
    auto end = entries_.begin() + starts_[static_cast<size_t>(left) + 1];
    auto found = std::lower_bound(begin, end, right,
                                  [](const Entry& e, int32_t token) { return e.right < token; });
    return found != end && found->right == right ? &*found : nullptr;
  }

 private:
  std::vector<Entry> entries_;
  std::vector<uint32_t> starts_;  // of each left token's entries
};

// Merges the tokens of one piece after the other; its memory serves all of them.
class PieceMerger {
 public:
  explicit PieceMerger(const Merges& merges) : merges_(merges) {}

  void add(int32_t token) {
    int32_t index = static_cast<int32_t>(symbols_.size());
    symbols_.push_back({token, index - 1, index + 1});
  }

  // Appends what the tokens added since the last call become.
  void finish(std::vector<int32_t>& tokens) {
    if (symbols_.empty()) return;
    symbols_.back().next = none;
    for (size_t i = 1; i < symbols_.size(); ++i) propose(static_cast<int32_t>(i) - 1);
    while (!pairs_.empty()) {
      std::pop_heap(pairs_.begin(), pairs_.end());
      Pair pair = pairs_.back();
      pairs_.pop_back();
      merge(pair);
    }
    for (int32_t i = 0; i != none; i = symbols_[i].next) tokens.push_back(symbols_[i].token);
    symbols_.clear();
  }

 private:
  static constexpr int32_t none = -1;

  // A token, linked to its neighbours. Merged into its left neighbour: token none.
  struct Symbol {
    int32_t token;
    int32_t previous;
    int32_t next;
  };

  // A symbol that can be merged with its right neighbour.
  struct Pair {
    int32_t left;  // place
    const Merges::Entry* entry;

    bool operator<(const Pair& other) const {
      return entry->rank != other.entry->rank ? entry->rank > other.entry->rank : left > other.left;
    }
  };

  void propose(int32_t left) {
    if (left == none || symbols_[left].next == none) return;
    const Merges::Entry* entry =
        merges_.find(symbols_[left].token, symbols_[symbols_[left].next].token);
    if (entry == nullptr) return;
    pairs_.push_back({left, entry});
    std::push_heap(pairs_.begin(), pairs_.end());
  }

  void merge(const Pair& pair) {
    Symbol& left = symbols_[pair.left];
    if (left.token != pair.entry->left || left.next == none) return;
    Symbol& right = symbols_[left.next];
    if (right.token != pair.entry->right) return;
    left.token = pair.entry->token;
    right.token = none;
    left.next = right.next;
    if (left.next != none) symbols_[left.next].previous = pair.left;
    propose(left.previous);
    propose(pair.left);
  }

  const Merges& merges_;
  std::vector<Symbol> symbols_;
  std::vector<Pair> pairs_;  // a heap
};

class ByteLevelBpe : public PlainText {
 public:
  ByteLevelBpe(const VocabularyReader& reader, const Vocabulary& vocabulary, const SplitRule& rule)
      : vocabulary_(vocabulary), rule_(rule) {
    for (int byte = 0; byte < 256; ++byte) {
      const std::string& spelt = byte_spelling()[static_cast<unsigned char>(byte)];
      byte_tokens_[static_cast<size_t>(byte)] = vocabulary.find(spelt);
    }
    read_merges(reader);
  }

  void encode(std::string_view text, std::vector<int32_t>& tokens) const override {
    PieceMerger merger(merges_);
    Splitter splitter(rule_, text);
    for (std::string_view piece; !(piece = splitter.next()).empty();) {
      if (int32_t whole = rule_.keeps_tokens ? token_of(piece) : -1; whole >= 0) {
        tokens.push_back(whole);
        continue;
      }
      for (unsigned char byte : piece) {
        if (byte_tokens_[byte] >= 0) merger.add(byte_tokens_[byte]);
      }
      merger.finish(tokens);
    }
  }

  void decode(int32_t token, std::string& text) const override {
    byte_spelling().append_bytes(vocabulary_.texts[token], text);
  }

 private:
  // The normal token of these bytes, -1 if there is none.
  int32_t token_of(std::string_view bytes) const {
    std::string spelt;
    for (unsigned char byte : bytes) spelt += byte_spelling()[byte];
    int32_t token = vocabulary_.find(spelt);
    bool normal = token >= 0 && vocabulary_.kinds[token] == TokenKind::normal;
    return normal ? token : -1;
  }

  void read_merges(const VocabularyReader& reader) {
    auto lines = reader.array("merges", [](const gguf::Array& a) { return a.strings(); });
    if (lines.size() > std::numeric_limits<int32_t>::max()) {
      reader.fail("merges", "has more than 2^31 - 1 merges");
    }
    std::vector<Merges::Entry> entries;
    entries.reserve(lines.size());
    std::string joined;
    for (std::string_view line : lines) {
      size_t space = line.find(' ', 1);
      if (space == std::string_view::npos) fail(reader, line, "is not two tokens");
      std::string_view left = line.substr(0, space), right = line.substr(space + 1);
      joined.assign(left).append(right);
      Merges::Entry entry{vocabulary_.find(left), vocabulary_.find(right),
                          static_cast<int32_t>(entries.size()), vocabulary_.find(joined)};
      if (entry.left < 0 || entry.right < 0 || entry.token < 0) {
        fail(reader, line, "names a token that is not in the vocabulary");
      }
      entries.push_back(entry);
    }
    merges_.build(std::move(entries), vocabulary_.texts.size());
  }

  [[noreturn]] static void fail(const VocabularyReader& reader, std::string_view line,
                                const std::string& problem) {
    reader.fail("merges", "has the merge " + printable(line) + ", which " + problem);
  }

  const Vocabulary& vocabulary_;
  const SplitRule& rule_;
  std::array<int32_t, 256> byte_tokens_;  // -1: the vocabulary has none
  Merges merges_;
};

const SplitRule& find_rule(const VocabularyReader& reader) {
  std::string_view name = reader.text("pre", "");
  std::string known;
  for (const SplitRule& rule : split_rules()) {
    if (rule.name == name) return rule;
    known += (known.empty() ? "" : ", ") + std::string(rule.name);
  }
  reader.fail("pre", (name.empty() ? "is missing" : "is " + printable(name)) +
                         "; the rules to split text by that are known are " + known);
}

}  // namespace

std::unique_ptr<const PlainText> make_byte_level_bpe(const VocabularyReader& reader,
                                                     Vocabulary& vocabulary) {
  const SplitRule& rule = find_rule(reader);
  vocabulary.adds_bos = rule.adds_bos;
  return std::make_unique<ByteLevelBpe>(reader, vocabulary, rule);
}

}  // namespace lazuli::models
