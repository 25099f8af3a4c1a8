// Linear algebra.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lazuli/array.h"
#include "lazuli/device.h"

namespace lazuli::linalg {

// Norms over one axis (of vectors), two (of matrices: rows', columns'), or all. Integers are
// computed in float32. ArgumentError: more axes, or a norm that is none of vectors or matrices;
// norms of matrices by singular values (order 2, -2, "nuc") are not there yet.
//
// The 2-norm of vectors, the Frobenius norm of matrices; without axes, of all elements.
array norm(const array& a, const std::optional<std::vector<int>>& axes = std::nullopt,
           bool keepdims = false, StreamOrDevice s = {});
// Vectors: (sum |x|^ord)^(1/ord), the largest (smallest) size for (minus) infinity, the number of
// elements that are not 0 for 0. Matrices: 1 and -1 for columns, plus and minus infinity for rows.
array norm(const array& a, double ord, const std::optional<std::vector<int>>& axes = std::nullopt,
           bool keepdims = false, StreamOrDevice s = {});
// "fro", of matrices.
array norm(const array& a, const std::string& ord,
           const std::optional<std::vector<int>>& axes = std::nullopt, bool keepdims = false,
           StreamOrDevice s = {});

// The vector product along an axis of 2 (the third element counts as 0) or 3 elements.
array cross(const array& a, const array& b, int axis = -1, StreamOrDevice s = {});

}  // namespace lazuli::linalg
