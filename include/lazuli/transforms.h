// Transformations of functions of arrays: derivatives, vectorisation, tracing once.
//
// A function is transformed by calling it on arguments whose operations are followed. Functions
// take and return vectors of arrays, or a single array. Derivatives exist for floating inputs;
// integer inputs have zero derivatives.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "lazuli/array.h"

namespace lazuli {

using Function = std::function<std::vector<array>(const std::vector<array>&)>;
using ScalarFunction = std::function<array(const array&)>;

// Outputs and vector-Jacobian products: one for each primal, of its shape.
// ArgumentError unless there is a cotangent of the right shape for each output.
std::pair<std::vector<array>, std::vector<array>> vjp(const Function& fun,
                                                      const std::vector<array>& primals,
                                                      const std::vector<array>& cotangents);
std::pair<array, array> vjp(const ScalarFunction& fun, const array& primal, const array& cotangent);

// Outputs and Jacobian-vector products: one for each output, of its shape.
std::pair<std::vector<array>, std::vector<array>> jvp(const Function& fun,
                                                      const std::vector<array>& primals,
                                                      const std::vector<array>& tangents);
std::pair<array, array> jvp(const ScalarFunction& fun, const array& primal, const array& tangent);

// The outputs, the first of which is a scalar, and its gradients for the arguments named.
using ValueAndGradFunction =
    std::function<std::pair<std::vector<array>, std::vector<array>>(const std::vector<array>&)>;
ValueAndGradFunction value_and_grad(const Function& fun, const std::vector<int>& argnums);
inline ValueAndGradFunction value_and_grad(const Function& fun, int argnum = 0) {
  return value_and_grad(fun, std::vector<int>{argnum});
}
std::function<std::pair<array, array>(const array&)> value_and_grad(const ScalarFunction& fun);

Function grad(const std::function<array(const std::vector<array>&)>& fun,
              const std::vector<int>& argnums);
Function grad(const std::function<array(const std::vector<array>&)>& fun, int argnum = 0);
ScalarFunction grad(const ScalarFunction& fun);

// The function applied to each slice along the axes given, stacked along the output axes. Axis -1
// means: the same for all slices.
Function vmap(const Function& fun, const std::vector<int>& in_axes = {},
              const std::vector<int>& out_axes = {});
ScalarFunction vmap(const ScalarFunction& fun, int in_axis = 0, int out_axis = 0);

// Computes the inside again when gradients are taken, instead of keeping it.
Function checkpoint(Function fun);

// The function with its own rule for vector-Jacobian products: fun_vjp(primals, cotangents,
// outputs).
using VjpRule = std::function<std::vector<array>(
    const std::vector<array>&, const std::vector<array>&, const std::vector<array>&)>;
Function custom_vjp(Function fun, VjpRule fun_vjp);

// The function with rules of its own; what has none goes through the function itself.
// fun_jvp(primals, tangents, argnums): the tangents of the outputs, from those of the primals that
// `argnums` names. fun_vmap(inputs, axes): the outputs for all slices and their axes; an axis of -1
// stands for the same in all slices.
using JvpRule = std::function<std::vector<array>(
    const std::vector<array>&, const std::vector<array>&, const std::vector<int>&)>;
using VmapRule = std::function<std::pair<std::vector<array>, std::vector<int>>(
    const std::vector<array>&, const std::vector<int>&)>;
Function custom_function(Function fun, VjpRule fun_vjp = {}, JvpRule fun_jvp = {},
                         VmapRule fun_vmap = {});

// Runs `fun` once for each combination of shapes and dtypes, and later repeats what it recorded.
// Fusion does not need it: every graph is fused.
//
// With `shapeless`, one trace serves all shapes of a rank if the shapes of its results follow from
// those of its arguments: elementwise ops, sums and other reductions, matmul, transposes. What
// names a shape (reshape, slices), and what makes a value of one (mean), is traced for each shape.
// A function that reads a shape itself must say so with note_shape_use.
Function compile(Function fun, bool shapeless = false);
ScalarFunction compile(ScalarFunction fun, bool shapeless = false);
// Said by a function that is being traced: what it does depends on the shape of an array.
void note_shape_use();
uint64_t shape_uses();  // how often that was said on this thread
void disable_compile();
void enable_compile();

}  // namespace lazuli
