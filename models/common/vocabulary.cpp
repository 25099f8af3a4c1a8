// Reads the vocabulary in a GGUF file's metadata, and finds tokens by their text.
#include "common/vocabulary.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <type_traits>

#include "common/tokenizer.h"
#include "lazuli/error.h"
#include "lazuli/printable.h"

namespace lazuli::models {

namespace {

// Control tokens of well-known model families that end a text, by their text: files do not always
// mark them. The ones that end a turn stand first, in the order of preference.
struct EndName {
  std::string_view text;
  bool ends_turn;
};
constexpr EndName end_names[] = {
    {"<|eot_id|>", true},
    {"<|im_end|>", true},
    {"<|end|>", true},
    {"<end_of_turn>", true},
    {"<|endoftext|>", true},
    {"<|end_of_text|>", true},
    {"<EOT>", true},
    {"_<EOT>", true},
    {"[EOT]", true},
    {"<end_of_utterance>", true},
    {"<\xef\xbd\x9c"
     "end\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>",
     true},
    {"<|eom_id|>", false},
    {"<turn|>", false},
    {"<|return|>", false},
    {"<|call|>", false},
    {"[EOS]", false},
    {"<eos>", false},
    {"</s>", false},
};

constexpr size_t token_bytes_max = 65535;
// Of all special tokens together; the search automaton takes some 80 bytes for each.
constexpr size_t special_bytes_max = size_t{1} << 22;

class Loader {
 public:
  explicit Loader(const gguf::File& file) : file_(file) {}

  std::shared_ptr<const Vocabulary> load() {
    std::string_view model = ask([&] { return file_.text(key("model"), ""); });
    if (model != "llama") {
      fail("model", model.empty() ? "is missing; the file has no tokenizer"
                                  : "names a tokenizer that is not supported; only the "
                                    "SentencePiece kind, 'llama', is");
    }
    read_texts();
    read_scores();
    read_kinds();
    result_->index.build(result_->texts);
    read_roles();
    find_ends();
    find_byte_tokens();
    collect_specials();
    return result_;
  }

 private:
  static std::string key(const char* name) { return std::string("tokenizer.ggml.") + name; }

  [[noreturn]] void fail(const char* name, const std::string& problem) const {
    throw IoError("gguf file " + printable(file_.path(), 1000) + ": metadata key '" + key(name) +
                  "' " + problem);
  }

  // Runs a query of the file; what it throws about a missing key or another type is, for this
  // file, damage.
  template <class Query>
  std::invoke_result_t<Query> ask(Query query) const {
    try {
      return query();
    } catch (const Error& error) {
      throw IoError(error.message());
    }
  }

  // What `convert` makes of an array of the metadata; what it throws names neither file nor key.
  template <class Convert>
  std::invoke_result_t<Convert, const gguf::Array&> array(const char* name, Convert convert) const {
    const gguf::Array& found = *ask([&] { return &file_.array(key(name)); });
    try {
      return convert(found);
    } catch (const Error& error) {
      fail(name, std::string("cannot be read: ") + error.message());
    }
  }

  void read_texts() {
    auto texts = array("tokens", [](const gguf::Array& a) { return a.strings(); });
    if (texts.empty() || texts.size() > std::numeric_limits<int32_t>::max()) {
      fail("tokens", "has " + std::to_string(texts.size()) + " tokens; 1 to 2^31 - 1 are possible");
    }
    size_t bytes = 0;
    for (std::string_view text : texts) {
      if (text.size() > token_bytes_max) {
        fail("tokens", "has a token of " + std::to_string(text.size()) +
                           " bytes, more than the limit of " + std::to_string(token_bytes_max));
      }
      bytes += text.size();
      result_->text_bytes_max = std::max(result_->text_bytes_max, text.size());
    }
    result_->texts.reserve(texts.size(), bytes);
    for (std::string_view text : texts) {
      result_->texts.add(text);
      result_->joints.add_token(text);
    }
  }

  size_t token_count() const { return static_cast<size_t>(result_->texts.size()); }

  void check_size(const char* name, size_t size) const {
    if (size != token_count()) {
      fail(name, "has " + std::to_string(size) + " values for " + std::to_string(token_count()) +
                     " tokens");
    }
  }

  void read_scores() {
    result_->scores.assign(token_count(), 0.0f);
    if (file_.find(key("scores")) == nullptr) return;
    result_->scores = array("scores", [](const gguf::Array& a) { return a.floats(); });
    check_size("scores", result_->scores.size());
    for (float& score : result_->scores) {
      if (std::isnan(score)) score = -std::numeric_limits<float>::infinity();
    }
  }

  void read_kinds() {
    result_->kinds.assign(token_count(), TokenKind::normal);
    if (file_.find(key("token_type")) == nullptr) return;
    auto kinds = array("token_type", [](const gguf::Array& a) { return a.integers(); });
    check_size("token_type", kinds.size());
    for (size_t i = 0; i < kinds.size(); ++i) {
      if (kinds[i] < 0 || kinds[i] > static_cast<int64_t>(TokenKind::byte)) {
        fail("token_type", "has the value " + std::to_string(kinds[i]) + " for token " +
                               std::to_string(i) + "; 0 to 6 are possible");
      }
      result_->kinds[i] = static_cast<TokenKind>(kinds[i]);
    }
  }

  int32_t token(const char* name, int64_t fallback) const {
    int64_t id = ask([&] { return file_.integer(key(name), fallback); });
    if (file_.find(key(name)) == nullptr && id >= result_->texts.size()) return -1;
    if (id < -1 || id >= result_->texts.size()) {
      fail(name, "is " + std::to_string(id) + ", outside the " + std::to_string(token_count()) +
                     " tokens");
    }
    return static_cast<int32_t>(id);
  }

  // The defaults are those of SentencePiece's training: unknown, begin, end.
  void read_roles() {
    result_->unknown = token("unknown_token_id", 0);
    result_->bos = token("bos_token_id", 1);
    result_->eos = token("eos_token_id", 2);
    result_->eot = token("eot_token_id", -1);
    result_->adds_bos = ask([&] { return file_.flag(key("add_bos_token"), true); });
    result_->adds_eos = ask([&] { return file_.flag(key("add_eos_token"), false); });
    result_->adds_space_prefix = ask([&] { return file_.flag(key("add_space_prefix"), true); });
    if (result_->adds_bos && result_->bos < 0) fail("bos_token_id", "is missing");
    if (result_->adds_eos && result_->eos < 0) fail("eos_token_id", "is missing");
  }

  // A token that ends a text is a control token, whatever the file calls it: a user's text must
  // not be able to hold one.
  void find_ends() {
    for (const EndName& name : end_names) {
      int32_t id = result_->find(name.text);
      if (id < 0) continue;
      result_->kinds[id] = TokenKind::control;
      result_->ends.push_back(id);
      if (name.ends_turn && result_->eot < 0) result_->eot = id;
    }
    for (int32_t id : {result_->eos, result_->eot, token("eom_token_id", -1)}) {
      if (id >= 0) result_->ends.push_back(id);
    }
    std::sort(result_->ends.begin(), result_->ends.end());
  }

  void find_byte_tokens() {
    constexpr char digits[] = "0123456789ABCDEF";
    for (int byte = 0; byte < 256; ++byte) {
      std::string text = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
      int32_t id = result_->find(text);
      if (id < 0) id = result_->unknown;
      if (id < 0) {
        fail("tokens", "has neither a token '" + text + "' nor an unknown token");
      }
      result_->byte_tokens[byte] = id;
    }
    for (int32_t id = 0; id < result_->texts.size(); ++id) {
      if (result_->kinds[id] == TokenKind::byte && !is_byte_text(result_->texts[id])) {
        fail("tokens", "has a byte token, " + std::to_string(id) +
                           ", whose text is not of the form '<0x41>'");
      }
    }
  }

  static bool is_byte_text(std::string_view text) {
    auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
    return text.size() == 6 && text.starts_with("<0x") && is_digit(text[3]) && is_digit(text[4]) &&
           text[5] == '>';
  }

  void collect_specials() {
    size_t bytes = 0;
    for (int32_t id = 0; id < result_->texts.size(); ++id) {
      bool control = result_->is_control(id);
      if (!control && result_->kinds[id] != TokenKind::user_defined) continue;
      bytes += result_->texts[id].size();
      if (bytes > special_bytes_max) {
        fail("tokens", "has more than " + std::to_string(special_bytes_max) +
                           " bytes of control and user-defined tokens");
      }
      result_->specials.add(result_->texts[id], id, control);
    }
    result_->specials.finish();
  }

  const gguf::File& file_;
  std::shared_ptr<Vocabulary> result_ = std::make_shared<Vocabulary>();
};

}  // namespace

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

void TextIndex::build(const TokenTexts& texts) {
  size_t count = static_cast<size_t>(texts.size());
  slots_.assign(std::bit_ceil(count * 2 + 1), Slot{});
  mask_ = slots_.size() - 1;
  for (int32_t token = 0; token < texts.size(); ++token) {
    size_t hash = std::hash<std::string_view>()(texts[token]);
    size_t place = hash & mask_;
    while (slots_[place].token >= 0 && !(slots_[place].hash == static_cast<uint32_t>(hash >> 32) &&
                                         texts[slots_[place].token] == texts[token])) {
      place = (place + 1) & mask_;
    }
    if (slots_[place].token < 0) slots_[place] = {static_cast<uint32_t>(hash >> 32), token};
  }
}

int32_t TextIndex::find(const TokenTexts& texts, std::string_view text) const {
  size_t hash = std::hash<std::string_view>()(text);
  uint32_t high = static_cast<uint32_t>(hash >> 32);
  for (size_t place = hash & mask_; slots_[place].token >= 0; place = (place + 1) & mask_) {
    if (slots_[place].hash == high && texts[slots_[place].token] == text) {
      return slots_[place].token;
    }
  }
  return -1;
}

Tokenizer Tokenizer::from_gguf(const gguf::File& file) { return Tokenizer(Loader(file).load()); }

}  // namespace lazuli::models
