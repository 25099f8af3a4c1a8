// Weights that stay as a GGUF file packs them: a uint8 array [..., bytes of a row] and a format.
#pragma once

#include <vector>

#include "lazuli/array.h"
#include "lazuli/packed_format.h"

namespace lazuli {

// How exact products with packed weights are.
enum class Precision : uint8_t {
  full,     // of float32: within 1e-6 of sum |x| |w|, whatever the rows hold. Of halves: rows computed
            // together and alone differ by at most a unit in the last place of the result and
            // one of sqrt(sum x^2 w^2), its typical size.
  reduced,  // on a CPU, up to four rows of x are rounded to 15 bits for each 32 elements: an error
            // of about 4e-5 of the result's typical size, more where a run has one far larger
            // element; more rows meet weights rounded to 12 bits for each 128 columns: 3e-4. On a
            // GPU, one row of x is rounded to 22 bits for each 64 elements. Several times as fast.
};

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
