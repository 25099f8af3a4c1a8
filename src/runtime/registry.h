// The devices of this process.
#pragma once

#include <span>

#include "compiler/backend.h"

namespace lazuli {

Backend& host_backend();
std::span<Backend* const> backends();

// The backend of a device, or nullptr if there is no such device.
Backend* find_backend(const Device& device);

}  // namespace lazuli
