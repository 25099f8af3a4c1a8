// A buffer: one reference-counted block of memory with a home on the host.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace lazuli {

struct Buffer {
  std::atomic<int32_t> references{1};
  // Live exports (buffer protocol, DLPack) and mappings: while there is one, no one takes it over.
  std::atomic<int32_t> pins{0};
  bool read_only = false;  // a mapping of a file, or memory somebody else owns
  void* host = nullptr;
  size_t bytes = 0;     // asked for
  size_t capacity = 0;  // given
  std::function<void(void*)> deleter;  // of memory somebody else owns

  Buffer(void* memory, size_t asked, size_t given) : host(memory), bytes(asked), capacity(given) {}
};

// A fresh buffer of at least `bytes` bytes, 64-byte aligned, contents undefined. MemoryError when
// the budget or the system has no more. Defined by the runtime's allocator.
Buffer* allocate_buffer(size_t bytes);

// A buffer over memory the caller owns; `deleter(memory)` runs when the last user is gone.
Buffer* wrap_buffer(void* memory, size_t bytes, std::function<void(void*)> deleter, bool read_only);

void free_buffer(Buffer* buffer) noexcept;

inline void retain(Buffer* buffer) noexcept {
  buffer->references.fetch_add(1, std::memory_order_relaxed);
}
inline void release(Buffer* buffer) noexcept {
  if (buffer->references.fetch_sub(1, std::memory_order_acq_rel) == 1) free_buffer(buffer);
}

}  // namespace lazuli
