// Rotary positions: see rope.cu. Inputs: x, offset (int32, int64 or float32, one or one an
// example) and, instead of a base, freqs (float32). Parameters: dims, traditional; scale and base
// as the bits of doubles.
#include <bit>
#include <cmath>

#include "backends/cuda/kernel_table.h"
#include "backends/cuda/kernels/function_table.h"
#include "backends/cuda/kernels/reductions/axes.h"

namespace lazuli::cuda {

#include "backends/cuda/device/rope_shape.cuh"

namespace {

constexpr int64_t threads = 128;
constexpr int vector = 2;

FunctionTable<float_count * 4> functions("rope.cu", [](size_t slot) {
  const bool traditional = slot & 2, dense = slot & 1;
  return instance_name("rope",
                       {device_type(float_types[slot / 4]), std::to_string(dense ? vector : 1),
                        truth(traditional), truth(dense)});
});

double constant_of(const Operand& operand) {
  switch (operand.dtype) {
    case Dtype::Val::int32: return *operand.as<int32_t>();
    case Dtype::Val::int64: return static_cast<double>(*operand.as<int64_t>());
    default: return *operand.as<float>();
  }
}

void describe_input(const KernelCall& call, RopeShape& shape) {
  const Operand& x = call.inputs[0];
  Strides steps = strides_of(x);
  const size_t rank = steps.size();
  AxisList heads;
  for (size_t d = 1; d + 2 < rank; ++d) heads.push_back({(*x.shape)[d], steps[d], 0});
  merge_axes(heads);
  shape.heads = packed_axes<6>(call, heads);
  shape.example_step = steps[0];
  shape.row_step = steps[rank - 2];
  shape.step = steps[rank - 1];
  shape.length = x.extent(-2);
  shape.width = x.extent(-1);
  shape.half = call.node->params[0] / 2;
}

void describe_turns(const KernelCall& call, RopeShape& shape) {
  const Operand& offset = call.inputs[1];
  if (offset.constant) {
    shape.offset = constant_of(offset);
  } else {
    shape.offset_kind = offset.dtype == int32 ? 1 : offset.dtype == int64 ? 2 : 3;
    shape.offset_step = offset.size() > 1 ? strides_of(offset)[0] : 0;
  }
  shape.scale = std::bit_cast<double>(call.node->params[2]);
  if (call.inputs.size() > 2) shape.freqs_step = strides_of(call.inputs[2])[0];
  else shape.log2_base = std::log2(std::bit_cast<double>(call.node->params[3]));
}

bool fits_vectors(const KernelCall& call, const RopeShape& shape) {
  const int64_t itemsize = dtype_of(call.inputs[0].dtype).size();
  Alignment alignment;
  alignment.see(device_data<>(call.inputs[0]));
  alignment.see(shape.example_step * itemsize);
  alignment.see(shape.row_step * itemsize);
  for (int d = 0; d < shape.heads.rank; ++d) alignment.see(shape.heads.axis[d].from * itemsize);
  return shape.step == 1 && shape.half % vector == 0 && shape.width % vector == 0 &&
         alignment.bytes() >= vector * itemsize;
}

}  // namespace

void kernel_rope(const KernelCall& call) {
  RopeShape shape{};
  describe_input(call, shape);
  describe_turns(call, shape);
  const Dtype::Val dtype = call.inputs[0].dtype;
  const bool traditional = call.node->params[1] != 0, dense = fits_vectors(call, shape);
  const int64_t examples = call.inputs[0].extent(0), per_slot = dense ? vector : 1;
  shape.slots = (shape.width - shape.half) / per_slot;
  shape.slot = divided_axis(shape.slots, 0, 0);
  shape.row = divided_axis(shape.length, 0, 0);
  shape.count = examples * shape.length * shape.slots;
  shape.wide = shape.count >= int64_t{1} << 31;
  // Sines serve several heads where that leaves enough threads.
  const int64_t heads = shape.heads.count, wanted = int64_t{gpu().multiprocessors} * 1024;
  shape.group = static_cast<int32_t>(std::min<int64_t>(
      heads, std::max<int64_t>({1, shape.count * heads / wanted, ceil_div(heads, 65535)})));
  const Function& function =
      functions.at(float_slot(dtype) * 4 + (traditional ? 2 : 0) + (dense ? 1 : 0));
  const LaunchShape grid{{static_cast<unsigned>(ceil_div(shape.count, threads)),
                          static_cast<unsigned>(ceil_div(heads, shape.group))},
                         {threads}};
  const void* offsets = shape.offset_kind ? device_data<>(call.inputs[1]) : nullptr;
  const void* freqs = call.inputs.size() > 2 ? device_data<>(call.inputs[2]) : nullptr;
  launch(call.stream, function, grid, device_data<>(call.inputs[0]), device_data<>(call.output),
         offsets, freqs, shape);
}

}  // namespace lazuli::cuda
