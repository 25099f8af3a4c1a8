// arange: see arange.cu. Parameters: start, step; as the bits of doubles for floats.
#include <bit>

#include "backends/cuda/kernel_table.h"
#include "backends/cuda/kernels/function_table.h"

namespace lazuli::cuda {
namespace {

bool counts_in_integers(Dtype::Val dtype) { return issubdtype(dtype_of(dtype), integer); }

FunctionTable<dtype_count> functions("arange.cu", [](size_t slot) {
  const Dtype::Val dtype = dtype_at(slot);
  if (dtype == bool_ || dtype == complex64) return std::string();
  return instance_name("arange",
                       {device_type(dtype), counts_in_integers(dtype) ? "int64_t" : "double"});
});

}  // namespace

void kernel_arange(const KernelCall& call) {
  const Dtype::Val dtype = call.output.dtype;
  const Function& function = functions.at(slot_of(dtype));
  const int64_t start = call.node->params[0], step = call.node->params[1];
  const int64_t count = call.output.size();
  const LaunchShape shape{{static_cast<unsigned>(ceil_div(count, 1024))}, {256}};
  void* out = device_data<>(call.output);
  if (counts_in_integers(dtype)) {
    launch(call.stream, function, shape, out, start, step, count);
  } else {
    launch(call.stream, function, shape, out, std::bit_cast<double>(start),
           std::bit_cast<double>(step), count);
  }
}

}  // namespace lazuli::cuda
