#include "base/message.h"

#include <system_error>

namespace lazuli {

std::string printable(std::string_view text, size_t length_max) {
  constexpr char digits[] = "0123456789abcdef";
  std::string result = "'";
  for (unsigned char c : text.substr(0, length_max)) {
    if (c >= 32 && c < 127 && c != '\'' && c != '\\') {
      result += static_cast<char>(c);
    } else {
      result += "\\x";
      result += digits[c >> 4];
      result += digits[c & 15];
    }
  }
  result += text.size() > length_max ? "'..." : "'";
  return result;
}

std::string without_controls(std::string_view text) {
  constexpr std::string_view replacement = "\xef\xbf\xbd";
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned char c = static_cast<unsigned char>(text[i]);
    unsigned char next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    bool is_c1 = c == 0xc2 && next >= 0x80 && next < 0xa0;
    if (is_c1) ++i;
    if (is_c1 || c == 127 || (c < 32 && c != '\t' && c != '\n')) {
      result += replacement;
    } else {
      result += text[i];
    }
  }
  return result;
}

std::string system_reason(int error_number) {
  return std::error_code(error_number, std::generic_category()).message();
}

}  // namespace lazuli
