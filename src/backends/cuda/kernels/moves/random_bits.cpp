// random_bits: see random_bits.cu.
#include "backends/cuda/kernel_table.h"
#include "backends/cuda/kernels/function_table.h"
#include "lazuli/error.h"

namespace lazuli::cuda {
namespace {

FunctionTable<2> functions("random_bits.cu", [](size_t aligned) {
  return instance_name("random_bits", {truth(aligned)});
});

}  // namespace

void kernel_random_bits(const KernelCall& call) {
  const int64_t keys = call.inputs[0].size() / 2;
  const int64_t bytes = call.output.size() / keys * dtype_of(call.output.dtype).size();
  const int64_t words = ceil_div(bytes, 4);
  if (words > int64_t{1} << 32) {
    throw ArgumentError("[random_bits] One key gives at most 2^32 words, not " +
                        std::to_string(words) + ".");
  }
  const Function& function = functions.at(bytes % 4 == 0);
  const int64_t threads = keys * ceil_div(words, 2);
  launch(call.stream, function, {{static_cast<unsigned>(ceil_div(threads, 256))}, {256}},
         device_data<>(call.inputs[0]), device_data<>(call.output), keys, bytes);
}

}  // namespace lazuli::cuda
