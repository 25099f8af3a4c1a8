// Products of few rows with levels that come in slabs (slab_rows.cuh).
#pragma once

#include "backends/cuda/kernels/levels/nibble_tiles.h"

namespace lazuli::cuda {

// Rows of x with levels of 4, 5, 6 or 8 bits, as many as slab_rows.cuh takes: true if the product
// was queued. `p` holds what all matrices have in common.
bool multiply_slab_rows(const LevelProduct& product, const LevelFormat& format, LevelRows p,
                        const LevelPart* parts, size_t count);

}  // namespace lazuli::cuda
