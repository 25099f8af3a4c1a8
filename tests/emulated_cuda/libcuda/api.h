// The functions that the emulated libcuda.so.1 exports: those that the CUDA backend asks for.
#pragma once

#include <functional>
#include <mutex>
#include <set>

#include "backends/cuda/driver.h"
#include "emulated_cuda/libcuda/errors.h"
#include "emulated_cuda/libcuda/stream.h"

namespace emulated {

using namespace lazuli::cuda;

#define DRIVER(name, symbol, parameters) \
  extern "C" __attribute__((visibility("default"))) CUresult symbol parameters;
#include "backends/cuda/driver_api.def"
#undef DRIVER

// Objects that callers hold handles of. What is not among them is an invalid handle.
template <class T>
class Handles {
 public:
  T* add(T* made) {
    std::lock_guard lock(mutex_);
    known_.insert(made);
    return made;
  }
  T* find(const void* handle) const {
    std::lock_guard lock(mutex_);
    auto found = known_.find(static_cast<T*>(const_cast<void*>(handle)));
    return found == known_.end() ? nullptr : *found;
  }
  void remove(T* known) {
    std::lock_guard lock(mutex_);
    known_.erase(known);
  }
  void each(const std::function<void(T&)>& act) const {
    std::set<T*> copy;
    {
      std::lock_guard lock(mutex_);
      copy = known_;
    }
    for (T* known : copy) act(*known);
  }

 private:
  mutable std::mutex mutex_;
  std::set<T*> known_;
};

// 0, or why no call but a few is possible: no cuInit, no current context, a failed kernel.
CUresult refusal();
#define EMULATED_ENTER() \
  if (CUresult refused = refusal()) return refused

// nullptr if the handle is invalid; the null handle is the default stream.
Stream* stream_of(CUstream handle);
void synchronize_streams();

// What a launch does, with copies of its arguments; an error if it is not possible.
CUresult prepare(const CUlaunchConfig& config, CUfunction function, void** parameters,
                 std::function<int()>& run);

}  // namespace emulated
