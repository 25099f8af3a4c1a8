// Device functions: found by file and instance, compiled at first use, launched with C++ arguments.
#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include "backends/cuda/gpu.h"
#include "compiler/backend.h"

namespace lazuli::cuda {

// A function on the GPU. Lives to the end of the process.
class Function {
 public:
  explicit Function(CUfunction handle) : handle_(handle) {}
  CUfunction handle() const { return handle_; }
  // Needed once for each size that is beyond 48 KiB together with what the kernel declares itself.
  void allow_shared_bytes(unsigned bytes) const;
  // How much of a multiprocessor's memory should be shared memory rather than the first cache. A
  // multiprocessor changes it only while it is idle, so neighbours that agree overlap better.
  void prefer_shared_percent(int percent) const;
  // How many blocks of so many threads one multiprocessor runs at a time.
  int blocks_per_multiprocessor(int threads, unsigned shared_bytes) const;

 private:
  CUfunction handle_;
  mutable std::atomic<unsigned> shared_allowed_{32 << 10};
};

// Compiles (or finds in the disk cache) and loads; `source` and `instance` as in nvrtc.h.
Function* load_function(const std::string& source, const std::string& instance);

// An instance of a kernel template in kernels/<file>, such as ("reduce.cu", "reduce<float, Sum>").
// Found in a table once it has been loaded.
const Function& fixed_function(const char* file, const std::string& instance);

// `sizes` are the bytes of each argument.
void launch_raw(int stream, const Function& function, const LaunchShape& shape,
                void* const* arguments, std::span<const uint32_t> sizes);

// Arguments are passed by value with the types that the kernel declares: pointers, integers,
// floats and plain structs. The launch is asynchronous.
template <class... Arguments>
void launch(int stream, const Function& function, const LaunchShape& shape,
            const Arguments&... arguments) {
  static_assert((std::is_trivially_copyable_v<Arguments> && ...));
  void* places[] = {const_cast<void*>(static_cast<const void*>(&arguments))..., nullptr};
  constexpr uint32_t sizes[] = {sizeof(Arguments)..., 0};
  launch_raw(stream, function, shape, places, {sizes, sizeof...(Arguments)});
}

// Gives `change(shape, arguments...)` the stream's last launch, if that is of this function, which
// takes such arguments, and still kept back: all may be changed. Returns what `change` does, or
// false.
template <class... Arguments, class Change>
bool extend_last(int stream, const Function& function, Change change) {
  return queue_of(stream).extend_last(function.handle(), [&](LaunchShape& shape, auto argument_at) {
    return [&]<size_t... K>(std::index_sequence<K...>) {
      return change(shape, *static_cast<Arguments*>(argument_at(K))...);
    }(std::index_sequence_for<Arguments...>{});
  });
}

// Puts another launch in the place of the stream's last one, if that is of `last` and still kept
// back.
bool replace_last(int stream, const Function& last, const Function& function,
                  const LaunchShape& shape, void* const* arguments,
                  std::span<const uint32_t> sizes);

// Where an operand's first element lies on the GPU.
template <class T = void>
T* device_data(const Layout& layout) {
  return reinterpret_cast<T*>(static_cast<char*>(layout.buffer->device) + layout.offset);
}
template <class T = void>
T* device_data(const Operand& operand) {
  return device_data<T>(*operand.layout);
}

// Whether no work that may still run writes the operand: a kernel may read it before it waits for
// earlier ones (device/overlap.cuh).
bool is_settled(const Operand& operand);

// The name of a dtype's element type in device code (device/types.cuh).
const char* device_type(Dtype::Val dtype);

// Device memory for the length of one call; work submitted later on the same stream may use it
// again. 256-byte aligned.
class Scratch {
 public:
  Scratch(int stream, size_t bytes);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  template <class T = void>
  T* data() const {
    return static_cast<T*>(buffer_->device);
  }
  Buffer* buffer() const { return buffer_; }

 private:
  Buffer* buffer_;
};

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace lazuli::cuda
