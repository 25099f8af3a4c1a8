// Packed weights (GGUF blocks) on the GPU.
#pragma once

#include <string>

#include "backends/cuda/kernel.h"
#include "lazuli/packed_format.h"

namespace lazuli::cuda {

// The name of a format's struct in packed_formats.cuh.
inline std::string device_format(PackedFormat format) { return packed_format_info(format).name; }

// Writes `elements` values of the blocks at `blocks` to `out`, of a float32 or half dtype.
void packed_dequantize(int stream, PackedFormat format, const void* blocks, int64_t elements,
                       void* out, Dtype::Val dtype);

// One of the matrices of a product: w [rows, K], whose columns of the output begin at `column`.
struct PackedPart {
  PackedFormat format;
  const uint8_t* w;
  int64_t rows, column;
};

// Products of one x [m, k], dense, with several packed matrices; out [m, columns].
struct PackedProduct {
  int stream;
  Dtype::Val dtype;
  const void* x;
  int64_t m, k;
  void* out;
  int64_t columns;
};

// Few rows: true if the products with all parts, which have one format, were queued.
bool multiply_packed_rows(const PackedProduct& product, const PackedPart* parts, size_t count);

}  // namespace lazuli::cuda
