// The ops of packed weights, on the packed kernels.
#include <vector>

#include "backends/cpu/kernels/packed/packed_dequantize.h"
#include "backends/cpu/kernels/packed/packed_matmul.h"
#include "backends/cpu/kernels/packed/packed_schedule.h"
#include "compiler/backend.h"
#include "lazuli/packed_format.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

PackedFormat format_of(const KernelCall& call) { return params<PackedParams>(call.node).format; }

}  // namespace

// Inputs: x [..., K], matrices [N, bytes], whose products lie beside each other in the output.
// Up to row_product_rows_max rows of halves lose less than the result's rounding in any case.
void kernel_packed_matmul(const KernelCall& call) {
  auto packed = params<PackedMatmulParams>(call.node);
  const Operand& x = call.inputs[0];
  int64_t k = x.extent(-1), columns = call.output.extent(-1);
  int64_t m = k ? x.size() / k : columns ? call.output.size() / columns : 0;
  Dtype dtype = dtype_of(x.dtype);
  bool exact = packed.precision == Precision::full &&
               (dtype == float32 || m > cpu::packed::row_product_rows_max);
  std::vector<cpu::PackedMatmul> products;
  products.reserve(call.inputs.size() - 1);
  char* out = call.output.data();
  for (size_t i = 1; i < call.inputs.size(); ++i) {
    const Operand& w = call.inputs[i];
    products.push_back({x.data(), dtype, k, m, w.extent(0), k, w.as<const std::byte>(),
                        packed.format(i - 1), out, dtype, columns, exact});
    out += w.extent(0) * dtype.size();
  }
  cpu::packed_matmul_many(products);
}

// Inputs: w [N, bytes], indices (int64).
void kernel_packed_take(const KernelCall& call) {
  const Operand& w = call.inputs[0];
  const Operand& indices = call.inputs[1];
  cpu::packed_gather({format_of(call), w.as<const std::byte>(), w.extent(0), call.output.extent(-1),
                      indices.data(), int64, indices.size(), call.output.data(),
                      dtype_of(call.output.dtype)});
}

// Input: w.
void kernel_packed_dequantize(const KernelCall& call) {
  cpu::packed_dequantize(format_of(call), call.inputs[0].as<const std::byte>(), call.output.size(),
                         call.output.data(), dtype_of(call.output.dtype));
}

}  // namespace lazuli
