#include "backends/cuda/kernels/function_table.h"

namespace lazuli::cuda {

uint32_t* counters_of(int stream) {
  static std::array<std::atomic<uint32_t*>, streams_max> table{};
  std::atomic<uint32_t*>& place = table[static_cast<size_t>(stream)];
  uint32_t* counters = place.load(std::memory_order_acquire);
  if (counters) return counters;
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  counters = place.load(std::memory_order_acquire);
  if (counters) return counters;
  CUdeviceptr address = 0;
  constexpr size_t bytes = counters_max * sizeof(uint32_t);
  LAZULI_CUDA(cuMemAlloc, &address, bytes);
  LAZULI_CUDA(cuMemsetD8Async, address, 0, bytes, queue_of(stream).stream());
  counters = reinterpret_cast<uint32_t*>(address);
  place.store(counters, std::memory_order_release);
  return counters;
}

}  // namespace lazuli::cuda
