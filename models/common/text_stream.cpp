#include "common/text_stream.h"

namespace lazuli::models {

namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";  // U+FFFD

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

// How many bytes at the start of `text` are one character or could begin one.
int valid_bytes(std::string_view text, const Lead& lead) {
  int count = 1;
  while (count < lead.length && count < static_cast<int>(text.size())) {
    unsigned char byte = static_cast<unsigned char>(text[count]);
    unsigned char low = count == 1 ? lead.second_min : 0x80;
    unsigned char high = count == 1 ? lead.second_max : 0xbf;
    if (byte < low || byte > high) break;
    ++count;
  }
  return count;
}

}  // namespace

std::string Utf8Stream::push(std::string_view bytes) {
  std::string joined = std::move(held_);
  held_.clear();
  joined += bytes;
  std::string whole;
  whole.reserve(joined.size());
  std::string_view rest = joined;
  while (!rest.empty()) {
    Lead lead = lead_of(static_cast<unsigned char>(rest[0]));
    int count = valid_bytes(rest, lead);
    if (count == lead.length) {
      whole += rest.substr(0, count);
    } else if (lead.length > 0 && count == static_cast<int>(rest.size())) {
      held_ = rest;
      break;
    } else {
      whole += replacement;
    }
    rest.remove_prefix(count);
  }
  return whole;
}

std::string Utf8Stream::finish() {
  bool half = !held_.empty();
  held_.clear();
  return half ? std::string(replacement) : std::string();
}

std::string TextStream::push(int32_t token) {
  return utf8_.push(tokenizer_.piece(token, render_special_));
}

}  // namespace lazuli::models
