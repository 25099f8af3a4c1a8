// The header of an npy file. Source: NumPy enhancement proposal 1 and numpy.lib.format.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lazuli/dtype.h"

namespace lazuli::npy {

struct Header {
  Dtype dtype;
  bool big_endian;
  bool column_major;
  std::vector<int64_t> shape;
};

// What stands before the header's text: magic, version and the text's length.
inline constexpr size_t prefix_bytes_min = 10;  // version 1
inline constexpr size_t prefix_bytes_max = 12;  // versions 2 and 3
inline constexpr size_t text_bytes_max = size_t{1} << 20;

struct Prefix {
  size_t prefix_bytes;
  size_t text_bytes;
};

// `label` names the file in messages. `bytes` are the first prefix_bytes_max of the file, fewer if
// it is shorter. IoError, naming file, field and offset, for what is no npy file.
Prefix parse_prefix(const std::string& label, std::string_view bytes);

// `text` stands `offset` bytes into the file. IoError as above, also for a dtype that Lazuli has
// not.
Header parse_header(const std::string& label, std::string_view text, size_t offset);

// Bytes of the data; `parse_header` has checked that they are fewer than 2^63.
uint64_t data_bytes(const Header& header);

// Prefix and header of a row-major array, padded so that the data begins at a multiple of 64.
std::string header_text(Dtype dtype, const std::vector<int64_t>& shape);

}  // namespace lazuli::npy
