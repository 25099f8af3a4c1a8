// Packed GGUF rows to plain floats: whole tensors, and rows by index (an embedding lookup).
//
// Both run on the thread pool. Values are bit-equal to reference::dequantize in float32 and rounded
// to nearest even from that in bfloat16 and float16.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lazuli/dtype.h"
#include "lazuli/packed_format.h"

namespace lazuli::cpu {

// Writes `elements` values of the blocks at `blocks` to `out`. `elements` is a multiple of the
// format's block and out_dtype one of float32, bfloat16, float16 (ArgumentError otherwise).
void packed_dequantize(PackedFormat format, const std::byte* blocks, int64_t elements, void* out,
                       Dtype out_dtype);

namespace packed {
// `elements` float32 values of whole blocks, on the calling thread.
void packed_floats(PackedFormat format, const std::byte* blocks, int64_t elements, float* out);
}  // namespace packed

// Row indices[i] of a packed matrix becomes row i of `out`.
struct PackedGather {
  PackedFormat format;
  const std::byte* w;  // [rows, columns], packed
  int64_t rows;
  int64_t columns;
  const void* indices;  // [count]; negative ones count from the end
  Dtype index_dtype;  // int32, uint32 or int64
  int64_t count;
  void* out;  // [count, columns] without gaps
  Dtype out_dtype;
};

// IndexError for an index outside [-rows, rows); ArgumentError for shapes or dtypes that do not fit.
void packed_gather(const PackedGather& gather);

}  // namespace lazuli::cpu
