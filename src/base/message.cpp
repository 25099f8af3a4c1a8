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

std::string system_reason(int error_number) {
  return std::error_code(error_number, std::generic_category()).message();
}

}  // namespace lazuli
