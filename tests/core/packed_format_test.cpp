#include "lazuli/packed_format.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "lazuli/error.h"

namespace lazuli {
namespace {

TEST(PackedFormat, TableAnswersBothWays) {
  for (int i = 0; i < packed_format_count; ++i) {
    PackedFormat format = static_cast<PackedFormat>(i);
    const PackedFormatInfo& info = packed_format_info(format);
    EXPECT_EQ(info.format, format);
    EXPECT_EQ(packed_format_from_gguf(info.gguf_type), format);
  }
  EXPECT_EQ(packed_format_info(PackedFormat::q4_k).name, std::string("Q4_K"));
}

TEST(PackedFormat, PlainAndUnknownTypesAreNone) {
  for (uint32_t type : {0u, 1u, 4u, 5u, 9u, 15u, 24u, 30u, 1000u}) {
    EXPECT_FALSE(packed_format_from_gguf(type).has_value()) << type;
  }
}

TEST(PackedFormat, RowBytes) {
  EXPECT_EQ(packed_row_bytes(PackedFormat::q4_0, 0), 0);
  EXPECT_EQ(packed_row_bytes(PackedFormat::q5_0, 640), 20 * 22);
  EXPECT_EQ(packed_row_bytes(PackedFormat::q6_k, 2048), 8 * 210);
}

std::string row_bytes_error(PackedFormat format, int64_t elements) {
  try {
    packed_row_bytes(format, elements);
  } catch (const ArgumentError& error) {
    return error.what();
  }
  return "no error";
}

TEST(PackedFormat, RowBytesErrors) {
  EXPECT_EQ(row_bytes_error(PackedFormat::q4_k, 640),
            "packed_row_bytes: a row of 640 elements is no whole number of Q4_K blocks; use a "
            "multiple of 256");
  EXPECT_EQ(row_bytes_error(PackedFormat::q4_0, -32),
            "packed_row_bytes: a row of -32 elements is no whole number of Q4_0 blocks; use a "
            "multiple of 32");
  int64_t largest = std::numeric_limits<int64_t>::max() / 32 * 32;
  EXPECT_NE(row_bytes_error(PackedFormat::q8_0, largest).find("larger than 2^63 bytes"),
            std::string::npos);
  EXPECT_THROW(packed_format_info(static_cast<PackedFormat>(99)), ArgumentError);
}

}  // namespace
}  // namespace lazuli
