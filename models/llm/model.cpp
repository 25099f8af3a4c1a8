#include "llm/model.h"

#include <string>

#include "lazuli/error.h"
#include "lazuli/printable.h"

namespace lazuli::models {
namespace {

constexpr Family table[] = {
#define FAMILY(architecture, maker, name) {architecture, name, maker},
#include "llm/families.def"
#undef FAMILY
};

std::string known_architectures() {
  std::string text;
  for (const Family& family : table) {
    if (!text.empty()) text += &family == std::end(table) - 1 ? " and " : ", ";
    text += family.architecture;
  }
  return text;
}

}  // namespace

std::span<const Family> families() { return table; }

const Family* find_family(const gguf::File& file) {
  std::string_view architecture = file.text("general.architecture");
  for (const Family& family : table) {
    if (family.architecture == architecture) return &family;
  }
  return nullptr;
}

std::unique_ptr<LanguageModel> open_model(const gguf::File& file) {
  const Family* family = find_family(file);
  if (family == nullptr) {
    throw IoError("gguf file " + printable(file.path(), 1000) +
                  ": metadata key 'general.architecture' is " +
                  printable(file.text("general.architecture")) +
                  "; the architectures that can be run are " + known_architectures() + ".");
  }
  return family->make(file);
}

size_t LanguageModel::nbytes() const {
  size_t total = 0;
  for (const array& w : weights()) total += w.nbytes();
  return total;
}

}  // namespace lazuli::models
