// The part of packed_matmul for few rows of x: every row of w is read once and met with all of x.
#pragma once

#include "backends/cpu/kernels/packed/packed_activations.h"
#include "backends/cpu/kernels/packed/packed_matmul.h"

namespace lazuli::cpu::packed {

// Computes columns [first, last) of `out` (rows of w) on the calling thread.
void packed_rows(const PackedMatmul& product, const Activations& x, int64_t first, int64_t last);

// The same for one row of x in float32 with dequantised weights: for x with NaN or infinities.
void packed_float_row(const PackedMatmul& product, int64_t row, int64_t first, int64_t last);

}  // namespace lazuli::cpu::packed
