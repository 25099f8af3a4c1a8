#include "ops/compositions.h"

#include "base/flags.h"
#include "lazuli/ops.h"
#include "ops/table/params.h"

namespace lazuli {

Composition composition_of(Op op) {
  switch (op) {
    case Op::rope: return compose_rope;
    case Op::attention: return compose_attention;
    case Op::affine_dequantize: return compose_affine_dequantize;
    case Op::quantized_matmul: return compose_quantized_matmul;
    default: return nullptr;
  }
}

array compose_affine_dequantize(const Node* node, const std::vector<array>& inputs,
                                const Stream& s) {
  auto [group, bits] = params<AffineDequantizeParams>(node);
  const array& scales = inputs[1];
  array levels = dequantize(stop_gradient(inputs[0], s), ones_like(scales, s),
                            zeros_like(scales, s), group, bits, "affine", s);
  Shape grouped = scales.shape();
  grouped.push_back(group);
  array product = multiply(reshape(levels, grouped, s), expand_dims(scales, -1, s), s);
  return reshape(add(product, expand_dims(inputs[2], -1, s), s), levels.shape(), s);
}

array compose_quantized_matmul(const Node* node, const std::vector<array>& inputs,
                               const Stream& s) {
  auto [group, bits, transpose] = params<QuantizedMatmulParams>(node);
  array matrix = dequantize(inputs[1], inputs[2], inputs[3], group, bits, "affine", s);
  return matmul(inputs[0], transpose ? swapaxes(matrix, -1, -2, s) : matrix, s);
}

bool records_kernel(Op op, Dtype dtype, const Stream& stream) {
  bool narrow = dtype == float32 || dtype == bfloat16 || dtype == float16;
  return narrow && !flags().composed && backend_has_kernel(op, stream.index);
}

}  // namespace lazuli
