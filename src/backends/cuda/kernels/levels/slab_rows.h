// Products of few rows with levels that come in slabs (slab_rows.cuh).
#pragma once

#include "backends/cuda/kernels/levels/nibble_tiles.h"

namespace lazuli::cuda {

// One row of x with levels of 4, 5, 6 or 8 bits, or up to eight rows of a half type with those of
// four bits in larger blocks or groups: true if the product was queued. `p` holds what all matrices
// have in common.
bool multiply_slab_rows(const LevelProduct& product, const LevelFormat& format, LevelRows p,
                        const LevelPart* parts, size_t count);

}  // namespace lazuli::cuda
