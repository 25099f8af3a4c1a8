// The devices of this process.
#pragma once

#include <span>
#include <string>

#include "compiler/backend.h"

namespace lazuli {

Backend& host_backend();
std::span<Backend* const> backends();

// `reads` are the layouts of the step's reads, current on the host.
std::unique_ptr<StepCheck> check_step(const Graph& graph, const Step& step,
                                      std::span<const Layout* const> reads);

// The backend of a device, or nullptr if there is no such device.
Backend* find_backend(const Device& device);
// The same; DeviceError, which begins with [what], if there is none.
Backend& backend_at(const Device& device, const char* what);
// Why there is no GPU; empty if there is one.
const std::string& missing_gpu();

}  // namespace lazuli
