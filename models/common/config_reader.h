// The settings of a decoder in a GGUF file's metadata, checked.
#pragma once

#include <optional>
#include <string>

#include "lazuli/io/gguf.h"

namespace lazuli::models {

// What the files of all families of decoders say.
struct DecoderConfig {
  int layers, hidden, heads, kv_heads, head_size, feed_forward, vocabulary, context;
  float epsilon, rope_base;
};

// Reads the keys that begin with the file's architecture. Every problem is an IoError that names
// the file and the key; a key that is missing is a NotFoundError.
class ConfigReader {
 public:
  explicit ConfigReader(const gguf::File& file)
      : file_(file), architecture_(file.text("general.architecture")) {}

  const std::string& architecture() const { return architecture_; }
  bool has(const char* name) const { return file_.find(key(name)) != nullptr; }

  // 1 to 2^31 - 1.
  int positive(const char* name) const;
  int positive(const char* name, int fallback) const;
  // Finite and above 0.
  float positive_float(const char* name, std::optional<double> fallback = std::nullopt) const;
  std::string text(const char* name, const char* fallback) const;

  // What all decoders have; `rope_base` is the family's for files that do not say.
  DecoderConfig decoder(float rope_base) const;

  // The value of "<architecture>.<name>" is wrong.
  [[noreturn]] void fail(const char* name, const std::string& problem) const;

 private:
  std::string key(const char* name) const { return architecture_ + "." + name; }

  const gguf::File& file_;
  std::string architecture_;
};

}  // namespace lazuli::models
