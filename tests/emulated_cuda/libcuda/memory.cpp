#include "emulated_cuda/libcuda/memory.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "emulated_cuda/libcuda/errors.h"
#include "emulated_cuda/libcuda/facts.h"

namespace emulated {
namespace {

constexpr size_t page_bytes = 4096, alignment = 256, accounting_bytes = 512;
constexpr int fresh = 0xA5;

size_t round_up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

size_t number_of(const char* name, size_t otherwise) {
  const char* value = std::getenv(name);
  size_t number = value ? std::strtoull(value, nullptr, 10) : 0;
  return number ? number : otherwise;
}

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value && std::strcmp(value, "1") == 0;
}

char* map_memory(size_t bytes) {
  void* place = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return place == MAP_FAILED ? nullptr : static_cast<char*>(place);
}

}  // namespace

int capability() {
  static const int value = static_cast<int>(number_of("LAZULI_EMULATED_CAPABILITY", 99));
  return value;
}
size_t memory_bytes() {
  static const size_t bytes = number_of("LAZULI_EMULATED_MEMORY_MB", 2048) << 20;
  return bytes;
}
bool has_guard_pages() {
  static const bool guard = is_set("LAZULI_EMULATED_GUARD");
  return guard;
}
bool has_random_delays() {
  static const bool delay = is_set("LAZULI_EMULATED_DELAY");
  return delay;
}

Memory& Memory::get() {
  static auto* memory = new Memory;
  return *memory;
}

int Memory::allocate(size_t bytes, uintptr_t& address) {
  if (bytes == 0) return error_invalid_value;
  std::lock_guard lock(mutex_);
  size_t accounted = round_up(bytes, accounting_bytes);
  if (accounted > memory_bytes() - used_bytes_) return error_out_of_memory;
  size_t usable = round_up(bytes, page_bytes);
  size_t mapping_bytes = usable + (has_guard_pages() ? 2 * page_bytes : 0);
  char* mapping = map_memory(mapping_bytes);
  if (!mapping) return error_out_of_memory;
  char* start = mapping;
  if (has_guard_pages()) {
    ::mprotect(mapping, page_bytes, PROT_NONE);
    ::mprotect(mapping + page_bytes + usable, page_bytes, PROT_NONE);
    start = mapping + page_bytes + usable - round_up(bytes, alignment);
  }
  char* filled = has_guard_pages() ? mapping + page_bytes : mapping;
  std::memset(filled, fresh, usable);
  address = reinterpret_cast<uintptr_t>(start);
  device_[address] = {bytes, mapping, mapping_bytes};
  used_bytes_ += accounted;
  return error_success;
}

// Whether the bytes between the end and the inaccessible page were written.
bool Memory::is_overrun(uintptr_t address, const Block& block) {
  const auto* end = reinterpret_cast<const unsigned char*>(address) + block.bytes;
  for (size_t k = 0; k < round_up(block.bytes, alignment) - block.bytes; ++k) {
    if (end[k] != fresh) return true;
  }
  return false;
}

int Memory::free(uintptr_t address) {
  if (address == 0) return error_success;
  std::lock_guard lock(mutex_);
  auto found = device_.find(address);
  if (found == device_.end()) return error_invalid_value;
  Block block = found->second;
  bool overrun = is_overrun(address, block);
  if (overrun) {
    std::fprintf(stderr, "emulated GPU: memory was written beyond the %zu bytes at 0x%zx\n",
                 block.bytes, static_cast<size_t>(address));
  }
  used_bytes_ -= round_up(block.bytes, accounting_bytes);
  device_.erase(found);
  if (has_guard_pages()) {
    // Its addresses are not used again, so that whoever still does is found.
    ::mprotect(block.mapping, block.mapping_bytes, PROT_NONE);
    ::madvise(block.mapping, block.mapping_bytes, MADV_DONTNEED);
  } else {
    ::munmap(block.mapping, block.mapping_bytes);
  }
  return overrun ? error_illegal_address : error_success;
}

bool Memory::holds(const Blocks& blocks, uintptr_t address, size_t bytes) {
  auto after = blocks.upper_bound(address);
  if (after == blocks.begin()) return false;
  const auto& [start, block] = *std::prev(after);
  return address - start <= block.bytes && bytes <= block.bytes - (address - start);
}

bool Memory::holds(uintptr_t address, size_t bytes) const {
  std::lock_guard lock(mutex_);
  return holds(device_, address, bytes);
}

size_t Memory::free_bytes() const {
  std::lock_guard lock(mutex_);
  return memory_bytes() - used_bytes_;
}

std::string Memory::describe(uintptr_t address) const {
  std::lock_guard lock(mutex_);
  char text[160];
  std::snprintf(text, sizeof text, "0x%zx", static_cast<size_t>(address));
  std::string where = text;
  auto after = device_.upper_bound(address);
  if (after != device_.begin()) {
    const auto& [start, block] = *std::prev(after);
    std::snprintf(text, sizeof text, ", %zu bytes behind the start of the %zu bytes at 0x%zx",
                  static_cast<size_t>(address - start), block.bytes, static_cast<size_t>(start));
    where += text;
  }
  if (after != device_.end()) {
    std::snprintf(text, sizeof text, ", %zu bytes before the %zu bytes at 0x%zx",
                  static_cast<size_t>(after->first - address), after->second.bytes,
                  static_cast<size_t>(after->first));
    where += text;
  }
  return where;
}

int Memory::allocate_pinned(size_t bytes, void*& address) {
  if (bytes == 0) return error_invalid_value;
  char* mapping = map_memory(round_up(bytes, page_bytes));
  if (!mapping) return error_out_of_memory;
  std::memset(mapping, fresh, bytes);
  std::lock_guard lock(mutex_);
  pinned_[reinterpret_cast<uintptr_t>(mapping)] = {bytes, mapping, round_up(bytes, page_bytes)};
  address = mapping;
  return error_success;
}

int Memory::free_pinned(void* address) {
  std::lock_guard lock(mutex_);
  auto found = pinned_.find(reinterpret_cast<uintptr_t>(address));
  if (found == pinned_.end()) return error_invalid_value;
  ::munmap(found->second.mapping, found->second.mapping_bytes);
  pinned_.erase(found);
  return error_success;
}

bool Memory::is_pinned(const void* address, size_t bytes) const {
  std::lock_guard lock(mutex_);
  return holds(pinned_, reinterpret_cast<uintptr_t>(address), bytes);
}

}  // namespace emulated
