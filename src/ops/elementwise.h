// The generic entries of elementwise ops, and their gradients read off the tables.
#pragma once

#include "lazuli/array.h"
#include "ops/table/op.h"

namespace lazuli {

array unary(Op op, const array& x, StreamOrDevice s);
array binary(Op op, const array& x, const array& y, StreamOrDevice s);

// dL/dx of y = op(x) for g = dL/dy, and dy for t = dx. A gradient of something complex is, as MLX
// has it, the conjugate of the derivative: what a step against it makes smaller.
array unary_vjp(Op op, const array& x, const array& y, const array& g);
array unary_jvp(Op op, const array& x, const array& y, const array& t);

// dL/dx (which = 0) or dL/dy (which = 1) of z = op(x, y) for g = dL/dz, before summing over
// broadcast axes; and dz for t = dx or dy.
array binary_vjp(Op op, int which, const array& x, const array& y, const array& z, const array& g);
array binary_jvp(Op op, int which, const array& x, const array& y, const array& z, const array& t);

}  // namespace lazuli
