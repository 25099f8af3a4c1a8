// Weights of a GGUF file as arrays over the mapped file: nothing is copied.
#pragma once

#include <optional>
#include <string>

#include "lazuli/io/gguf.h"
#include "lazuli/lazuli.h"

namespace lazuli::models {

// A matrix [N, K] as the file packs it, or as floats.
class Weight {
 public:
  Weight(array values, std::optional<PackedFormat> format)
      : values_(std::move(values)), format_(format) {}

  // x [..., K] times the transpose: [..., N].
  array operator()(const array& x) const;
  // Rows by index, as float32.
  array rows(const array& indices) const;
  size_t nbytes() const { return values_.nbytes(); }

 private:
  array values_;
  std::optional<PackedFormat> format_;
};

// The matrix of that name. NotFoundError if the file has none, IoError if its type is not
// supported.
Weight weight(const gguf::File& file, const std::string& name);

// The float32 vector of that name.
array vector(const gguf::File& file, const std::string& name);

}  // namespace lazuli::models
