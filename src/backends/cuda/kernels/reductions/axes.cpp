#include "backends/cuda/kernels/reductions/axes.h"

#include <bit>

#include "lazuli/error.h"
#include "ops/table/op.h"

namespace lazuli::cuda {

Strides strides_of(const Operand& operand) {
  return operand.layout->dense ? dense_strides(*operand.shape) : operand.layout->strides;
}

void merge_axes(AxisList& axes) {
  size_t kept = 0;
  for (const AxisSteps& axis : axes) {
    if (axis.extent == 1) continue;
    if (kept > 0) {
      AxisSteps& outer = axes[kept - 1];
      if (outer.from == axis.from * axis.extent && outer.to == axis.to * axis.extent) {
        outer = {outer.extent * axis.extent, axis.from, axis.to};
        continue;
      }
    }
    axes[kept++] = axis;
  }
  axes.resize(kept);
  if (kept == 0) axes.push_back({1, 0, 0});
}

Axis divided_axis(int64_t extent, int64_t from, int64_t to) {
  Axis axis{extent, from, to, 0, 0};
  if (extent > 0 && extent < int64_t{1} << 31) {
    const uint64_t divisor = static_cast<uint64_t>(extent);
    const int shift = std::bit_width(divisor - 1);
    axis.shift = static_cast<uint32_t>(shift);
    axis.multiplier =
        static_cast<uint32_t>((((uint64_t{1} << shift) - divisor) << 32) / divisor + 1);
  }
  return axis;
}

void throw_too_many_axes(const KernelCall& call, int most) {
  std::string text = "[" + std::string(op_info(call.node->op).name) +
                     "] The GPU walks over at most " + std::to_string(most) +
                     " axes that are not one in memory; the output has shape [";
  for (size_t d = 0; d < call.output.shape->size(); ++d) {
    text += (d ? "," : "") + std::to_string((*call.output.shape)[d]);
  }
  throw ArgumentError(text + "]. Copy the inputs first.");
}

}  // namespace lazuli::cuda
