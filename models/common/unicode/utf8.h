// Characters of UTF-8 text that may hold any bytes.
#pragma once

#include <string_view>

namespace lazuli::models {

// What text begins with.
struct Utf8Prefix {
  int bytes;   // that are one character or could begin one; at least 1
  int length;  // of the character that the first byte promises; 0 if no character begins with it
  bool whole() const { return bytes == length; }
};

// `text` is not empty.
Utf8Prefix utf8_prefix(std::string_view text);

// The code point of one whole character.
char32_t utf8_code(std::string_view character);

}  // namespace lazuli::models
