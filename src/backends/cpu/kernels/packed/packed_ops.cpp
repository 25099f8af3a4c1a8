// The ops of packed weights, on the packed kernels.
#include "backends/cpu/kernels/packed/packed_dequantize.h"
#include "backends/cpu/kernels/packed/packed_matmul.h"
#include "compiler/backend.h"

namespace lazuli {
namespace {

PackedFormat format_of(const KernelCall& call) {
  return static_cast<PackedFormat>(call.node->params[0]);
}

}  // namespace

// Inputs: x [..., K], w [N, bytes]. Parameter: format.
void kernel_packed_matmul(const KernelCall& call) {
  const Operand& x = call.inputs[0];
  const Operand& w = call.inputs[1];
  int64_t k = x.extent(-1), n = w.extent(0);
  int64_t m = k ? x.size() / k : 0;
  Dtype dtype = dtype_of(x.dtype);
  cpu::packed_matmul({x.data(), dtype, k, m, n, k, w.as<const std::byte>(), format_of(call),
                      call.output.data(), dtype, n});
}

// Inputs: w [N, bytes], indices (int64). Parameter: format.
void kernel_packed_take(const KernelCall& call) {
  const Operand& w = call.inputs[0];
  const Operand& indices = call.inputs[1];
  cpu::packed_gather({format_of(call), w.as<const std::byte>(), w.extent(0), call.output.extent(-1),
                      indices.data(), int64, indices.size(), call.output.data(),
                      dtype_of(call.output.dtype)});
}

// Input: w. Parameter: format.
void kernel_packed_dequantize(const KernelCall& call) {
  cpu::packed_dequantize(format_of(call), call.inputs[0].as<const std::byte>(), call.output.size(),
                         call.output.data(), dtype_of(call.output.dtype));
}

}  // namespace lazuli
