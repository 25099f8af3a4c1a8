// Where values lie: a buffer has a block on the host, on a device, or on both, and knows which of
// them is current. A step finds what it reads current on its device; each version moves at most
// once in each direction, unless an export pins it.
#pragma once

#include "compiler/backend.h"
#include "core/buffer.h"

namespace lazuli {

// A fresh buffer on the backend's device alone.
Buffer* allocate_buffer(size_t bytes, Backend& backend);

void fetch_to_device(Buffer* buffer, Backend& backend);

inline void make_current(Buffer* buffer, Backend& backend) {
  if (!backend.shares_host_memory) return fetch_to_device(buffer, backend);
  if (!(buffer->current.load(std::memory_order_acquire) & Buffer::on_host)) {
    fetch_to_host(buffer, false);
  }
}

// A step on the backend has written the buffer: the other copy is of the past.
inline void mark_written(Buffer* buffer, const Backend& backend) {
  uint8_t only = backend.shares_host_memory ? Buffer::on_host : Buffer::on_device;
  if (buffer->current.load(std::memory_order_relaxed) != only) {
    buffer->current.store(only, std::memory_order_release);
  }
}

// Bytes of the buffer's block on the backend's device; 0 if it has none, or not of its own.
inline size_t capacity_on(const Buffer* buffer, const Backend& backend) {
  if (backend.shares_host_memory) return buffer->capacity;
  return buffer->place == &backend ? buffer->device_capacity : 0;
}

struct ResidencyStatistics {
  uint64_t uploads = 0, downloads = 0, bytes_up = 0, bytes_down = 0;
};
ResidencyStatistics residency_statistics();

}  // namespace lazuli
