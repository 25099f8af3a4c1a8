// Ops above the primitives that a backend may have a kernel for.
//
// Such an op is recorded as one node where there is a kernel and as its composition elsewhere. The
// rules of the transforms go through the composition in either case.
#pragma once

#include <vector>

#include "core/node.h"
#include "lazuli/array.h"
#include "ops/table/op.h"

namespace lazuli {

// What the node computes, of the given inputs, in other ops.
using Composition = array (*)(const Node* node, const std::vector<array>& inputs, const Stream& s);

// The composition of an op; nullptr for primitives.
Composition composition_of(Op op);

array compose_rope(const Node* node, const std::vector<array>& inputs, const Stream& s);
array compose_attention(const Node* node, const std::vector<array>& inputs, const Stream& s);
array compose_affine_dequantize(const Node* node, const std::vector<array>& inputs,
                                const Stream& s);
array compose_quantized_matmul(const Node* node, const std::vector<array>& inputs, const Stream& s);

// Whether the op is recorded as a node for a result of this dtype: the backend has a kernel,
// kernels compute it in float32, and the flag `composed` is not set.
bool records_kernel(Op op, Dtype dtype, const Stream& stream);

}  // namespace lazuli
