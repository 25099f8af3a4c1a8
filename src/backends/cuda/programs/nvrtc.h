// NVIDIA's run-time compiler, opened at run time: from source to machine code for one architecture.
// It needs no GPU. Declarations follow the NVRTC reference, version 13.0.
#pragma once

#include <string>
#include <vector>

namespace lazuli::cuda {

struct CompiledProgram {
  std::string image;  // machine code (a cubin)
  std::string function;  // the exported name of the instance that was asked for
};
// Several instances of one source.
struct CompiledInstances {
  std::string image;
  std::vector<std::string> functions;  // in the order of the instances
};

// Empty if the compiler is there, else why it is not.
std::string missing_compiler();
// Such as 13.0.
std::string compiler_version();

// Compiles `source` and keeps `instance`: the name of an extern "C" function, or an instance of a
// kernel template as C++ would write it. `architecture` is such as "sm_90a". Throws DeviceError
// with the compiler's messages.
CompiledProgram compile_program(const std::string& source, const std::string& instance,
                                const std::string& architecture);
// Several at once. `least` effort takes a fourth of the time and gives slow code: to see whether it
// compiles.
enum class Effort { full, least };
CompiledInstances compile_instances(const std::string& source,
                                    const std::vector<std::string>& instances,
                                    const std::string& architecture, Effort effort);

// The same, from the disk cache where it has been before (see docs/decisions/006): the cache is
// keyed by all text that takes part, the architecture and the compiler's version, is shared by
// processes, and what does not fit its key or checksum is compiled again.
CompiledProgram cached_program(const std::string& source, const std::string& instance,
                               const std::string& architecture);

}  // namespace lazuli::cuda
