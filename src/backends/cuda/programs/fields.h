// Texts one after the other, each with its length before it.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace lazuli::cuda {

inline void append_field(std::string& to, std::string_view field) {
  uint64_t bytes = field.size();
  to.append(reinterpret_cast<const char*>(&bytes), sizeof bytes);
  to += field;
}

// False if `from` is shorter than it says.
inline bool take_field(std::string_view& from, std::string_view& field) {
  uint64_t bytes = 0;
  if (from.size() < sizeof bytes) return false;
  std::memcpy(&bytes, from.data(), sizeof bytes);
  from.remove_prefix(sizeof bytes);
  if (bytes > from.size()) return false;
  field = from.substr(0, bytes);
  from.remove_prefix(bytes);
  return true;
}

}  // namespace lazuli::cuda
