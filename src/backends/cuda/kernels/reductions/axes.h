// Walks over strided places: the host's side of device/axes.cuh.
#pragma once

#include "backends/cuda/kernel.h"

namespace lazuli::cuda {

#include "backends/cuda/device/axes.cuh"

// Axes while they are put together: extents, and steps on two sides.
struct AxisSteps {
  int64_t extent, from, to;
};
using AxisList = SmallVector<AxisSteps, 8>;

Strides strides_of(const Operand& operand);

// Drops axes of extent 1 and joins neighbours that are one axis on both sides. At least one axis
// is left.
void merge_axes(AxisList& axes);

Axis divided_axis(int64_t extent, int64_t from, int64_t to);

[[noreturn]] void throw_too_many_axes(const KernelCall& call, int most);

// Of at most RankMax axes.
template <int RankMax>
Axes<RankMax> packed_axes(const AxisList& list) {
  Axes<RankMax> axes{};
  axes.count = 1;
  for (const AxisSteps& a : list) {
    axes.axis[axes.rank++] = divided_axis(a.extent, a.from, a.to);
    axes.count *= a.extent;
  }
  axes.wide = axes.count >= int64_t{1} << 31;
  return axes;
}
template <int RankMax>
Axes<RankMax> packed_axes(const KernelCall& call, const AxisList& list) {
  if (list.size() > RankMax) throw_too_many_axes(call, RankMax);
  return packed_axes<RankMax>(list);
}

// The largest power of two, at most 16, that divides everything it was shown.
class Alignment {
 public:
  void see(int64_t bytes) { bits_ |= static_cast<uint64_t>(bytes); }
  void see(const void* address) { bits_ |= reinterpret_cast<uint64_t>(address); }
  int bytes() const { return static_cast<int>(bits_ & (~bits_ + 1)); }

 private:
  uint64_t bits_ = 16;
};

}  // namespace lazuli::cuda
