// What a GPU computes in a second at the most, from what NVIDIA states of its chips.
#pragma once

#include "backends/cuda/gpu.h"
#include "lazuli/dtype.h"

namespace lazuli::cuda {

// At the highest clock: products of matrices of a dtype, or other work, which is done in float32.
// 0 for a chip or a dtype that is not known.
double peak_flops(const Gpu& gpu, bool products, Dtype::Val dtype);

}  // namespace lazuli::cuda
