// What quantize, dequantize and quantized_matmul demand of their operands.
#pragma once

#include "backends/cpu/kernels/quantized/quantized_matmul.h"

namespace lazuli::cpu::packed {

// ArgumentError unless group, bits, dtype and sizes of `w` are ones that exist. `name` is the
// caller.
void check_quantized(const char* name, const QuantizedMatrix& w);

// ArgumentError unless dtype is float32, bfloat16 or float16; `what` says whose it is.
void check_float(const char* name, const char* what, Dtype dtype);

}  // namespace lazuli::cpu::packed
