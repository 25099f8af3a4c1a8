#include "common/unicode/utf8.h"

namespace lazuli::models {
namespace {

// The bytes that may follow the first one (Unicode Standard, table 3-7): surrogates, overlong forms
// and code points above U+10FFFF are ruled out by the range of the second byte.
struct Lead {
  int length;  // of the character; 0 if no character begins with this byte
  unsigned char second_min = 0x80;
  unsigned char second_max = 0xbf;
};

Lead lead_of(unsigned char byte) {
  if (byte < 0x80) return {1};
  if (byte < 0xc2) return {0};
  if (byte < 0xe0) return {2};
  if (byte == 0xe0) return {3, 0xa0, 0xbf};
  if (byte == 0xed) return {3, 0x80, 0x9f};
  if (byte < 0xf0) return {3};
  if (byte == 0xf0) return {4, 0x90, 0xbf};
  if (byte == 0xf4) return {4, 0x80, 0x8f};
  if (byte < 0xf4) return {4};
  return {0};
}

}  // namespace

Utf8Prefix utf8_prefix(std::string_view text) {
  Lead lead = lead_of(static_cast<unsigned char>(text[0]));
  int count = 1;
  while (count < lead.length && count < static_cast<int>(text.size())) {
    unsigned char byte = static_cast<unsigned char>(text[static_cast<size_t>(count)]);
    unsigned char low = count == 1 ? lead.second_min : 0x80;
    unsigned char high = count == 1 ? lead.second_max : 0xbf;
    if (byte < low || byte > high) break;
    ++count;
  }
  return {count, lead.length};
}

char32_t utf8_code(std::string_view character) {
  constexpr unsigned char lead_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  char32_t code = static_cast<unsigned char>(character[0]) & lead_mask[character.size()];
  for (char byte : character.substr(1)) {
    code = code << 6 | (static_cast<unsigned char>(byte) & 0x3f);
  }
  return code;
}

}  // namespace lazuli::models
