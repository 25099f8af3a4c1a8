// Instances of kernels that have been used: found by a number, not by name.
#pragma once

#include <array>
#include <atomic>
#include <string>

#include "backends/cuda/kernel.h"

namespace lazuli::cuda {

constexpr size_t dtype_count = 14;

template <size_t Count>
class FunctionTable {
 public:
  explicit FunctionTable(const char* file) : file_(file) {}
  // `name()` is the instance that belongs to the slot.
  template <class Name>
  const Function& at(size_t slot, Name name) {
    const Function* function = functions_[slot].load(std::memory_order_acquire);
    if (!function) {
      function = &fixed_function(file_, name());
      functions_[slot].store(function, std::memory_order_release);
    }
    return *function;
  }

 private:
  const char* file_;
  std::array<std::atomic<const Function*>, Count> functions_{};
};

// Zeroed words on the GPU by which the blocks of one launch find the last of them; kernels leave
// them zero. One set for each stream.
constexpr int counters_max = 4096;
uint32_t* counters_of(int stream);

}  // namespace lazuli::cuda
