#include "runtime/allocator.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <string>
#include <utility>

#include "core/buffer.h"
#include "lazuli/error.h"
#include "lazuli/memory.h"
#include "runtime/registry.h"
#include "runtime/residency.h"

namespace lazuli {
namespace {

constexpr size_t alignment = 64;

// Eight sizes for each power of two: at most 1/8 is wasted.
size_t rounded_size(size_t bytes) {
  if (bytes <= alignment) return alignment;
  size_t step = std::max(alignment, std::bit_floor(bytes - 1) / 8);
  return (bytes + step - 1) / step * step;
}

// One bin for each rounded size.
size_t bin_of(size_t size) {
  if (size <= 8 * alignment) return size / alignment;
  size_t exponent = static_cast<size_t>(std::bit_width(size - 1));
  return 8 * exponent + ((size - 1) >> (exponent - 4)) % 8;
}

size_t size_of_bin(size_t bin) {
  if (bin <= 8) return bin * alignment;
  return (bin % 8 + 9) << (bin / 8 - 4);
}

}  // namespace

Allocator::Allocator(Backend& source)
    : source_(source), limit_(source.memory_bytes() / 100 * 95), cache_limit_(limit_) {}

void* Allocator::take(size_t bytes, size_t& capacity, int stream) {
  if (bytes > std::numeric_limits<size_t>::max() / 4) fail(bytes);
  size_t size = rounded_size(bytes);
  void* block = take_block(size, stream);
  while (!block) {
    if (source_.shares_host_memory || move_away(source_, size) == 0) fail(bytes);
    block = take_block(size, stream);
  }
  note_active(size);
  capacity = size;
  return block;
}

void* Allocator::take_block(size_t size, int stream) {
  std::lock_guard lock(mutex_);
  std::vector<Block>& bin = bins_[bin_of(size)];
  if (bin.empty()) return take_fresh(size);
  cached_ -= size;
  return take_cached(bin, stream);
}

// Among the blocks of the bin that the stream need not wait for: on the host the one that was given
// back last, which caches may still hold; on a device the first in memory, so that the same
// evaluation finds the same blocks again and what was made for it (a graph of launches) stays good.
void* Allocator::take_cached(std::vector<Block>& bin, int stream) {
  size_t chosen = bin.size();
  for (size_t k = bin.size(); k-- > 0;) {
    if (chosen < bin.size() && bin[k].address > bin[chosen].address) continue;
    const Work& work = bin[k].work;
    if (!work.is_none() && !work.is_of(stream) && !source_.is_done(work)) continue;
    chosen = k;
    if (source_.shares_host_memory) break;
  }
  if (chosen == bin.size()) chosen = bin.size() - 1;
  Block block = bin[chosen];
  if (!block.work.is_none() && !block.work.is_of(stream)) {
    source_.wait_on_stream(stream, block.work);
  }
  bin.erase(bin.begin() + static_cast<long>(chosen));
  return block.address;
}

void Allocator::give(void* block, size_t capacity, Work work) noexcept {
  active_.fetch_sub(capacity, std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  if (cached_ + capacity > cache_limit_) {
    source_.free(block, capacity);
    system_gives_.fetch_add(1, std::memory_order_relaxed);
  } else {
    bins_[bin_of(capacity)].push_back({block, work});
    cached_ += capacity;
  }
}

size_t Allocator::cached() {
  std::lock_guard lock(mutex_);
  return cached_;
}
void Allocator::clear() {
  std::lock_guard lock(mutex_);
  drop_cached(cached_);
}
size_t Allocator::limit() {
  std::lock_guard lock(mutex_);
  return limit_;
}
size_t Allocator::set_limit(size_t limit) {
  std::lock_guard lock(mutex_);
  return std::exchange(limit_, limit);
}
size_t Allocator::set_cache_limit(size_t limit) {
  std::lock_guard lock(mutex_);
  if (cached_ > limit) drop_cached(cached_ - limit);
  return std::exchange(cache_limit_, limit);
}

void Allocator::note_active(size_t size) {
  size_t now = active_.fetch_add(size, std::memory_order_relaxed) + size;
  size_t peak = peak_.load(std::memory_order_relaxed);
  while (now > peak && !peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
  }
}

void* Allocator::take_fresh(size_t size) {
  size_t active = active_.load(std::memory_order_relaxed);
  if (active + size > limit_) return nullptr;
  if (active + cached_ + size > limit_) drop_cached(active + cached_ + size - limit_);
  void* block = source_.allocate(size);
  if (!block) {
    drop_cached(cached_);
    block = source_.allocate(size);
  }
  if (!block) return nullptr;
  system_takes_.fetch_add(1, std::memory_order_relaxed);
  return block;
}

// The largest first.
void Allocator::drop_cached(size_t bytes) {
  size_t dropped = 0;
  for (size_t k = bins_count; k-- > 0 && dropped < bytes;) {
    while (!bins_[k].empty() && dropped < bytes) {
      source_.free(bins_[k].back().address, size_of_bin(k));
      bins_[k].pop_back();
      dropped += size_of_bin(k);
      system_gives_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  cached_ -= dropped;
}

void Allocator::fail(size_t bytes) const {
  throw MemoryError("[allocate] " + std::to_string(bytes) + " bytes do not fit on " +
                    to_string(source_.device) + ": " + std::to_string(active()) + " of " +
                    std::to_string(limit_) +
                    " bytes are in use. Free arrays or raise set_memory_limit.");
}

namespace {

struct Memory {
  Backend* backend;
  Allocator* allocator;
};
const std::vector<Memory>& memories() {
  static const std::vector<Memory>* all = [] {
    auto* made = new std::vector<Memory>;
    for (Backend* backend : backends()) made->push_back({backend, new Allocator(*backend)});
    return made;
  }();
  return *all;
}

Allocator& host_allocator() {
  static Allocator& allocator = *memories().front().allocator;
  return allocator;
}

Allocator& memory_of(const Device& device) { return allocator_of(backend_at(device, "memory")); }

}  // namespace

Allocator& allocator_of(Backend& backend) {
  for (const Memory& memory : memories()) {
    if (memory.backend == &backend) return *memory.allocator;
  }
  throw DeviceError("[allocate] " + to_string(backend.device) + " has no memory.");
}

Buffer* allocate_buffer(size_t bytes) {
  size_t capacity = 0;
  void* block = host_allocator().take(bytes, capacity);
  Buffer* buffer = new Buffer(bytes);
  buffer->host = block;
  buffer->capacity = capacity;
  return buffer;
}

Buffer* wrap_buffer(void* memory, size_t bytes, std::function<void(void*)> deleter,
                    bool read_only) {
  Buffer* buffer = new Buffer(bytes);
  buffer->host = memory;
  buffer->deleter = std::move(deleter);
  buffer->read_only = read_only;
  // Its owner may write there at any time.
  if (!read_only) buffer->pins.store(1);
  return buffer;
}

void free_buffer(Buffer* buffer) noexcept {
  forget_device_copy(buffer);
  if (buffer->deleter) buffer->deleter(buffer->host);
  if (buffer->capacity) host_allocator().give(buffer->host, buffer->capacity);
  delete buffer;
}

size_t get_active_memory(const Device& device) { return memory_of(device).active(); }
size_t get_peak_memory(const Device& device) { return memory_of(device).peak(); }
void reset_peak_memory(const Device& device) { memory_of(device).reset_peak(); }
size_t get_cache_memory(const Device& device) { return memory_of(device).cached(); }
void clear_cache(const Device& device) { memory_of(device).clear(); }
size_t set_memory_limit(size_t limit, const Device& device) {
  return memory_of(device).set_limit(limit);
}
size_t get_memory_limit(const Device& device) { return memory_of(device).limit(); }
size_t set_cache_limit(size_t limit, const Device& device) {
  return memory_of(device).set_cache_limit(limit);
}

}  // namespace lazuli
