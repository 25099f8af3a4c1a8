// The caching allocator: freed buffers wait in bins of equal size for the next allocation, so that a
// steady state takes nothing from the system and faults no pages.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "lazuli/error.h"
#include "lazuli/memory.h"

namespace lazuli {
namespace {

constexpr size_t alignment = 64;
constexpr size_t huge_page = size_t{2} << 20;

// Eight sizes for each power of two: at most 1/8 is wasted.
size_t rounded_size(size_t bytes) {
  if (bytes <= alignment) return alignment;
  size_t step = std::max(alignment, std::bit_floor(bytes - 1) / 8);
  if (bytes >= huge_page) step = std::max<size_t>(step, 4096);
  return (bytes + step - 1) / step * step;
}

size_t default_limit() {
  size_t total =
      static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGE_SIZE));
  std::ifstream cgroup("/sys/fs/cgroup/memory.max");
  size_t limit = 0;
  if (cgroup >> limit) total = std::min(total, limit);
  return total / 100 * 95;
}

class Allocator {
 public:
  static Allocator& instance() {
    static Allocator* allocator = new Allocator;  // lives to the end of the process
    return *allocator;
  }

  Buffer* allocate(size_t bytes) {
    if (bytes > std::numeric_limits<size_t>::max() / 2) fail(bytes);
    size_t size = rounded_size(bytes);
    void* memory = take_cached(size);
    if (!memory) memory = take_fresh(bytes, size);
    note_active(size);
    return new Buffer(memory, bytes, size);
  }

  void free(Buffer* buffer) noexcept {
    active_.fetch_sub(buffer->capacity, std::memory_order_relaxed);
    std::lock_guard lock(mutex_);
    if (cached_ + buffer->capacity > cache_limit_) {
      give_back(buffer->host, buffer->capacity);
    } else {
      bins_[buffer->capacity].push_back(buffer->host);
      cached_ += buffer->capacity;
    }
  }

  void clear() {
    std::lock_guard lock(mutex_);
    drop_cached(cached_);
  }

  std::atomic<size_t> active_{0}, peak_{0};
  size_t cached() {
    std::lock_guard lock(mutex_);
    return cached_;
  }
  size_t set_limit(size_t limit) {
    std::lock_guard lock(mutex_);
    size_t before = limit_;
    limit_ = limit;
    return before;
  }
  size_t limit() {
    std::lock_guard lock(mutex_);
    return limit_;
  }
  size_t set_cache_limit(size_t limit) {
    std::lock_guard lock(mutex_);
    size_t before = cache_limit_;
    cache_limit_ = limit;
    if (cached_ > limit) drop_cached(cached_ - limit);
    return before;
  }

 private:
  Allocator() : limit_(default_limit()), cache_limit_(limit_) {}

  void note_active(size_t size) {
    size_t now = active_.fetch_add(size, std::memory_order_relaxed) + size;
    size_t peak = peak_.load(std::memory_order_relaxed);
    while (now > peak && !peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
    }
  }

  void* take_cached(size_t size) {
    std::lock_guard lock(mutex_);
    auto bin = bins_.find(size);
    if (bin == bins_.end() || bin->second.empty()) return nullptr;
    void* memory = bin->second.back();
    bin->second.pop_back();
    cached_ -= size;
    return memory;
  }

  void* take_fresh(size_t bytes, size_t size) {
    std::lock_guard lock(mutex_);
    size_t active = active_.load(std::memory_order_relaxed);
    if (active + size > limit_) fail(bytes);
    if (active + cached_ + size > limit_) drop_cached(active + cached_ + size - limit_);
    void* memory = from_system(size);
    if (!memory) {
      drop_cached(cached_);
      memory = from_system(size);
    }
    if (!memory) fail(bytes);
    return memory;
  }

  static void* from_system(size_t size) {
    if (size < huge_page) return std::aligned_alloc(alignment, size);
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    madvise(memory, size, MADV_HUGEPAGE);
    return memory;
  }

  static void give_back(void* memory, size_t size) {
    if (size < huge_page) {
      std::free(memory);
    } else {
      munmap(memory, size);
    }
  }

  // The largest first.
  void drop_cached(size_t bytes) {
    size_t dropped = 0;
    for (auto bin = bins_.rbegin(); bin != bins_.rend() && dropped < bytes; ++bin) {
      while (!bin->second.empty() && dropped < bytes) {
        give_back(bin->second.back(), bin->first);
        bin->second.pop_back();
        dropped += bin->first;
      }
    }
    cached_ -= dropped;
  }

  [[noreturn]] void fail(size_t bytes) const {
    throw MemoryError("[allocate] " + std::to_string(bytes) + " bytes do not fit: " +
                      std::to_string(active_.load()) + " of " + std::to_string(limit_) +
                      " bytes are in use. Free arrays or raise set_memory_limit.");
  }

  std::mutex mutex_;
  std::map<size_t, std::vector<void*>> bins_;
  size_t cached_ = 0;
  size_t limit_;
  size_t cache_limit_;
};

}  // namespace

Buffer* allocate_buffer(size_t bytes) { return Allocator::instance().allocate(bytes); }

Buffer* wrap_buffer(void* memory, size_t bytes, std::function<void(void*)> deleter,
                    bool read_only) {
  Buffer* buffer = new Buffer(memory, bytes, 0);
  buffer->deleter = std::move(deleter);
  buffer->read_only = read_only;
  return buffer;
}

void free_buffer(Buffer* buffer) noexcept {
  if (buffer->deleter) {
    buffer->deleter(buffer->host);
  } else if (buffer->capacity) {
    Allocator::instance().free(buffer);
  }
  delete buffer;
}

size_t get_active_memory() { return Allocator::instance().active_.load(); }
size_t get_peak_memory() { return Allocator::instance().peak_.load(); }
void reset_peak_memory() {
  Allocator::instance().peak_.store(Allocator::instance().active_.load());
}
size_t get_cache_memory() { return Allocator::instance().cached(); }
void clear_cache() { Allocator::instance().clear(); }
size_t set_memory_limit(size_t limit) { return Allocator::instance().set_limit(limit); }
size_t get_memory_limit() { return Allocator::instance().limit(); }
size_t set_cache_limit(size_t limit) { return Allocator::instance().set_cache_limit(limit); }

}  // namespace lazuli
