// Derivatives of cumulative sums, products, maxima and minima.
#pragma once

#include "transforms/trace.h"

namespace lazuli {

// As vjp_of and jvp_of, of a node of the op `cumulative`.
array cumulative_vjp(const Node* node, const array& x, const array& g, const Stream& s);
array cumulative_jvp(const Node* node, const array& x, const array& t, const Stream& s);

}  // namespace lazuli
