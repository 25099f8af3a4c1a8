// The caching allocator: freed blocks wait in bins of equal size for the next allocation, so that a
// steady state takes nothing from the system and faults no pages. One for each memory.
#pragma once

#include <array>
#include <atomic>
#include <mutex>
#include <vector>

#include "compiler/backend.h"

namespace lazuli {

class Allocator {
 public:
  explicit Allocator(Backend& source);

  // A block of at least `bytes` bytes; its size goes to `capacity`. On a device, for work that
  // `stream` is given from now on. When the budget or the system has no more, buffers are moved
  // from the device to the host; MemoryError if that is not enough.
  void* take(size_t bytes, size_t& capacity, int stream = 0);
  // `work` may still use the block.
  void give(void* block, size_t capacity, Work work = {}) noexcept;

  size_t active() const { return active_.load(std::memory_order_relaxed); }
  size_t peak() const { return peak_.load(std::memory_order_relaxed); }
  void reset_peak() { peak_.store(active()); }
  size_t cached();
  void clear();
  size_t limit();
  size_t set_limit(size_t limit);  // returns the one before
  size_t set_cache_limit(size_t limit);  // likewise

  // Blocks ever taken from the system, and given back to it.
  uint64_t system_takes() const { return system_takes_.load(std::memory_order_relaxed); }
  uint64_t system_gives() const { return system_gives_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t bins_count = 8 * 64;

  struct Block {
    void* address;
    Work work;
  };

  // nullptr if there is none.
  void* take_block(size_t size, int stream);
  void* take_cached(std::vector<Block>& bin, int stream);
  void* take_fresh(size_t size);
  void drop_cached(size_t bytes);
  void note_active(size_t size);
  [[noreturn]] void fail(size_t bytes) const;

  Backend& source_;
  std::mutex mutex_;
  std::array<std::vector<Block>, bins_count> bins_;
  size_t cached_ = 0;
  size_t limit_, cache_limit_;
  std::atomic<size_t> active_{0}, peak_{0};
  std::atomic<uint64_t> system_takes_{0}, system_gives_{0};
};

Allocator& allocator_of(Backend& backend);

}  // namespace lazuli
