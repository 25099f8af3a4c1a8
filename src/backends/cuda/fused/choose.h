// From the sizes and addresses of one run to a form of the step and the shape of its launch.
#pragma once

#include "backends/cuda/fused/variant.h"
#include "backends/cuda/fused/walk.h"
#include "backends/cuda/kernel.h"

namespace lazuli::cuda {

// A value in memory that takes part in a run.
struct BoundPlace {
  uint16_t value;
  const Layout* layout;
  const Shape* shape;
  int itemsize;
  bool output;
};

struct Choice {
  Variant variant;
  LaunchShape shape;
  int64_t parts = 1, part_length = 0;  // of row_in_parts: vectors of a part
};

// `kept`: kept_bytes(step).
void choose(const FusedStep& step, int kept, const Shape& space, std::span<const BoundPlace> places,
            const Walk& walk, Choice& choice);

}  // namespace lazuli::cuda
