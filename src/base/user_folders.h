// Folders of the user who runs the program.
#pragma once

#include <string>

namespace lazuli {

// Where programs keep what they can make again (XDG Base Directory Specification 0.8):
// XDG_CACHE_HOME, or ~/.cache. Empty if neither is known.
std::string user_cache_folder();

}  // namespace lazuli
