// Updates that go along with rotations: see rope.cu.
#pragma once

#include "backends/cuda/kernel.h"

namespace lazuli::cuda {

// Writes `update` [examples, heads, length, width] to `to`, where places are `steps` elements
// apart, with the stream's last launch, if that is one of rotations: as a second place of what it
// makes, or as one more job of it. False if it cannot be.
bool write_with_rope(int stream, const Operand& update, void* to, const Strides& steps);

}  // namespace lazuli::cuda
