#include "common/text_stream.h"

#include "common/unicode/utf8.h"

namespace lazuli::models {

namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";  // U+FFFD

}  // namespace

std::string Utf8Stream::push(std::string_view bytes) {
  std::string joined = std::move(held_);
  held_.clear();
  joined += bytes;
  std::string whole;
  whole.reserve(joined.size());
  std::string_view rest = joined;
  while (!rest.empty()) {
    Utf8Prefix prefix = utf8_prefix(rest);
    size_t count = static_cast<size_t>(prefix.bytes);
    if (prefix.whole()) {
      whole += rest.substr(0, count);
    } else if (prefix.length > 0 && count == rest.size()) {
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
