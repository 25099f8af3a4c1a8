// Shared libraries opened at run time.
#pragma once

#include <string>
#include <vector>

namespace lazuli::cuda {

// Opens `file` from, in turn: the folders of LAZULI_CUDA_PATH, the nvidia packages installed beside
// this library (site-packages/nvidia/cu13/lib), where the system's loader looks, /usr/local/cuda.
// nullptr if it is nowhere; `tried` then says where it was looked for.
void* open_library(const std::string& file, std::string& tried);

// An address in an open library; nullptr if it has no such symbol.
void* find_symbol(void* library, const char* name);

}  // namespace lazuli::cuda
