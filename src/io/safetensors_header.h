// The JSON header of a safetensors file, parsed event by event.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lazuli::safetensors {

struct HeaderTensor {
  std::string name;
  std::string dtype;
  std::vector<uint64_t> shape;
  std::vector<uint64_t> offsets;
  uint64_t position;  // in the header, just behind the record
};

struct Header {
  std::vector<HeaderTensor> tensors;
  std::map<std::string, std::string> metadata;
};

// What is wrong with the header, and where in it.
struct HeaderError {
  std::string field;
  std::string problem;
  uint64_t position;
};

// Parses the text. Nothing is kept but the format's own fields, so memory stays within a small
// factor of the text; other fields of a tensor are passed over. Throws HeaderError.
Header parse_header(std::string_view text);

}  // namespace lazuli::safetensors
