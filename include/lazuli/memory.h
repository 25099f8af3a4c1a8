// Memory in use by arrays, in bytes.
#pragma once

#include <cstddef>

namespace lazuli {

size_t get_active_memory();  // held by arrays
size_t get_peak_memory();    // the most ever held, since the last reset
void reset_peak_memory();
size_t get_cache_memory();  // freed buffers kept for the next allocation
void clear_cache();

// The budget for active and cached memory together; returns the one before. Allocations beyond it
// raise MemoryError. The default is 95 % of the machine's memory.
size_t set_memory_limit(size_t limit);
size_t get_memory_limit();

// The most memory kept in the cache; returns the limit before.
size_t set_cache_limit(size_t limit);

}  // namespace lazuli
