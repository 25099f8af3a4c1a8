// Reads the vocabulary in a GGUF file's metadata, and finds tokens by their text.
#include "common/vocabulary.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>

#include "common/bpe_tokenizer.h"
#include "common/sentencepiece_tokenizer.h"
#include "common/tokenizer.h"
#include "lazuli/printable.h"

namespace lazuli::models {

namespace {

// The kinds of vocabulary by `tokenizer.ggml.model`. A maker also sets what the roles of tokens are
// where the file does not say.
struct VocabularyKind {
  std::string_view model;
  std::unique_ptr<const PlainText> (*make)(const VocabularyReader& reader, Vocabulary& vocabulary);
  // Whether tokens with the names below end a text though the file calls them normal. A vocabulary
  // of byte-level BPE may well have "</s>" as a piece of HTML.
  bool normal_ends;
};
constexpr VocabularyKind vocabulary_kinds[] = {
    {"llama", make_sentencepiece, true},
    {"gpt2", make_byte_level_bpe, false},
};

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
  explicit Loader(const gguf::File& file) : reader_(file) {}

  std::shared_ptr<const Vocabulary> load() {
    const VocabularyKind& kind = find_kind();
    read_texts();
    read_kinds();
    result_->index.build(result_->texts);
    result_->plain = kind.make(reader_, *result_);
    read_roles();
    find_ends(kind.normal_ends);
    collect_specials();
    return result_;
  }

 private:
  const VocabularyKind& find_kind() const {
    std::string_view model = reader_.text("model", "");
    if (model.empty()) reader_.fail("model", "is missing; the file has no tokenizer");
    for (const VocabularyKind& kind : vocabulary_kinds) {
      if (kind.model == model) return kind;
    }
    reader_.fail("model",
                 "is " + printable(model) +
                     ", a tokenizer that is not supported; SentencePiece, 'llama', and byte-level "
                     "BPE, 'gpt2', are");
  }

  void read_texts() {
    auto texts = reader_.array("tokens", [](const gguf::Array& a) { return a.strings(); });
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
    }
    result_->texts.reserve(texts.size(), bytes);
    for (std::string_view text : texts) result_->texts.add(text);
  }

  void read_kinds() {
    result_->kinds.assign(static_cast<size_t>(result_->texts.size()), TokenKind::normal);
    if (!reader_.has("token_type")) return;
    auto kinds = reader_.array("token_type", [](const gguf::Array& a) { return a.integers(); });
    reader_.check_size("token_type", kinds.size(), *result_);
    for (size_t i = 0; i < kinds.size(); ++i) {
      if (kinds[i] < 0 || kinds[i] > static_cast<int64_t>(TokenKind::byte)) {
        fail("token_type", "has the value " + std::to_string(kinds[i]) + " for token " +
                               std::to_string(i) + "; 0 to 6 are possible");
      }
      result_->kinds[i] = static_cast<TokenKind>(kinds[i]);
    }
  }

  // The maker of the kind has set what holds where the file does not say.
  void read_roles() {
    auto read = [&](const char* name, int32_t& id) { id = reader_.token(name, *result_, id); };
    read("unknown_token_id", result_->unknown);
    read("bos_token_id", result_->bos);
    read("eos_token_id", result_->eos);
    read("eot_token_id", result_->eot);
    result_->adds_bos = reader_.flag("add_bos_token", result_->adds_bos);
    result_->adds_eos = reader_.flag("add_eos_token", result_->adds_eos);
    if (result_->adds_bos && result_->bos < 0) fail("bos_token_id", "is missing");
    if (result_->adds_eos && result_->eos < 0) fail("eos_token_id", "is missing");
  }

  // A token that ends a text is a control token, whatever the file calls it: a user's text must
  // not be able to hold one.
  void find_ends(bool normal_ends) {
    for (const EndName& name : end_names) {
      int32_t id = result_->find(name.text);
      if (id < 0 || (result_->kinds[id] == TokenKind::normal && !normal_ends)) continue;
      result_->kinds[id] = TokenKind::control;
      result_->ends.push_back(id);
      if (name.ends_turn && result_->eot < 0) result_->eot = id;
    }
    for (int32_t id : {result_->eos, result_->eot, reader_.token("eom_token_id", *result_, -1)}) {
      if (id >= 0) result_->ends.push_back(id);
    }
    std::sort(result_->ends.begin(), result_->ends.end());
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

  [[noreturn]] void fail(const char* name, const std::string& problem) const {
    reader_.fail(name, problem);
  }

  VocabularyReader reader_;
  std::shared_ptr<Vocabulary> result_ = std::make_shared<Vocabulary>();
};

// Runs a query of the file; what it throws about a missing key or another type is, for this file,
// damage.
template <class Query>
std::invoke_result_t<Query> ask(Query query) {
  try {
    return query();
  } catch (const Error& error) {
    throw IoError(error.message());
  }
}

}  // namespace

std::string_view VocabularyReader::text(const char* name, std::string_view fallback) const {
  return ask([&] { return file_.text(key(name), fallback); });
}

bool VocabularyReader::flag(const char* name, bool fallback) const {
  return ask([&] { return file_.flag(key(name), fallback); });
}

int32_t VocabularyReader::token(const char* name, const Vocabulary& vocabulary,
                                int32_t fallback) const {
  int64_t id = ask([&] { return file_.integer(key(name), fallback); });
  int32_t count = vocabulary.texts.size();
  if (!has(name) && id >= count) return -1;
  if (id < -1 || id >= count) {
    fail(name, "is " + std::to_string(id) + ", outside the " + std::to_string(count) + " tokens");
  }
  return static_cast<int32_t>(id);
}

const gguf::Array& VocabularyReader::array(const char* name) const {
  return *ask([&] { return &file_.array(key(name)); });
}

void VocabularyReader::check_size(const char* name, size_t size,
                                  const Vocabulary& vocabulary) const {
  size_t count = static_cast<size_t>(vocabulary.texts.size());
  if (size != count) {
    fail(name, "has " + std::to_string(size) + " values for " + std::to_string(count) + " tokens");
  }
}

void VocabularyReader::fail(const char* name, const std::string& problem) const {
  throw IoError("gguf file " + printable(file_.path(), 1000) + ": metadata key '" + key(name) +
                "' " + problem);
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
