// Packed weight formats: the quantised block types of GGUF files, kept as they lie in the file.
//
// A row of `n` elements is n / block_elements blocks one after the other; a packed matrix is its
// rows one after the other. Source of ids and sizes: the GGUF specification's ggml_type list.
#pragma once

#include <cstdint>
#include <optional>

namespace lazuli {

enum class PackedFormat : uint8_t { q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k };

// How exact products with packed weights are.
enum class Precision : uint8_t {
  // Of float32: within 1e-6 of sum |x| |w|, whatever the rows hold. Of halves: rows computed
  // together and alone differ by at most a unit in the last place of the result and one of
  // sqrt(sum x^2 w^2), its typical size.
  full,
  // Several times as fast. On a CPU, up to four rows of x are rounded to 15 bits for each 32
  // elements: an error of about 4e-5 of the result's typical size, more where a run has one far
  // larger element; more rows meet weights rounded to 12 bits for each 128 columns: 3e-4. On a GPU,
  // one row of x is rounded to 22 bits for each 64 elements.
  reduced,
};

struct PackedFormatInfo {
  PackedFormat format;
  const char* name;        // "Q4_K", as GGUF tools spell it
  uint32_t gguf_type;      // the id in a GGUF file's tensor table
  int32_t block_elements;  // elements in one block
  int32_t block_bytes;     // bytes of one block
};

inline constexpr int packed_format_count = 10;

// The format's row of the table.
const PackedFormatInfo& packed_format_info(PackedFormat format);

// The format with this GGUF type id; nothing if the id names a plain or an unknown type.
std::optional<PackedFormat> packed_format_from_gguf(uint32_t type);

// Bytes of one packed row. ArgumentError unless `elements` is a multiple, not negative, of
// block_elements.
int64_t packed_row_bytes(PackedFormat format, int64_t elements);

}  // namespace lazuli
