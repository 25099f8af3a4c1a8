// What the planner and the runtime ask of a backend.
#pragma once

#include <memory>
#include <span>

#include "compiler/plan.h"
#include "core/layout.h"

namespace lazuli {

// A value as a kernel sees it. `shape` has the strides of `layout`.
struct Operand {
  const Layout* layout;
  const Shape* shape;
  Dtype::Val dtype;

  char* data() const { return layout->data(); }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(layout->data());
  }
  int64_t size() const { return element_count(*shape); }
  int64_t extent(int axis) const {
    return (*shape)[axis < 0 ? shape->size() + axis : static_cast<size_t>(axis)];
  }
};

// The dtype with this value.
Dtype dtype_of(Dtype::Val value);

// One kernel call. The output is allocated and dense; kernels of updating ops find it filled with
// the values of input 0 (or are given input 0's own buffer, when nobody else needs it).
struct KernelCall {
  const Node* node;  // op and parameters
  std::span<const Operand> inputs;
  Operand output;
};
using Kernel = void (*)(const KernelCall&);

// Where the values of a fused step lie. `value` has an entry for each FusedValue that is an
// operand or an output; constants are read from their nodes.
struct FusedBinding {
  const Graph* graph;
  std::span<const Layout* const> value;
};

std::unique_ptr<CompiledStep> compile_fused(const FusedStep& step);
void run_fused(const FusedStep& step, const CompiledStep& compiled, const FusedBinding& binding);

// Whether output value `out` may lie where operand `in` lies.
bool may_take_over(const CompiledStep& compiled, uint16_t in, uint16_t out);

// The kernel of an op, or nullptr if the op has none.
Kernel find_kernel(Op op);

}  // namespace lazuli
