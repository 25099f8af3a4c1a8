// Arrays on the emulated GPU and programs for it, through the backend's own functions.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "backends/cuda/kernel.h"
#include "backends/cuda/programs/nvrtc.h"

namespace lazuli::cuda {

inline CUstream stream_handle(int stream) { return queue_of(stream).stream(); }
inline void wait_for_stream(int stream) { LAZULI_CUDA(cuStreamSynchronize, stream_handle(stream)); }

// Elements in device memory; copies go through a stream in order.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t count) : count_(count) {
    gpu();
    LAZULI_CUDA(cuMemAlloc, &address_, count * sizeof(T));
  }
  explicit DeviceArray(const std::vector<T>& values, int stream = 0) : DeviceArray(values.size()) {
    LAZULI_CUDA(cuMemcpyHtoDAsync, address_, values.data(), count_ * sizeof(T),
                stream_handle(stream));
  }
  ~DeviceArray() { driver().cuMemFree(address_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return reinterpret_cast<T*>(address_); }
  std::vector<T> values(int stream = 0) const {
    std::vector<T> found(count_);
    LAZULI_CUDA(cuMemcpyDtoHAsync, found.data(), address_, count_ * sizeof(T),
                stream_handle(stream));
    wait_for_stream(stream);
    return found;
  }

 private:
  CUdeviceptr address_ = 0;
  size_t count_;
};

// Compiled anew, without the disk cache; lives to the end of the process, as all functions do.
inline const Function& compiled(const std::string& source, const std::string& instance) {
  CompiledProgram program = compile_program(source, instance, gpu().architecture);
  CUmodule module = nullptr;
  CUfunction function = nullptr;
  LAZULI_CUDA(cuModuleLoadData, &module, program.image.data());
  LAZULI_CUDA(cuModuleGetFunction, &function, module, program.function.c_str());
  static std::vector<std::unique_ptr<Function>> functions;
  functions.push_back(std::make_unique<Function>(function));
  return *functions.back();
}

// The threads of one block, each of which writes one element.
template <class T, class... Arguments>
std::vector<T> run_block(const Function& function, unsigned threads,
                         const Arguments&... arguments) {
  DeviceArray<T> result(threads);
  launch(0, function, LaunchShape{{1, 1, 1}, {threads, 1, 1}, 0}, result.data(), arguments...);
  return result.values();
}

}  // namespace lazuli::cuda
