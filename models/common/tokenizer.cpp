#include "common/tokenizer.h"

#include <algorithm>

#include "common/vocabulary.h"
#include "lazuli/error.h"

namespace lazuli::models {

namespace {

constexpr size_t text_bytes_max = size_t{1} << 30;  // thrice that still fits into 32 bits

void append_piece(const Vocabulary& vocabulary, int32_t token, bool render_special,
                  std::string& out) {
  if (token < 0 || token >= vocabulary.texts.size()) {
    throw IndexError("Tokenizer: there is no token " + std::to_string(token) +
                     "; the vocabulary has 0 to " + std::to_string(vocabulary.texts.size() - 1));
  }
  std::string_view text = vocabulary.texts[token];
  switch (vocabulary.kinds[token]) {
    case TokenKind::normal:
    case TokenKind::byte: vocabulary.plain->decode(token, out); break;
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
  auto append_plain = [&](std::string_view plain) {
    if (!plain.empty()) vocabulary.plain->encode(plain, tokens);
  };
  size_t done = 0;
  for (const SpecialMatcher::Match& match : vocabulary.specials.find(text, parse_special)) {
    append_plain(text.substr(done, match.begin - done));
    tokens.push_back(match.token);
    done = match.end;
  }
  append_plain(text.substr(done));
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
