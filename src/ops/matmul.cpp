// Matrix products.
#include "lazuli/ops.h"
#include "ops/record.h"

namespace lazuli {
namespace {

Dtype product_dtype(const char* op, const array& a, const array& b) {
  Dtype dtype = promote_types(a.dtype(), b.dtype());
  if (!issubdtype(dtype, inexact)) {
    throw ArgumentError("[" + std::string(op) + "] Only inexact dtypes are multiplied, not " +
                        describe(a) + " and " + describe(b) + ".");
  }
  return dtype;
}

}  // namespace

array matmul(const array& a, const array& b, StreamOrDevice s) {
  Stream stream = to_stream(s);
  if (a.ndim() == 0 || b.ndim() == 0) {
    throw ArgumentError("[matmul] Got 0 dimensions: " + describe(a) + " and " + describe(b) + ".");
  }
  Dtype dtype = product_dtype("matmul", a, b);
  array x = astype(a, dtype, stream), y = astype(b, dtype, stream);
  if (x.ndim() == 1) x = expand_dims(x, 0, stream);
  if (y.ndim() == 1) y = expand_dims(y, 1, stream);
  if (x.shape(-1) != y.shape(-2)) {
    throw ArgumentError("[matmul] The last axis of " + describe(a) +
                        " does not match the second to last of " + describe(b) + ".");
  }
  Shape lead = broadcast_shapes("matmul", Shape(x.shape().begin(), x.shape().end() - 2),
                                Shape(y.shape().begin(), y.shape().end() - 2));
  Shape shape = lead;
  shape.push_back(x.shape(-2));
  shape.push_back(y.shape(-1));
  array product = record(Op::matmul, dtype, shape, {&x, &y}, {}, stream);
  if (a.ndim() == 1 && b.ndim() == 1) return squeeze(product, std::vector<int>{-2, -1}, stream);
  if (a.ndim() == 1) return squeeze(product, -2, stream);
  return b.ndim() == 1 ? squeeze(product, -1, stream) : product;
}

array addmm(array c, array a, array b, float alpha, float beta, StreamOrDevice s) {
  Dtype dtype = promote_types(product_dtype("addmm", a, b), c.dtype());
  array product = astype(matmul(a, b, s), dtype, s);
  if (broadcast_shapes("addmm", c.shape(), product.shape()) != product.shape()) {
    throw ArgumentError("[addmm] " + describe(c) + " does not broadcast to the product " +
                        describe(product) + ".");
  }
  array scaled = alpha == 1.0f ? product : multiply(product, array(alpha, dtype), s);
  array added = astype(c, dtype, s);
  return add(scaled, beta == 1.0f ? added : multiply(added, array(beta, dtype), s), s);
}

array outer(const array& a, const array& b, StreamOrDevice s) {
  return multiply(reshape(a, {static_cast<int64_t>(a.size()), 1}, s), flatten(b, s), s);
}

array inner(const array& a, const array& b, StreamOrDevice s) {
  if (a.ndim() == 0 || b.ndim() == 0) return multiply(a, b, s);
  if (a.shape(-1) != b.shape(-1)) {
    throw ArgumentError("[inner] The last axes of " + describe(a) + " and " + describe(b) +
                        " differ.");
  }
  Shape shape(a.shape().begin(), a.shape().end() - 1);
  Shape others(b.shape().begin(), b.shape().end() - 1);
  array x = reshape(a, {element_count(shape), a.shape(-1)}, s);
  array y = reshape(b, {element_count(others), b.shape(-1)}, s);
  shape.reserve(shape.size() + b.ndim());
  for (int64_t extent : others) shape.push_back(extent);
  return reshape(matmul(x, transpose(y, s), s), shape, s);
}

}  // namespace lazuli
