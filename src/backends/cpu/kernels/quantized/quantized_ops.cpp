// The ops of affine quantisation, on the quantised kernels.
#include "backends/cpu/kernels/quantized/quantized_matmul.h"
#include "compiler/backend.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

// A matrix of levels: all leading axes are rows.
cpu::QuantizedMatrix matrix(const Operand& levels, const Operand& scales, const Operand& biases,
                            int group, int bits) {
  int64_t words = levels.extent(-1);
  return {levels.as<uint32_t>(),
          scales.data(),
          biases.data(),
          dtype_of(scales.dtype),
          words ? levels.size() / words : 0,
          words * 32 / bits,
          group,
          bits};
}

}  // namespace

// Input: w. The parts are made together; the two that were not asked for go to memory that is given
// back.
void kernel_affine_quantize(const KernelCall& call) {
  const Operand& w = call.inputs[0];
  auto [part, group, bits] = params<AffineQuantizeParams>(call.node);
  int64_t columns = w.extent(-1), rows = columns ? w.size() / columns : 0;
  Dtype dtype = dtype_of(w.dtype);
  size_t sizes[] = {static_cast<size_t>(rows * columns * bits / 8),
                    static_cast<size_t>(rows * columns / group) * dtype.size(),
                    static_cast<size_t>(rows * columns / group) * dtype.size()};
  Layout others[3];
  char* parts[3];
  for (int k = 0; k < 3; ++k) {
    bool wanted = k == part;
    if (!wanted) others[k] = Layout(allocate_buffer(sizes[k]), 0, {}, true);
    parts[k] = wanted ? call.output.data() : others[k].data();
  }
  cpu::quantize(w.data(), dtype, rows, columns, group, bits, reinterpret_cast<uint32_t*>(parts[0]),
                parts[1], parts[2]);
}

// Inputs: levels, scales, biases.
void kernel_affine_dequantize(const KernelCall& call) {
  const auto& in = call.inputs;
  auto [group, bits] = params<AffineDequantizeParams>(call.node);
  cpu::dequantize(matrix(in[0], in[1], in[2], group, bits), call.output.data(),
                  dtype_of(call.output.dtype));
}

// Inputs: x, levels, scales, biases.
void kernel_quantized_matmul(const KernelCall& call) {
  const auto& in = call.inputs;
  auto [group, bits, transpose] = params<QuantizedMatmulParams>(call.node);
  cpu::QuantizedMatrix w = matrix(in[1], in[2], in[3], group, bits);
  int64_t inner = in[0].extent(-1), n = call.output.extent(-1);
  Dtype dtype = dtype_of(in[0].dtype);
  cpu::quantized_matmul({in[0].data(), dtype, inner, inner ? in[0].size() / inner : 0, w, transpose,
                         call.output.data(), dtype, n});
}

}  // namespace lazuli
