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
  bool constant = false;  // a constant's value, which lies on the host whatever the device

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
  int stream;
  const Node* node;  // op and parameters
  std::span<const Operand> inputs;
  Operand output;
};

// Where the values of a fused step lie. `value` has an entry for each FusedValue that is an
// operand or an output; constants are read from their nodes.
struct FusedBinding {
  int stream;
  const Graph* graph;
  std::span<const Layout* const> value;
};

// A device's memory and what runs on it. Buffers that a step reads are current on the device before
// it is submitted; the runtime sees to that.
//
// A device of its own (not the host) only queues what it is given: the work of a stream runs in the
// order of its submission. A ticket stands for all work of a stream up to a point. Functions that
// submit or wait report, as DeviceError, what has gone wrong on the device meanwhile.
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
  // The stream that copies so many bytes for work of `stream`: that one, or one of the backend's
  // own, which waits for nothing else.
  virtual int upload_stream(int stream, size_t) const { return stream; }
  // Copies, for work that the stream is given later. The host's bytes may be changed afterwards.
  virtual void upload(void* device, const void* host, size_t bytes, int stream) = 0;
  // Returns when the bytes, written by `work`, have arrived.
  virtual void download(void* host, const void* device, size_t bytes, Work work) = 0;

  // The ticket of work that the stream is given now, and its end: the next work has a new one.
  virtual uint64_t open_ticket(int) const { return 0; }
  virtual void seal(int) {}
  virtual bool is_done(Work) { return true; }
  virtual void wait_on_host(Work) {}
  // Work that `stream` is given later starts when `work`, of another stream, has ended.
  virtual void wait_on_stream(int, Work) {}

  // Of other libraries on the device, which know streams by handles: 0 is the default one there.
  virtual int dlpack_type() const { return 1; }
  virtual uintptr_t native_stream(int) { return 0; }
  // Work that the native stream is given later starts when `work` has ended, and the other way
  // round.
  virtual void order_native_after(uintptr_t, Work) {}
  virtual void wait_on_native(int, uintptr_t) {}
  // Returns when `work` has ended. Whoever waits next is told what has gone wrong.
  virtual void settle(Work) noexcept {}

  // Seconds that the stream's work between the two calls takes. The second one waits for it.
  virtual void start_timing(int stream);
  virtual double stop_timing(int stream);

  // The most that the device moves and computes in a second; 0 where that is not known.
  struct Peak {
    double bytes = 0, flops = 0;
  };
  // Of products of matrices of a dtype, or of other work.
  virtual Peak peak(bool, Dtype::Val) { return {}; }

  // A range of the calling thread's work, for a profiler that is attached.
  virtual void push_range(const std::string&) {}
  virtual void pop_range() {}

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

// The backend that runs a stream's steps. Defined by the runtime's registry, as the next one.
Backend& backend_of(int stream);

// A buffer over memory on the backend's device that somebody else owns; `deleter(memory)` runs when
// the last user is gone. What `stream` has been given so far makes the value.
Buffer* wrap_device_buffer(void* memory, size_t bytes, Backend& backend, int stream,
                           std::function<void(void*)> deleter);

// A fresh buffer on the backend's device alone, for work that the stream is given from now on; its
// contents are undefined. It stays where it is until `end_use`. MemoryError when there is no more.
Buffer* allocate_buffer(size_t bytes, Backend& backend, int stream);

}  // namespace lazuli
