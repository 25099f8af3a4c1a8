// Any bytes as a safetensors file: it opens, or it is an IoError. What opened is read to the last
// byte, and keeps the format's promise that the tensors fill the data.
#include <cstdint>
#include <span>

#include "fuzz/require.h"
#include "lazuli/error.h"
#include "lazuli/io/safetensors.h"

using namespace lazuli;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    auto storage = io::MappedFile::copy("input", std::as_bytes(std::span(data, size)));
    safetensors::File file = safetensors::open(storage);
    volatile uint64_t sum = 0;
    uint64_t end = 0;
    for (const safetensors::Tensor& tensor : file.tensors()) {
      for (std::byte byte : tensor.bytes) sum = sum + static_cast<uint8_t>(byte);
      uint64_t bytes = tensor.dtype ? tensor.dtype->size() : 0;
      for (int64_t extent : tensor.shape) bytes *= static_cast<uint64_t>(extent);
      require(!tensor.dtype || bytes == tensor.bytes.size(),
              "the bytes are those of dtype and shape");
      require(end == 0 || tensor.offset == end, "a tensor begins where the one before it ends");
      end = tensor.offset + tensor.bytes.size();
      require(file.find(tensor.name) == &tensor, "a tensor is found by its name");
    }
    require(end == 0 || end == size, "the last tensor ends the file");
  } catch (const IoError&) {
  }
  return 0;
}
