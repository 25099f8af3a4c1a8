// NVIDIA GPUs as a backend.
#pragma once

#include "compiler/backend.h"

namespace lazuli {

// The first NVIDIA GPU; nullptr if there is none that can be used, and then `missing` says why. It
// lives to the end of the process.
Backend* cuda_backend(std::string& missing);

}  // namespace lazuli
