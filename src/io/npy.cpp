#include "io/npy.h"

#include <cctype>
#include <cstring>
#include <limits>
#include <optional>

#include "base/message.h"
#include "lazuli/error.h"

namespace lazuli::npy {

namespace {

using lazuli::printable;

constexpr std::string_view magic = "\x93NUMPY";
constexpr size_t dimensions_max = 64;

struct DtypeCode {
  Dtype dtype;
  const char* code;  // as NumPy spells it, without the byte order
};
// NumPy has no bfloat16; MLX writes it as two bytes of no type.
constexpr DtypeCode dtype_codes[] = {
    {bool_, "b1"},   {uint8, "u1"},   {uint16, "u2"},   {uint32, "u4"},    {uint64, "u8"},
    {int8, "i1"},    {int16, "i2"},   {int32, "i4"},    {int64, "i8"},     {float16, "f2"},
    {float32, "f4"}, {float64, "f8"}, {bfloat16, "V2"}, {complex64, "c8"},
};

[[noreturn]] void fail(const std::string& label, const std::string& field, size_t offset,
                       const std::string& problem) {
  throw IoError("npy file " + printable(label, 1000) + ": " + field + " at byte " +
                std::to_string(offset) + ": " + problem);
}

// Parses the header's text, a Python dict of three entries.
class Parser {
 public:
  Parser(const std::string& label, std::string_view text, size_t offset)
      : label_(label), text_(text), offset_(offset) {}

  Header parse() {
    expect('{');
    while (!accept('}')) {
      entry();
      if (!accept(',') && peek() != '}') wrong("',' or '}' is missing");
    }
    if (peek() != '\0') wrong("something follows the dict");
    if (!header_dtype_ || !column_major_ || !shape_) {
      const char* name = !header_dtype_ ? "descr" : !column_major_ ? "fortran_order" : "shape";
      fail(label_, std::string("header entry '") + name + "'", offset_, "is missing");
    }
    return {*header_dtype_, big_endian_, *column_major_, std::move(*shape_)};
  }

 private:
  [[noreturn]] void wrong(const std::string& problem) const {
    fail(label_, key_.empty() ? "header" : "header entry " + printable(key_), offset_ + at_,
         problem);
  }

  // The next character that is no white space, '\0' at the end.
  char peek() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char wanted) {
    if (peek() != wanted || at_ == text_.size()) return false;
    ++at_;
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) wrong(std::string("'") + wanted + "' is missing");
  }

  std::string_view quoted_text() {
    char quote = peek();
    if (quote != '\'' && quote != '"') wrong("a string is missing");
    size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) wrong("a string does not end");
    std::string_view content = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return content;
  }

  void entry() {
    key_.clear();
    key_ = quoted_text();
    expect(':');
    if (key_ == "descr" && !header_dtype_) {
      dtype();
    } else if (key_ == "fortran_order" && !column_major_) {
      column_major_ = boolean();
    } else if (key_ == "shape" && !shape_) {
      shape();
    } else {
      wrong("the entry is unknown or there twice");
    }
  }

  void dtype() {
    if (peek() == '[') wrong("arrays of records are not supported");
    std::string_view code = quoted_text();
    bool has_order =
        !code.empty() && std::string_view("<>|=").find(code[0]) != std::string_view::npos;
    std::string_view name = has_order ? code.substr(1) : code;
    big_endian_ = has_order && code[0] == '>';
    for (const DtypeCode& row : dtype_codes) {
      if (name == row.code) header_dtype_ = row.dtype;
    }
    if (!header_dtype_) {
      wrong("dtype " + printable(code) + " is not supported; convert the array to another");
    }
  }

  bool boolean() {
    peek();
    for (std::string_view word : {"True", "False"}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return word == "True";
    }
    wrong("True or False is missing");
  }

  void shape() {
    shape_.emplace();
    expect('(');
    while (!accept(')')) {
      if (shape_->size() == dimensions_max) {
        wrong("there are more than " + std::to_string(dimensions_max) + " dimensions");
      }
      shape_->push_back(extent());
      if (!accept(',') && peek() != ')') wrong("',' or ')' is missing");
    }
  }

  int64_t extent() {
    if (!std::isdigit(static_cast<unsigned char>(peek()))) wrong("a dimension is missing");
    int64_t value = 0;
    for (; at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])); ++at_) {
      if (__builtin_mul_overflow(value, int64_t{10}, &value) ||
          __builtin_add_overflow(value, int64_t{text_[at_] - '0'}, &value)) {
        wrong("a dimension does not fit into 63 bits");
      }
    }
    if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // written by Python 2
    return value;
  }

  const std::string& label_;
  std::string_view text_;
  size_t offset_;
  size_t at_ = 0;
  std::string key_;
  std::optional<Dtype> header_dtype_;
  bool big_endian_ = false;
  std::optional<bool> column_major_;
  std::optional<std::vector<int64_t>> shape_;
};

}  // namespace

Prefix parse_prefix(const std::string& label, std::string_view bytes) {
  if (!bytes.starts_with(magic)) {
    fail(label, "magic", 0, "the file does not begin with '\\x93NUMPY', so it is no npy file");
  }
  if (bytes.size() < prefix_bytes_min) {
    fail(label, "version", magic.size(),
         "the file ends within its first " + std::to_string(prefix_bytes_min) + " bytes");
  }
  unsigned version = static_cast<unsigned char>(bytes[6]);
  if (version < 1 || version > 3) {
    fail(label, "version", 6,
         "version " + std::to_string(version) +
             " is not supported, only 1 "
             "to 3");
  }
  size_t width = version == 1 ? 2 : 4;
  if (bytes.size() < 8 + width) fail(label, "header length", 8, "the file ends within it");
  size_t length = 0;
  for (size_t i = 0; i < width; ++i) {
    length |= static_cast<size_t>(static_cast<unsigned char>(bytes[8 + i])) << (8 * i);
  }
  if (length > text_bytes_max) {
    fail(label, "header length", 8,
         std::to_string(length) + " is more than the limit of " + std::to_string(text_bytes_max));
  }
  return {8 + width, length};
}

Header parse_header(const std::string& label, std::string_view text, size_t offset) {
  Header header = Parser(label, text, offset).parse();
  int64_t bytes = header.dtype.size();
  for (int64_t extent : header.shape) {
    if (__builtin_mul_overflow(bytes, extent, &bytes)) {
      fail(label, "header entry 'shape'", offset, "the array has more than 2^63 bytes");
    }
  }
  return header;
}

uint64_t data_bytes(const Header& header) {
  uint64_t bytes = header.dtype.size();
  for (int64_t extent : header.shape) bytes *= static_cast<uint64_t>(extent);
  return bytes;
}

std::string header_text(Dtype dtype, const std::vector<int64_t>& shape) {
  std::string text = "{'descr': '";
  for (const DtypeCode& row : dtype_codes) {
    if (row.dtype != dtype) continue;
    text += dtype.size() == 1 ? '|' : '<';
    text += row.code;
  }
  text += "', 'fortran_order': False, 'shape': (";
  for (size_t i = 0; i < shape.size(); ++i) {
    text += std::to_string(shape[i]) + (i + 1 < shape.size() ? ", " : shape.size() == 1 ? "," : "");
  }
  text += "), }";
  // The text ends in a line feed, and the data begins at a multiple of 64. A text of 64 dimensions
  // of 19 digits still fits into the 16-bit length of version 1.
  text.append(63 - (prefix_bytes_min + text.size()) % 64, ' ');
  text += '\n';
  std::string prefix(magic);
  prefix +=
      {'\x01', '\x00', static_cast<char>(text.size() & 255), static_cast<char>(text.size() >> 8)};
  return prefix + text;
}

}  // namespace lazuli::npy
