// Copying values between strided places.
#pragma once

#include "lazuli/small_vector.h"

namespace lazuli::cpu {

// Copies a block of `shape` elements of `itemsize` bytes between places with strides in bytes.
// Runs on the pool when there is enough to do.
void copy_strided(const Shape& shape, int64_t itemsize, const char* from,
                  const Strides& from_strides, char* to, const Strides& to_strides);

}  // namespace lazuli::cpu
