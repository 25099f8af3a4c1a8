// Parameters of an op as a node keeps them: 64-bit words. params.h says what they mean.
#pragma once

#include <cstdint>
#include <span>

#include "lazuli/small_vector.h"

namespace lazuli {

using Words = std::span<const int64_t>;

// The first `structural` words shape the plan (axes, modes), while the rest is read when a plan is
// bound (extents, offsets, scalars).
struct Params {
  SmallVector<int64_t, 2> words;
  uint16_t structural = 0;
};

}  // namespace lazuli
