// arange: see arange.cu. Parameters: start, step; as the bits of doubles for floats.
#include <bit>

#include "backends/cuda/kernel_table.h"
#include "backends/cuda/kernels/function_table.h"

namespace lazuli::cuda {

void kernel_arange(const KernelCall& call) {
  const Dtype::Val dtype = call.output.dtype;
  const bool whole = issubdtype(dtype_of(dtype), integer);
  static FunctionTable<dtype_count> table("arange.cu");
  const Function& function = table.at(static_cast<size_t>(dtype), [&] {
    return std::string("arange<") + device_type(dtype) + (whole ? ", int64_t>" : ", double>");
  });
  const int64_t start = call.node->params[0], step = call.node->params[1];
  const int64_t count = call.output.size();
  const LaunchShape shape{{static_cast<unsigned>(ceil_div(count, 1024))}, {256}};
  void* out = device_data<>(call.output);
  if (whole) {
    launch(call.stream, function, shape, out, start, step, count);
  } else {
    launch(call.stream, function, shape, out, std::bit_cast<double>(start),
           std::bit_cast<double>(step), count);
  }
}

}  // namespace lazuli::cuda
