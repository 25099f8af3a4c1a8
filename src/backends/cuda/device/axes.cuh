// A walk over places with steps on two sides, as the host describes it to a kernel. Plain structs:
// host code includes this file too (kernels/axes.h).
#pragma once

struct Axis {
  int64_t extent;
  int64_t from, to;  // steps on the two sides
  // For dividing what is below 2^31 by the extent: q = (high(n * multiplier) + n) >> shift.
  uint32_t multiplier, shift;
};

template <int RankMax>
struct Axes {
  int64_t count;  // of all places
  int32_t rank;   // at least 1
  int32_t wide;   // there are 2^31 places or more
  Axis axis[RankMax];
};
