// Weights of a GGUF file as arrays over the mapped file: nothing is copied.
#pragma once

#include <optional>
#include <string>
#include <vector>

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
  const array& values() const { return values_; }
  // As it is packed, or nothing if it is floats.
  std::optional<PackedMatrix> packed() const;

 private:
  array values_;
  std::optional<PackedFormat> format_;
};

// A matrix and, where the file has one, a bias.
struct Linear {
  Weight matrix;
  std::optional<array> bias;  // [N]

  // x [..., K] times the transpose, plus the bias: [..., N].
  array operator()(const array& x) const;
};

// Several matrices that one x is multiplied with: their products beside each other.
class JoinedWeight {
 public:
  explicit JoinedWeight(std::vector<Weight> parts);

  // x [..., K] times the transposes: [..., sum of N].
  array operator()(const array& x) const;
  const std::vector<Weight>& parts() const { return parts_; }

 private:
  std::vector<Weight> parts_;
  std::vector<PackedMatrix> packed_;  // all of the parts, or none
};

// The matrix of that name. NotFoundError if the file has none; IoError, naming file, tensor and
// shapes, if its type is not supported or its shape is another one.
Weight weight(const gguf::File& file, const std::string& name, int64_t rows, int64_t columns);

// The float32 vector of that name, likewise.
array vector(const gguf::File& file, const std::string& name, int64_t size);

// The matrix "<name>.weight" and the vector "<name>.bias", which may be missing. Errors as above.
Linear linear(const gguf::File& file, const std::string& name, int64_t rows, int64_t columns);

// How many rows the matrix of that name has, at most 2^31 - 1. Errors as above.
int64_t matrix_rows(const gguf::File& file, const std::string& name);

}  // namespace lazuli::models
