// arange: see arange.cu.
#include "backends/cuda/kernel_table.h"
#include "backends/cuda/kernels/function_table.h"
#include "ops/table/params.h"

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
  const int64_t count = call.output.size();
  const LaunchShape shape{{static_cast<unsigned>(ceil_div(count, 1024))}, {256}};
  void* out = device_data<>(call.output);
  if (counts_in_integers(dtype)) {
    auto [start, step] = params<ArangeParams<int64_t>>(call.node);
    launch(call.stream, function, shape, out, start, step, count);
  } else {
    auto [start, step] = params<ArangeParams<double>>(call.node);
    launch(call.stream, function, shape, out, start, step, count);
  }
}

}  // namespace lazuli::cuda
