// Where `./dev demo` keeps the models it fetched.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace lazuli::testing {

inline std::string model_file(const std::string& name) {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  std::filesystem::path base = cache != nullptr && *cache != '\0' ? std::filesystem::path(cache)
                               : home != nullptr ? std::filesystem::path(home) / ".cache"
                                                 : std::filesystem::path();
  return (base / "lazuli" / "models" / name).string();
}

}  // namespace lazuli::testing
