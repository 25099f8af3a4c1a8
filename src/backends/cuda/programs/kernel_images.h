// Fixed kernels that the build has compiled (tools/compile_kernels): their images lie in the
// program's own memory, by a key that changes with all the text that goes into an image.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "backends/cuda/programs/nvrtc.h"

namespace lazuli::cuda {

// A part of what the build has compiled.
struct KernelImages {
  const char *begin, *end;
};

// Of an instance of kernels/<file>.
std::string image_key(const std::string& file, const std::string& instance,
                      const std::string& architecture);

// By key. `version` is the compiler's.
std::string pack_images(const std::string& version,
                        const std::map<std::string, CompiledProgram>& images);
// Nothing if the text is not what `pack_images` makes, or of another version.
std::map<std::string, CompiledProgram> unpack_images(std::string_view packed,
                                                     const std::string& version);

// Nothing if the build has not compiled the instance for this architecture.
std::optional<CompiledProgram> compiled_ahead(const std::string& file, const std::string& instance,
                                              const std::string& architecture);

}  // namespace lazuli::cuda

// Ended by a part without memory. Programs that do not link the target lazuli_kernels have none.
extern "C" const lazuli::cuda::KernelImages lazuli_kernels[] __attribute__((weak));
