#include "backends/cuda/programs/device_sources.h"

#include <cstdio>
#include <cstring>
#include <map>

#include "base/hash.h"
#include "lazuli/error.h"

namespace lazuli::cuda {
namespace {

const DeviceSource* find_source(std::string_view name) {
  static const auto* parts = new std::vector<DeviceSource>(device_sources());
  for (const DeviceSource& part : *parts) {
    if (part.name == name) return &part;
  }
  return nullptr;
}

// Adds the texts that `source` includes to `found`. A name in a comment counts too: there may be
// more than the compiler reads, never less; of a name that means nothing the compiler will speak.
void add_includes(std::string_view source, std::map<std::string_view, std::string_view>& found) {
  constexpr std::string_view directive = "#include \"";
  for (size_t at = source.find(directive); at != source.npos; at = source.find(directive, at)) {
    at += directive.size();
    std::string_view name = source.substr(at, source.find('"', at) - at);
    const DeviceSource* part = find_source(name);
    if (!part || !found.insert({part->name, part->text}).second) continue;
    add_includes(part->text, found);
  }
}

}  // namespace

std::string_view device_source(std::string_view name) {
  if (const DeviceSource* part = find_source(name)) return part->text;
  throw DeviceError("[cuda] There is no device code named " + std::string(name) + ".");
}

uint64_t hash_text(std::string_view text, uint64_t seed) {
  std::vector<uint64_t> words((text.size() + 7) / 8 + 2, 0);
  std::memcpy(words.data(), text.data(), text.size());
  words[words.size() - 2] = text.size();
  words.back() = seed;
  return hash_words(words.data(), words.size());
}

std::string digest(std::string_view text) {
  char digits[40];
  std::snprintf(digits, sizeof digits, "%016llx%016llx",
                static_cast<unsigned long long>(hash_text(text, 1)),
                static_cast<unsigned long long>(hash_text(text, 2)));
  return digits;
}

std::string digest_of_includes(std::string_view source) {
  std::map<std::string_view, std::string_view> found;
  add_includes(source, found);
  std::string all;
  for (const auto& [name, text] : found) all.append(name).append("\n").append(text);
  return digest(all);
}

}  // namespace lazuli::cuda
