// Any bytes as a GGUF file: it opens, or it is an IoError; a vocabulary in it likewise. What opened
// is read to the last byte.
#include <cstdint>
#include <span>

#include "common/tokenizer.h"
#include "fuzz/require.h"
#include "lazuli/error.h"
#include "lazuli/io/gguf.h"

using namespace lazuli;

namespace {

volatile uint64_t sum;

void touch(std::span<const std::byte> bytes) {
  for (std::byte byte : bytes) sum = sum + static_cast<uint8_t>(byte);
}

void touch(std::string_view text) { touch(std::as_bytes(std::span(text.data(), text.size()))); }

void read_everything(const gguf::File& file) {
  for (const gguf::Entry& entry : file.metadata()) {
    touch(entry.key);
    if (const auto* text = std::get_if<std::string_view>(&entry.value)) touch(*text);
    const gguf::Array* array = std::get_if<gguf::Array>(&entry.value);
    if (array == nullptr) continue;
    touch(array->bytes());
    if (array->element_type() == gguf::ValueType::string) {
      for (std::string_view text : array->strings()) touch(text);
    } else {
      require(array->floats().size() == array->size(), "as many floats as elements");
    }
  }
  for (const gguf::Tensor& tensor : file.tensors()) {
    touch(tensor.name);
    touch(tensor.bytes);
    require(&file.tensor(tensor.name) == &tensor, "a tensor is found by its name");
    require(file.data_offset() % file.alignment() == 0, "the data is aligned");
  }
}

void try_vocabulary(const gguf::File& file) {
  try {
    models::Tokenizer tokenizer = models::Tokenizer::from_gguf(file);
    for (int32_t token : tokenizer.encode("ab <s> \xe2\x96\x81\xff")) tokenizer.piece(token, true);
  } catch (const IoError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    gguf::File file = gguf::open(io::MappedFile::copy("input", std::as_bytes(std::span(data, size))));
    read_everything(file);
    try_vocabulary(file);
  } catch (const IoError&) {
  }
  return 0;
}
