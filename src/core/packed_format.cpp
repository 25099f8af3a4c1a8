#include "lazuli/packed_format.h"

#include <array>
#include <limits>
#include <string>

#include "lazuli/error.h"

namespace lazuli {

namespace {

// The one table. Rows stand in the order of the enum.
constexpr std::array<PackedFormatInfo, packed_format_count> formats = {{
    {PackedFormat::q4_0, "Q4_0", 2, 32, 18},
    {PackedFormat::q4_1, "Q4_1", 3, 32, 20},
    {PackedFormat::q5_0, "Q5_0", 6, 32, 22},
    {PackedFormat::q5_1, "Q5_1", 7, 32, 24},
    {PackedFormat::q8_0, "Q8_0", 8, 32, 34},
    {PackedFormat::q2_k, "Q2_K", 10, 256, 84},
    {PackedFormat::q3_k, "Q3_K", 11, 256, 110},
    {PackedFormat::q4_k, "Q4_K", 12, 256, 144},
    {PackedFormat::q5_k, "Q5_K", 13, 256, 176},
    {PackedFormat::q6_k, "Q6_K", 14, 256, 210},
}};

constexpr bool rows_follow_the_enum() {
  for (size_t i = 0; i < formats.size(); ++i) {
    if (static_cast<size_t>(formats[i].format) != i) return false;
  }
  return true;
}
static_assert(rows_follow_the_enum());

}  // namespace

const PackedFormatInfo& packed_format_info(PackedFormat format) {
  size_t index = static_cast<size_t>(format);
  if (index >= formats.size()) {
    throw ArgumentError("packed_format_info: " + std::to_string(index) +
                        " is no packed format; use one of the PackedFormat enumerators");
  }
  return formats[index];
}

std::optional<PackedFormat> packed_format_from_gguf(uint32_t type) {
  for (const PackedFormatInfo& info : formats) {
    if (info.gguf_type == type) return info.format;
  }
  return std::nullopt;
}

int64_t packed_row_bytes(PackedFormat format, int64_t elements) {
  const PackedFormatInfo& info = packed_format_info(format);
  if (elements < 0 || elements % info.block_elements != 0) {
    throw ArgumentError("packed_row_bytes: a row of " + std::to_string(elements) + " elements is " +
                        "no whole number of " + info.name + " blocks; use a multiple of " +
                        std::to_string(info.block_elements));
  }
  int64_t blocks = elements / info.block_elements;
  if (blocks > std::numeric_limits<int64_t>::max() / info.block_bytes) {
    throw ArgumentError("packed_row_bytes: a row of " + std::to_string(elements) + " elements in " +
                        info.name + " is larger than 2^63 bytes");
  }
  return blocks * info.block_bytes;
}

}  // namespace lazuli
