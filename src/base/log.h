// Diagnostics on standard error, by LAZULI_DEBUG's level.
#pragma once

#include <string>

namespace lazuli {

// Whether diagnostics of this level are wanted (1 devices, 2 steps, 3 schedule, 4 code, 5 passes).
bool debugging(int level);

// One line, written whole.
void debug_line(const std::string& line);

}  // namespace lazuli
