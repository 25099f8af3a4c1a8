// What every op family shares: recording a node, and the checks and shape rules before it.
#pragma once

#include <string>
#include <vector>

#include "core/node.h"
#include "lazuli/array.h"
#include "ops/table/op.h"

namespace lazuli {

array record(Op op, Dtype dtype, Shape shape, std::initializer_list<const array*> inputs,
             Params params, const Stream& stream);
array record(Op op, Dtype dtype, Shape shape, const std::vector<array>& inputs, Params params,
             const Stream& stream);

// "float32[2,3]", for error messages.
std::string describe(const array& a);
std::string describe(const Shape& shape);

// An axis in [0, ndim); IndexError that names the op.
int normalize_axis(const char* op, int axis, size_t ndim);
// Sorted, without repeats (ArgumentError).
std::vector<int> normalize_axes(const char* op, const std::vector<int>& axes, size_t ndim);
std::vector<int> all_axes(const array& a);

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);

// The dtype inexact ops compute integers in.
inline Dtype at_least_float(Dtype dtype) { return issubdtype(dtype, inexact) ? dtype : float32; }

// A 0-d constant in the dtype of `like`.
array scalar_like(const array& like, double value);

// Sums `a` down to `shape`, to which it was broadcast from.
array sum_to(const array& a, const Shape& shape, const Stream& stream);

}  // namespace lazuli
