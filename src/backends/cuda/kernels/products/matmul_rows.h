// Products with few rows of x (or few columns of y, transposed), which read the other matrix once.
#pragma once

#include "backends/cuda/blas.h"

namespace lazuli::cuda {

// Queues the product if it is of few rows and lies so that there is a kernel for it; products of
// the same x that follow each other become one launch. False, and nothing is queued, for others.
bool multiply_few_rows(int stream, const MatrixProduct& product);

}  // namespace lazuli::cuda
