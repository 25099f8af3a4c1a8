// Text for error messages about files: hostile bytes made printable, the system's reasons.
#pragma once

#include <string>

#include "lazuli/printable.h"

namespace lazuli {

// "No such file or directory" for an errno value.
std::string system_reason(int error_number);

}  // namespace lazuli
