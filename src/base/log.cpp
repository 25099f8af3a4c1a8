#include "base/log.h"

#include <cstdio>

#include "base/flags.h"

namespace lazuli {

bool debugging(int level) { return flags().debug >= level; }

void debug_line(const std::string& line) {
  std::string text = "lazuli: " + line + "\n";
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace lazuli
