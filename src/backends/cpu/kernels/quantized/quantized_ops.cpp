// The ops of affine quantisation, on the quantised kernels.
#include "backends/cpu/kernels/quantized/quantized_matmul.h"
#include "compiler/backend.h"

namespace lazuli {
namespace {

// A matrix of levels: all leading axes are rows.
cpu::QuantizedMatrix matrix(const Operand& levels, const Operand& scales, const Operand& biases,
                            int64_t group, int64_t bits) {
  int64_t words = levels.extent(-1);
  return {levels.as<uint32_t>(),
          scales.data(),
          biases.data(),
          dtype_of(scales.dtype),
          words ? levels.size() / words : 0,
          words * 32 / bits,
          static_cast<int>(group),
          static_cast<int>(bits)};
}

}  // namespace

// Input: w. Parameters: which part (0 levels, 1 scales, 2 biases), group, bits. The parts are made
// together; the two that were not asked for go to memory that is given back.
void kernel_affine_quantize(const KernelCall& call) {
  const Operand& w = call.inputs[0];
  const auto& params = call.node->params;
  int64_t columns = w.extent(-1), rows = columns ? w.size() / columns : 0;
  Dtype dtype = dtype_of(w.dtype);
  size_t sizes[] = {static_cast<size_t>(rows * columns * params[2] / 8),
                    static_cast<size_t>(rows * columns / params[1]) * dtype.size(),
                    static_cast<size_t>(rows * columns / params[1]) * dtype.size()};
  Layout others[3];
  char* parts[3];
  for (int k = 0; k < 3; ++k) {
    bool wanted = k == params[0];
    if (!wanted) others[k] = Layout(allocate_buffer(sizes[k]), 0, {}, true);
    parts[k] = wanted ? call.output.data() : others[k].data();
  }
  cpu::quantize(w.data(), dtype, rows, columns, static_cast<int>(params[1]),
                static_cast<int>(params[2]), reinterpret_cast<uint32_t*>(parts[0]), parts[1],
                parts[2]);
}

// Inputs: levels, scales, biases. Parameters: group, bits.
void kernel_affine_dequantize(const KernelCall& call) {
  const auto& in = call.inputs;
  const auto& params = call.node->params;
  cpu::dequantize(matrix(in[0], in[1], in[2], params[0], params[1]), call.output.data(),
                  dtype_of(call.output.dtype));
}

// Inputs: x, levels, scales, biases. Parameters: group, bits, transpose.
void kernel_quantized_matmul(const KernelCall& call) {
  const auto& in = call.inputs;
  const auto& params = call.node->params;
  cpu::QuantizedMatrix w = matrix(in[1], in[2], in[3], params[0], params[1]);
  int64_t inner = in[0].extent(-1), n = call.output.extent(-1);
  Dtype dtype = dtype_of(in[0].dtype);
  cpu::quantized_matmul({in[0].data(), dtype, inner, inner ? in[0].size() / inner : 0, w,
                         params[2] != 0, call.output.data(), dtype, n});
}

}  // namespace lazuli
