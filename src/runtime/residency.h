// Where values lie: a buffer has a block on the host, on a device, or on both, and knows which of
// them is current. A step finds what it reads current on its device; each version moves at most
// once in each direction, unless an export pins it. Work on devices is only queued, so a buffer
// also knows who writes and reads its block there; streams wait for each other on the device.
// When the device's memory is used up, what was not used for longest moves to the host.
#pragma once

#include "compiler/backend.h"
#include "core/buffer.h"

namespace lazuli {

void fetch_to_device(Buffer* buffer, Backend& backend, int stream);
// The slow part of the functions below, where several streams meet.
void order_read(Buffer* buffer, Backend& backend, int stream);
void order_write(Buffer* buffer, Backend& backend, int stream);

inline void end_use(Buffer* buffer, const Backend& backend) {
  if (!backend.shares_host_memory) buffer->busy.fetch_sub(1, std::memory_order_release);
}

// Makes the value current for a step that the stream is going to be given. On a device it stays
// there until `end_use`.
inline void make_current(Buffer* buffer, Backend& backend, int stream) {
  if (backend.shares_host_memory) {
    if (!(buffer->current.load(std::memory_order_acquire) & Buffer::on_host)) {
      fetch_to_host(buffer, false);
    }
    return;
  }
  // Counted first: whoever moves buffers away looks at the count last.
  buffer->busy.fetch_add(1, std::memory_order_seq_cst);
  try {
    fetch_to_device(buffer, backend, stream);
  } catch (...) {
    end_use(buffer, backend);
    throw;
  }
}

// A step writes the buffer, which lies on its device already: work of other streams ends first.
void prepare_write(Buffer* buffer, Backend& backend, int stream);

// A step of the stream has been given work that writes the buffer: the other copy is of the past.
inline void mark_written(Buffer* buffer, const Backend& backend, int stream) {
  uint8_t only = Buffer::on_host;
  if (!backend.shares_host_memory) {
    only = Buffer::on_device;
    buffer->written.store(Work(stream, backend.open_ticket(stream)), std::memory_order_release);
  }
  if (buffer->current.load(std::memory_order_relaxed) != only) {
    buffer->current.store(only, std::memory_order_release);
  }
}

// Shares the buffer's block on the backend's device with others, until `unpin_on_device`: it stays
// there, and is the copy that counts. False if the host's block is shared or somebody else's.
bool pin_on_device(Buffer* buffer, Backend& backend, int stream);
// What the native stream has been given so far may use the block, and counts as work of `stream`.
void unpin_on_device(Buffer* buffer, int stream, uintptr_t native) noexcept;
// A fresh buffer on the device with the value as it is now.
Buffer* copy_on_device(Buffer* buffer, Backend& backend, int stream);

// Returns when the work that makes the value has ended. DeviceError if it has failed.
void wait_until_written(const Buffer* buffer);
// Whether that would return at once.
bool is_written(const Buffer* buffer);

// Bytes of the buffer's block on the backend's device; 0 if it has none, or not of its own.
inline size_t capacity_on(const Buffer* buffer, const Backend& backend) {
  if (backend.shares_host_memory) return buffer->capacity;
  return buffer->place == &backend ? buffer->device_capacity : 0;
}

// Moves buffers that were not used for longest from the device to the host, until `bytes` bytes of
// its memory are free again or nothing can be moved. Returns how many bytes there are.
size_t move_away(Backend& backend, size_t bytes);

// Takes the buffer's block on its device out of the residency's books, to be given back.
void forget_device_copy(Buffer* buffer) noexcept;

struct ResidencyStatistics {
  uint64_t uploads = 0, downloads = 0, moved_away = 0, bytes_up = 0, bytes_down = 0;
};
ResidencyStatistics residency_statistics();

}  // namespace lazuli
