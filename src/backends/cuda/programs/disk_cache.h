// Other compiled code than our own programs in their disk cache (program_cache.cpp).
#pragma once

#include <string>

namespace lazuli::cuda {

// What has been kept for a key, which holds all that makes the value what it is; false if nothing.
bool read_kept(const std::string& key, std::string& value);
void keep(const std::string& key, const std::string& value);

}  // namespace lazuli::cuda
