#include "backends/cuda/kernels/moves/indexed.h"

namespace lazuli::cuda {
namespace {

// Axes of the index arrays, neighbours joined where they are one in all arrays and the updates.
void fill_lead(const KernelCall& call, const Indexed& indexed, int64_t elements_per_unit,
               IndexedShape& shape) {
  const Shape& extents = *indexed.arrays[0].shape;
  const size_t arrays = indexed.arrays.size();
  std::vector<Strides> steps;
  for (const Operand& array : indexed.arrays) steps.push_back(strides_of(array));
  steps.push_back(indexed.lead_steps.empty() ? Strides(extents.size(), 0) : indexed.lead_steps);
  SmallVector<size_t, 8> last;  // the axes that stay, each the last of those joined
  Shape joined;
  for (size_t d = 0; d < extents.size(); ++d) {
    if (extents[d] == 1) continue;
    bool one = !last.empty();
    for (size_t k = 0; one && k <= arrays; ++k) {
      one = steps[k][last.back()] == steps[k][d] * extents[d];
    }
    if (one) {
      joined.back() *= extents[d];
      last.back() = d;
    } else {
      joined.push_back(extents[d]);
      last.push_back(d);
    }
  }
  AxisList axes;
  for (size_t j = 0; j < last.size(); ++j) {
    axes.push_back({joined[j], steps[arrays][last[j]] / elements_per_unit, 0});
  }
  if (axes.empty()) axes.push_back({1, 0, 0});
  shape.lead = packed_axes<8>(call, axes);
  for (size_t k = 0; k < arrays; ++k) {
    for (size_t j = 0; j < last.size(); ++j) shape.array[k].steps[j] = steps[k][last[j]];
  }
}

// Whether elements along the axis, the last one, lie side by side on both sides.
bool is_dense_inner(const AxisList& axes, const AxisSteps& axis) {
  return &axis == &axes.back() && (axis.extent == 1 || (axis.from == 1 && axis.to == 1));
}

// Bytes that all steps, addresses and rows of a slice are multiples of.
int unit_of(const Indexed& indexed, const AxisList& slice, const Strides& steps, const void* other,
            int64_t itemsize) {
  Alignment alignment;
  alignment.see(device_data<>(*indexed.target));
  alignment.see(other);
  if (!is_dense_inner(slice, slice.back())) alignment.see(itemsize);
  for (const AxisSteps& axis : slice) {
    if (is_dense_inner(slice, axis)) {
      alignment.see(axis.extent * itemsize);
    } else {
      alignment.see(axis.from * itemsize);
      alignment.see(axis.to * itemsize);
    }
  }
  for (int64_t axis : indexed.axes) alignment.see(steps[static_cast<size_t>(axis)] * itemsize);
  for (int64_t step : indexed.lead_steps) alignment.see(step * itemsize);
  return alignment.bytes();
}

}  // namespace

FaultReport fault_report(const KernelCall& call) {
  return {fault_word(), fault_of(static_cast<uint32_t>(call.node->op), Fault::index_out_of_range)};
}

int indexed_shape(const KernelCall& call, const Indexed& indexed, const void* other,
                  bool by_element, IndexedShape& shape) {
  const int64_t itemsize = dtype_of(indexed.target->dtype).size();
  if (indexed.arrays.size() > index_arrays_max) throw_too_many_axes(call, index_arrays_max);
  const Shape& extents = *indexed.target->shape;
  Strides steps = strides_of(*indexed.target);
  AxisList slice = indexed.slice_axes;
  merge_axes(slice);
  const int unit =
      by_element ? static_cast<int>(itemsize) : unit_of(indexed, slice, steps, other, itemsize);
  const int64_t per_unit = unit / itemsize;
  for (AxisSteps& axis : slice) {
    if (is_dense_inner(slice, axis)) {
      axis = {axis.extent / per_unit, 1, 1};
    } else {
      axis.from /= per_unit;
      axis.to /= per_unit;
    }
  }
  shape.slice = packed_axes<8>(call, slice);
  shape.arrays = static_cast<int32_t>(indexed.arrays.size());
  int64_t key = 1;
  for (size_t k = indexed.arrays.size(); k-- > 0;) {
    const size_t axis = static_cast<size_t>(indexed.axes[k]);
    IndexArray& array = shape.array[k];
    array.data = device_data<const int64_t>(indexed.arrays[k]);
    array.room = extents[axis] - indexed.slice[axis] + 1;
    array.step = steps[axis] / per_unit;
    array.key = key;
    key *= extents[axis];
  }
  if (!indexed.arrays.empty()) fill_lead(call, indexed, per_unit, shape);
  else shape.lead = packed_axes<8>(call, {{1, 0, 0}});
  shape.block = divided_axis(shape.slice.count, 0, 0);
  shape.count = shape.lead.count * shape.slice.count;
  shape.wide = shape.count >= int64_t{1} << 31;
  return unit;
}

AlongShape along_shape(const KernelCall& call, const Shape& dense, const Shape& picks,
                       size_t axis) {
  AlongShape along{};
  int64_t outer = 1, inner = 1;
  for (size_t d = 0; d < axis; ++d) outer *= picks[d];
  for (size_t d = axis + 1; d < picks.size(); ++d) inner *= picks[d];
  along.extent = dense[axis];
  along.inner = inner;
  along.walk =
      packed_axes<3>(call, {{outer, along.extent * inner, 0}, {picks[axis], 0, 0}, {inner, 1, 0}});
  return along;
}

}  // namespace lazuli::cuda
