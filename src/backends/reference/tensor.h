// Values of the reference backend: dense, in the widest type of their kind.
#pragma once

#include <complex>
#include <cstdint>
#include <vector>

#include "core/layout.h"
#include "lazuli/dtype.h"
#include "lazuli/small_vector.h"

namespace lazuli::reference {

using Complex = std::complex<double>;

// Integers and booleans lie in `whole` (uint64 by its bits), floats in `real`, complex in
// `complex`.
struct Tensor {
  Shape shape;
  Dtype dtype = float32;
  std::vector<int64_t> whole;
  std::vector<double> real;
  std::vector<Complex> complex;

  Tensor() = default;
  Tensor(Shape extents, Dtype type) : shape(std::move(extents)), dtype(type) {
    size_t count = static_cast<size_t>(element_count(shape));
    if (is_complex()) complex.resize(count);
    else if (is_real()) real.resize(count);
    else whole.resize(count);
  }
  bool is_complex() const { return dtype == complex64; }
  bool is_real() const { return issubdtype(dtype, floating); }
  int64_t size() const { return element_count(shape); }
};

// Calls `f` with the vector that holds the values.
template <class T, class F>
decltype(auto) with_values(T& tensor, F&& f) {
  if (tensor.is_complex()) return f(tensor.complex);
  if (tensor.is_real()) return f(tensor.real);
  return f(tensor.whole);
}

// A multi-index that counts through a shape in row-major order.
class Counter {
 public:
  explicit Counter(const Shape& shape) : shape_(shape), index_(shape.size(), 0) {}
  const Shape& operator*() const { return index_; }
  void next() {
    for (size_t d = shape_.size(); d-- > 0;) {
      if (++index_[d] < shape_[d]) return;
      index_[d] = 0;
    }
  }

 private:
  const Shape& shape_;
  Shape index_;
};

inline int64_t offset_of(const Shape& index, const Strides& strides) {
  int64_t offset = 0;
  for (size_t d = 0; d < index.size(); ++d) offset += index[d] * strides[d];
  return offset;
}

}  // namespace lazuli::reference
