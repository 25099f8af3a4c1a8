#include "common/split_rules.h"

#include "common/unicode/categories.h"
#include "common/unicode/utf8.h"

namespace lazuli::models {
namespace {

// gpt2 (Radford et al., 2019):
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// llama3 (Dubey et al., 2024), with digits_max in place of 3:
//   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|
//   \s*[\r\n]+|\s+(?!\S)|\s+
using Words = SplitRule::Words;
constexpr SplitRule rules[] = {
    // name, words, isolates_digits, digits_max, adds_bos, keeps_tokens
    {"gpt-2", Words::gpt2, false, 0, false, false},
    {"smollm", Words::gpt2, true, 0, false, false},
    {"llama-bpe", Words::llama3, false, 3, true, true},
    {"qwen2", Words::llama3, false, 1, false, false},
};

bool is_line_feed(char c) { return c == '\r' || c == '\n'; }

}  // namespace

std::span<const SplitRule> split_rules() { return rules; }

// Nothing is known behind the stretch, as if the text ended there.
Splitter::Character Splitter::at(size_t place) const {
  if (place >= stretch_end_) return {Kind::end, 0};
  Utf8Prefix prefix = utf8_prefix(text_.substr(place, stretch_end_ - place));
  if (!prefix.whole()) return {Kind::symbol, 1};
  size_t bytes = static_cast<size_t>(prefix.bytes);
  char32_t code = utf8_code(text_.substr(place, bytes));
  Kind kind = is_letter(code)   ? Kind::letter
              : is_number(code) ? Kind::number
              : is_space(code)  ? Kind::space
                                : Kind::symbol;
  return {kind, bytes};
}

// Where the characters of one kind that begin at `place` end.
size_t Splitter::run(size_t place, Kind kind) const {
  for (Character c = at(place); c.kind == kind; c = at(place)) place += c.bytes;
  return place;
}

size_t Splitter::line_feeds(size_t place) const {
  while (place < stretch_end_ && is_line_feed(text_[place])) ++place;
  return place;
}

// The end of an English contraction, or `place` if there is none.
size_t Splitter::contraction(size_t place, bool any_case) const {
  if (text_[place] != '\'') return place;
  std::string_view rest = text_.substr(place + 1, stretch_end_ - place - 1);
  auto lower = [&](char c) { return any_case && c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; };
  for (std::string_view end : {"s", "t", "re", "ve", "m", "ll", "d"}) {
    bool same = rest.size() >= end.size();
    for (size_t i = 0; same && i < end.size(); ++i) same = lower(rest[i]) == end[i];
    if (same) return place + 1 + end.size();
  }
  return place;
}

// White space: the last one stays for the word behind it, \s+(?!\S)|\s+.
size_t Splitter::spaces(size_t place) const {
  size_t last = place, end = place;
  for (Character c = at(end); c.kind == Kind::space; c = at(end)) {
    last = end;
    end += c.bytes;
  }
  return end == stretch_end_ || last == place ? end : last;
}

size_t Splitter::gpt2_piece(size_t place) const {
  if (size_t end = contraction(place, false); end > place) return end;
  size_t word = place + (text_[place] == ' ');
  Kind kind = at(word).kind;
  if (kind == Kind::space || kind == Kind::end) return spaces(place);
  return run(word, kind);
}

size_t Splitter::llama3_piece(size_t place) const {
  if (size_t end = contraction(place, true); end > place) return end;
  Character first = at(place);
  if (first.kind == Kind::letter) return run(place, Kind::letter);
  if (first.kind == Kind::number) {
    size_t end = place;
    for (int i = 0; i < rule_.digits_max && at(end).kind == Kind::number; ++i) {
      end += at(end).bytes;
    }
    return end;
  }
  size_t second = place + first.bytes;
  if (!is_line_feed(text_[place]) && at(second).kind == Kind::letter) {
    return run(second, Kind::letter);
  }
  size_t word = place + (text_[place] == ' ');
  if (at(word).kind == Kind::symbol) return line_feeds(run(word, Kind::symbol));
  // \s*[\r\n]+: white space up to its last line feed.
  size_t end = run(place, Kind::space);
  while (end > place && !is_line_feed(text_[end - 1])) --end;
  return end > place ? end : spaces(place);
}

void Splitter::find_stretch() {
  stretch_end_ = text_.size();
  if (!rule_.isolates_digits) return;
  size_t digit = done_;
  for (Character c = at(digit); c.kind != Kind::number && c.kind != Kind::end; c = at(digit)) {
    digit += c.bytes;
  }
  stretch_end_ = digit > done_ ? digit : digit + at(digit).bytes;
}

std::string_view Splitter::next() {
  if (done_ == text_.size()) return {};
  if (done_ == stretch_end_) find_stretch();
  size_t begin = done_;
  done_ = rule_.words == Words::gpt2 ? gpt2_piece(begin) : llama3_piece(begin);
  return text_.substr(begin, done_ - begin);
}

}  // namespace lazuli::models
