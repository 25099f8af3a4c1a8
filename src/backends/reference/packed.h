// Packed GGUF blocks in plain scalar code: what each format means.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lazuli/packed_format.h"

namespace lazuli::reference {

// Writes `elements` float values of the blocks at `blocks`. `elements` is a multiple of the format's
// block (ArgumentError otherwise). Bit-equal to PyPI gguf's quants.dequantize, except that one NaN
// may stand for another.
void dequantize(PackedFormat format, const std::byte* blocks, int64_t elements, float* out);

// out[m, n] = sum over k of x[m, k] * dequantize(w)[n, k], with w packed row-major as [n, k] and
// sums in double. x and out are row-major without gaps.
void packed_matmul(PackedFormat format, const float* x, const std::byte* w, int64_t m, int64_t n,
                   int64_t k, double* out);

}  // namespace lazuli::reference
