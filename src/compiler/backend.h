// What the planner and the runtime ask of a backend.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "compiler/plan.h"
#include "core/layout.h"
#include "lazuli/device.h"

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

// Where the values of a fused step lie. `value` has an entry for each FusedValue that is an
// operand or an output; constants are read from their nodes.
struct FusedBinding {
  const Graph* graph;
  std::span<const Layout* const> value;
};

// A device's memory and what runs on it. Buffers that a step reads are current on the device before
// it is submitted; the runtime sees to that.
class Backend {
 public:
  virtual ~Backend() = default;

  const Device device;
  const bool shares_host_memory;  // its memory is the host's: nothing is ever copied

  virtual std::string name() const = 0;
  virtual std::string architecture() const = 0;
  virtual size_t memory_bytes() const = 0;

  // A block of exactly `bytes` bytes, 64-byte aligned; nullptr if there is none.
  virtual void* allocate(size_t bytes) = 0;
  virtual void free(void* block, size_t bytes) noexcept = 0;
  // Between the host's memory and the device's; returns when the bytes have arrived.
  virtual void upload(void* device, const void* host, size_t bytes) = 0;
  virtual void download(void* host, const void* device, size_t bytes) = 0;

  virtual bool has_kernel(Op op) const = 0;
  virtual void run_kernel(const KernelCall& call) = 0;

  virtual std::unique_ptr<CompiledStep> compile(const FusedStep& step) = 0;
  virtual void run_fused(const FusedStep& step, const CompiledStep& compiled,
                         const FusedBinding& binding) = 0;
  // Whether output value `out` may lie where operand `in` lies.
  virtual bool may_take_over(const CompiledStep& compiled, uint16_t in, uint16_t out) const = 0;

 protected:
  Backend(Device where, bool shares) : device(where), shares_host_memory(shares) {}
};

// One step computed again by the reference backend. Made before the step runs, because a step may
// write where it reads; copies what is read.
class StepCheck {
 public:
  virtual ~StepCheck() = default;
  // Empty if the values written agree with the reference, else what differs.
  virtual std::string difference(std::span<const Layout* const> writes) = 0;
};

// The backend that runs a stream's steps. Defined by the runtime's registry.
Backend& backend_of(int stream);

}  // namespace lazuli
