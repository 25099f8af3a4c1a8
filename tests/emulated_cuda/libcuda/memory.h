// Device memory, filled with 0xA5 when it is allocated, and pinned host memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace emulated {

class Memory {
 public:
  static Memory& get();

  // Errors as the driver gives them.
  int allocate(size_t bytes, uintptr_t& address);
  int free(uintptr_t address);
  // Whether all the bytes lie in one allocation.
  bool holds(uintptr_t address, size_t bytes) const;
  size_t free_bytes() const;
  // Where an address lies in respect of the allocations, for messages.
  std::string describe(uintptr_t address) const;

  int allocate_pinned(size_t bytes, void*& address);
  int free_pinned(void* address);
  bool is_pinned(const void* address, size_t bytes) const;

 private:
  struct Block {
    size_t bytes;
    char* mapping;
    size_t mapping_bytes;
  };
  typedef std::map<uintptr_t, Block> Blocks;
  static bool holds(const Blocks& blocks, uintptr_t address, size_t bytes);
  static bool is_overrun(uintptr_t address, const Block& block);

  mutable std::mutex mutex_;
  Blocks device_, pinned_;
  size_t used_bytes_ = 0;
};

}  // namespace emulated
