// The instances of a kernel by number, so that a launch puts no names together.
#pragma once

#include <array>
#include <atomic>
#include <string>

#include "backends/cuda/kernel.h"

namespace lazuli::cuda {

template <size_t Count>
class Instances {
 public:
  // `name()` makes the instance's name where it has not been loaded yet.
  template <class Name>
  const Function& get(size_t index, const char* file, Name name) {
    const Function* function = slots_[index].load(std::memory_order_acquire);
    if (!function) {
      function = &fixed_function(file, name());
      slots_[index].store(function, std::memory_order_release);
    }
    return *function;
  }

 private:
  std::array<std::atomic<const Function*>, Count> slots_{};
};

// Enough for every dtype.
constexpr size_t dtype_slots = 16;
inline size_t slot_of(Dtype::Val dtype) { return static_cast<size_t>(dtype); }

}  // namespace lazuli::cuda
