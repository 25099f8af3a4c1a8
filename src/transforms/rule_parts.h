// Parts of rules that go both ways.
#pragma once

#include "transforms/trace.h"

namespace lazuli {

// The complex conjugate; real arrays as they are.
array conjugated(const array& x, const Stream& s);

// Where an operand is what a maximum or minimum of it holds; NaN is NaN.
array held_by(const array& result, const array& x, const Stream& s);

// The product of all elements of each row but one, for every one: no division, so zeros are safe.
array products_of_others(const array& x, const std::vector<int>& axes, const Stream& s);

// Which operands of a scatter of maxima or minima its result holds, as ones and zeros, and how many
// share each element of it.
struct ScatterShares {
  array base, updates, count;
};
ScatterShares scatter_shares(const Node* node, const std::vector<array>& in, const array& out,
                             const Stream& s);

// The indices, axes and slice sizes of a scatter.
std::vector<array> scatter_indices(const std::vector<array>& in);
std::vector<int> scatter_axes(const Node* node);
Shape scatter_sizes(const std::vector<array>& in);

}  // namespace lazuli
