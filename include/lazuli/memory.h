// Memory in use by arrays, in bytes. Each device has a memory of its own, the CPU the host's: these
// functions are about the default device's unless another one is named.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "lazuli/array.h"

namespace lazuli {

size_t get_active_memory(const Device& device = default_device());  // held by arrays
// The most ever held, since the last reset.
size_t get_peak_memory(const Device& device = default_device());
void reset_peak_memory(const Device& device = default_device());
// Freed buffers kept for the next allocation.
size_t get_cache_memory(const Device& device = default_device());
void clear_cache(const Device& device = default_device());

// The budget for active and cached memory together; returns the one before. When a GPU's is used
// up, the arrays that were not used for longest move to the host, and come back when a step needs
// them; MemoryError where that does not help, and on the CPU at once. The default is 95 % of the
// memory.
size_t set_memory_limit(size_t limit, const Device& device = default_device());
size_t get_memory_limit(const Device& device = default_device());

// The most memory kept in the cache; returns the limit before.
size_t set_cache_limit(size_t limit, const Device& device = default_device());

// Moves the values of arrays to the device's memory ahead of their first use, computing them first;
// returns when all have arrived. `progress(done, all)` hears of bytes after each array. May be
// interrupted between arrays (InterruptedError): what has moved stays.
void prefetch(const std::vector<array>& arrays, const Device& device = default_device(),
              const std::function<void(size_t done, size_t all)>& progress = {});

}  // namespace lazuli
