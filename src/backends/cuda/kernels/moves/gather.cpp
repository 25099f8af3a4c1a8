// gather and gather_axis: see gather.cu.
#include "backends/cuda/kernel_table.h"
#include "backends/cuda/kernels/function_table.h"
#include "backends/cuda/kernels/moves/indexed.h"
#include "ops/table/params.h"

namespace lazuli::cuda {
namespace {

constexpr int64_t row_units = 2;  // as in gather.cu

FunctionTable<unit_sizes> gathers("gather.cu", [](size_t slot) {
  return instance_name("gather", {unit_at(slot)});
});
FunctionTable<unit_sizes> gathers_of_rows("gather.cu", [](size_t slot) {
  return instance_name("gather_rows", {unit_at(slot)});
});
// Elements, not units: of at most 8 bytes.
FunctionTable<unit_sizes - 1> gathers_along("gather.cu", [](size_t slot) {
  return instance_name("gather_axis", {unit_at(slot)});
});

bool is_of_rows(const IndexedShape& shape) {
  return shape.arrays == 1 && shape.lead.rank == 1 && shape.slice.rank == 1 &&
         shape.slice.axis[0].from == 1;
}

RowsShape rows_of(const IndexedShape& shape) {
  const IndexArray& array = shape.array[0];
  return {array.data, array.steps[0], array.room, array.step, shape.block, shape.count, shape.wide};
}

}  // namespace

// Inputs: values, one index array for each axis.
void kernel_gather(const KernelCall& call) {
  const Operand& x = call.inputs[0];
  const size_t rank = x.shape->size(), lead = call.output.shape->size() - rank;
  Indexed indexed{
      &x,
      call.inputs.subspan(1),
      params<AxesParams>(call.node).axes,
      Shape(call.output.shape->begin() + static_cast<long>(lead), call.output.shape->end()),
      {},
      {}};
  Strides from = strides_of(x), to = dense_strides(indexed.slice);
  for (size_t d = 0; d < rank; ++d)
    indexed.slice_axes.push_back({indexed.slice[d], from[d], to[d]});
  IndexedShape shape{};
  const int unit = indexed_shape(call, indexed, device_data<>(call.output), false, shape);
  LaunchShape grid{{static_cast<unsigned>(ceil_div(shape.count, 1024))}, {256}};
  if (is_of_rows(shape)) {
    grid.grid.x = static_cast<unsigned>(ceil_div(shape.count, 256 * row_units));
    launch(call.stream, gathers_of_rows.at(unit_slot(unit)), grid, device_data<>(x),
           device_data<>(call.output), rows_of(shape), fault_report(call));
    return;
  }
  launch(call.stream, gathers.at(unit_slot(unit)), grid, device_data<>(x),
         device_data<>(call.output), shape, fault_report(call));
}

// Inputs: values, indices.
void kernel_gather_axis(const KernelCall& call) {
  const int unit = call.node->type().size();
  AlongShape shape = along_shape(call, *call.inputs[0].shape, *call.output.shape,
                                 static_cast<size_t>(params<AxisParams>(call.node).axis));
  launch(call.stream, gathers_along.at(unit_slot(unit)),
         {{static_cast<unsigned>(ceil_div(shape.walk.count, 1024))}, {256}},
         device_data<>(call.inputs[0]), device_data<>(call.inputs[1]), device_data<>(call.output),
         shape, fault_report(call));
}

}  // namespace lazuli::cuda
