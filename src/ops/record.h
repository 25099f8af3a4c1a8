// What every op family shares: recording a node, and the checks and shape rules before it.
#pragma once

#include <string>
#include <vector>

#include "core/node.h"
#include "lazuli/array.h"
#include "ops/table/op.h"

namespace lazuli {

// ArgumentError where a shape is negative or has more elements or bytes than can be counted.
array record(Op op, Dtype dtype, Shape shape, std::initializer_list<const array*> inputs,
             Params params, const Stream& stream);
array record(Op op, Dtype dtype, Shape shape, const std::vector<array>& inputs, Params params,
             const Stream& stream);

// "float32[2,3]", for error messages.
std::string describe(const array& a);
std::string describe(const Shape& shape);

// A half as its dtype holds it: what a fused step computes has more digits until it is stored. For
// whatever shows them: comparisons, casts, rounding to whole numbers.
array as_stored(const array& a, const Stream& stream);
bool is_unrounded(const array& a);
inline bool is_half(Dtype dtype) { return dtype == float16 || dtype == bfloat16; }

// Sums and products of small integers are computed and returned in 32 bits.
inline Dtype accumulated_dtype(Dtype dtype) {
  if (dtype.size() >= 4 || issubdtype(dtype, inexact)) return dtype;
  return issubdtype(dtype, unsignedinteger) ? uint32 : int32;
}

// Of extents; ArgumentError where 64 bits do not hold the result.
int64_t checked_sum(const char* op, int64_t a, int64_t b);
int64_t checked_product(const char* op, int64_t a, int64_t b);

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
