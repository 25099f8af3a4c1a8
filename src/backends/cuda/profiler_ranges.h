// Ranges of a thread's work in NVIDIA's profilers (NVTX). Without a profiler they cost nothing.
#pragma once

#include <string>

namespace lazuli::cuda {

void push_range(const std::string& name);
void pop_range();

}  // namespace lazuli::cuda
