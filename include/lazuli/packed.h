// Weights that stay as a GGUF file packs them: a uint8 array [..., bytes of a row] and a format.
#pragma once

#include <vector>

#include "lazuli/array.h"
#include "lazuli/packed_format.h"

namespace lazuli {

// x [..., K] times the transpose of w [N, K] packed: [..., N] in the dtype of x (float32,
// bfloat16 or float16).
array packed_matmul(const array& x, const array& w, PackedFormat format,
                    Precision precision = Precision::full, StreamOrDevice s = {});

// One matrix [N, K] of packed weights.
struct PackedMatrix {
  array w;
  PackedFormat format;
};

// The products of x with several matrices of the same K beside each other, [..., sum of N]: x is
// converted and the threads are woken once for all of them.
array packed_matmul(const array& x, const std::vector<PackedMatrix>& matrices,
                    Precision precision = Precision::full, StreamOrDevice s = {});

// Rows of w by index, as floats: indices [...] give [..., K].
array packed_take(const array& w, PackedFormat format, const array& indices, Dtype dtype = float32,
                  StreamOrDevice s = {});

// All of w as floats: [..., K].
array packed_dequantize(const array& w, PackedFormat format, Dtype dtype = float32,
                        StreamOrDevice s = {});

}  // namespace lazuli
