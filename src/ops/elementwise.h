// The generic entries of elementwise ops, and their gradients read off the tables.
#pragma once

#include "lazuli/array.h"
#include "ops/table/op.h"

namespace lazuli {

array unary(Op op, const array& x, StreamOrDevice s);
array binary(Op op, const array& x, const array& y, StreamOrDevice s);

// dL/dx of y = op(x) for g = dL/dy.
array unary_gradient(Op op, const array& x, const array& y, const array& g);

// dL/dx (which = 0) or dL/dy (which = 1) of z = op(x, y) for g = dL/dz, before summing over
// broadcast axes.
array binary_gradient(Op op, int which, const array& x, const array& y, const array& z,
                      const array& g);

}  // namespace lazuli
