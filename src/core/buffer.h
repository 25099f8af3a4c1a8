// A buffer: one reference-counted value in memory, with a copy on the host, on a device, or both.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace lazuli {

class Backend;

// All work of a stream up to a ticket; of the zero value, no work. Packed, so that it is read and
// written at once.
class Work {
 public:
  Work() = default;
  Work(int stream, uint64_t ticket)
      : packed_(static_cast<uint64_t>(stream + 1) << ticket_bits | ticket) {}
  // Of streams that are not told apart any more: all that they have been given so far.
  static Work of_many() {
    Work work;
    work.packed_ = ~uint64_t{0};
    return work;
  }
  bool is_none() const { return packed_ == 0; }
  bool is_of_many() const { return packed_ == ~uint64_t{0}; }
  int stream() const { return static_cast<int>(packed_ >> ticket_bits) - 1; }
  uint64_t ticket() const { return packed_ & ((uint64_t{1} << ticket_bits) - 1); }
  bool is_of(int stream) const { return this->stream() == stream; }

 private:
  static constexpr int ticket_bits = 48;
  uint64_t packed_ = 0;
};

struct Buffer {
  // Which copies hold the value. Steps, exports and host access change it through the functions
  // below and those of runtime/residency.h.
  static constexpr uint8_t on_host = 1, on_device = 2;

  std::atomic<int32_t> references{1};
  // Live exports (buffer protocol, DLPack) and mappings: while there is one, no one takes it over.
  std::atomic<int32_t> pins{0};
  // Likewise of the device's block, and 1 for a device's memory that somebody else owns: others may
  // write there at any time, so that no copy on the host outlives its use.
  std::atomic<int32_t> device_pins{0};
  std::atomic<uint8_t> current{on_host};
  bool read_only = false;  // a mapping of a file, or memory somebody else owns
  void* host = nullptr;
  size_t bytes = 0;  // asked for
  size_t capacity = 0;  // of the host's block; 0: none, or memory somebody else owns
  void* device = nullptr;
  size_t device_capacity = 0;  // of the device's block; 0: none, or memory somebody else owns
  Backend* place = nullptr;  // whose memory `device` is
  // Work on the device that may not have ended: the last that writes the device's copy, and what
  // has read it since.
  std::atomic<Work> written{}, read{};
  // Steps that are being submitted, and exports of the device's copy: it must not be moved away.
  std::atomic<int32_t> busy{0};
  std::atomic<uint64_t> touched{0};  // when a step last asked for it: larger is later
  Buffer *previous = nullptr, *next = nullptr;  // among those with a copy on a device
  std::function<void(void*)> deleter;  // of memory somebody else owns

  explicit Buffer(size_t asked) : bytes(asked) {}
};

// A fresh buffer of at least `bytes` bytes on the host, 64-byte aligned, contents undefined.
// MemoryError when the budget or the system has no more. Defined by the runtime, as the others.
Buffer* allocate_buffer(size_t bytes);

// A buffer over memory the caller owns; `deleter(memory)` runs when the last user is gone.
Buffer* wrap_buffer(void* memory, size_t bytes, std::function<void(void*)> deleter, bool read_only);

void free_buffer(Buffer* buffer) noexcept;

// Brings the value to the host; where the caller is going to write, its copy becomes the only one.
void fetch_to_host(Buffer* buffer, bool for_writing);

// The host's block becomes the only copy and stays the one that counts until `pins` is taken back.
// False if the device's block is.
bool pin_on_host(Buffer* buffer);

// A fresh buffer on the host with the value as it is now.
Buffer* copy_on_host(Buffer* buffer);

inline void retain(Buffer* buffer) noexcept {
  buffer->references.fetch_add(1, std::memory_order_relaxed);
}
inline void release(Buffer* buffer) noexcept {
  if (buffer->references.fetch_sub(1, std::memory_order_acq_rel) == 1) free_buffer(buffer);
}

}  // namespace lazuli
