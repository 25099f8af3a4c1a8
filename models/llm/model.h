// A language model, whatever its family.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "common/config_reader.h"
#include "common/kv_cache.h"
#include "lazuli/io/gguf.h"
#include "lazuli/lazuli.h"

namespace lazuli::models {

class LanguageModel {
 public:
  using Cache = std::vector<KvCache>;  // one a layer

  virtual ~LanguageModel() = default;

  virtual const DecoderConfig& config() const = 0;
  virtual Cache make_cache() const = 0;

  // Logits [1, T, vocabulary] for token ids [1, T] that follow what the cache has seen; of the last
  // position alone, [1, 1, vocabulary], unless `all`.
  array operator()(const array& tokens, Cache& cache, bool all = false) const {
    return forward(tokens, cache, all);
  }

  virtual std::vector<array> weights() const = 0;
  size_t nbytes() const;  // of the weights

 private:
  virtual array forward(const array& tokens, Cache& cache, bool all) const = 0;
};

// A row of families.def.
struct Family {
  std::string_view architecture;  // as `general.architecture` of a file spells it
  std::string_view name;
  std::unique_ptr<LanguageModel> (*make)(const gguf::File& file);
};

std::span<const Family> families();

// The makers that the rows name.
#define FAMILY(architecture, maker, name) std::unique_ptr<LanguageModel> maker(const gguf::File&);
#include "llm/families.def"
#undef FAMILY

// The family of the file's architecture, or null.
const Family* find_family(const gguf::File& file);

// The model in the file. IoError or NotFoundError, naming the file, if its architecture is none of
// the table, or its tensors have other shapes than its metadata say.
std::unique_ptr<LanguageModel> open_model(const gguf::File& file);

}  // namespace lazuli::models
