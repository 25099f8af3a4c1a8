#include "backends/reference/tensor.h"

#include <cstring>

#include "backends/reference/interpreter.h"
#include "core/visit.h"
#include "ops/table/op.h"
#include "ops/table/params.h"

namespace lazuli::reference {
namespace {

void store(Tensor& out, size_t i, const char* element) {
  visit(out.dtype, [&]<class T>() {
    T v;
    std::memcpy(&v, element, sizeof v);
    if constexpr (std::is_same_v<T, complex64_t>) out.complex[i] = Complex(v.real(), v.imag());
    else if constexpr (std::is_integral_v<T>) out.whole[i] = static_cast<int64_t>(v);
    else if constexpr (std::is_same_v<T, double>) out.real[i] = v;
    else out.real[i] = static_cast<float>(v);
  });
}

}  // namespace

Tensor tensor_of(const Node* node, const Layout& layout) {
  Tensor out(node->shape, node->type());
  if (node->op == Op::constant) {
    uint64_t bits = params<ConstantParams>(node).bits;
    store(out, 0, reinterpret_cast<const char*>(&bits));
    return out;
  }
  fetch_to_host(layout.buffer, false);
  Strides strides = layout.dense ? dense_strides(node->shape) : layout.strides;
  Counter at(out.shape);
  for (size_t i = 0; i < static_cast<size_t>(out.size()); ++i, at.next()) {
    store(out, i, layout.data() + offset_of(*at, strides) * node->type().size());
  }
  return out;
}

}  // namespace lazuli::reference
