// Compiled with the options of the CPU's kernels, whose targets it names (src/CMakeLists.txt).
#include "lazuli/features.h"

#include <hwy/targets.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "lazuli/version.h"

// The architectures that kernels were compiled ahead for, parted by semicolons
// (cmake/LazuliKernels.cmake). Programs that do not link the target lazuli_kernels have none.
extern "C" const char lazuli_kernel_architectures[] __attribute__((weak));

namespace lazuli {
namespace {

std::vector<std::string> words(std::string_view text, char separator) {
  std::vector<std::string> found;
  while (!text.empty()) {
    size_t end = std::min(text.find(separator), text.size());
    found.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return found;
}

// Highway numbers better targets lower.
std::vector<std::string> simd_targets() {
  std::vector<std::string> names;
  for (int64_t rest = HWY_TARGETS; rest != 0; rest &= rest - 1) {
    names.emplace_back(hwy::TargetName(rest & ~(rest - 1)));
  }
  return names;
}

Features find_features() {
  return {.version = LAZULI_VERSION_STRING,
          .simd_targets = simd_targets(),
          .onednn = LAZULI_HAVE_ONEDNN != 0,
          .openblas = LAZULI_HAVE_OPENBLAS != 0,
          .cuda_architectures = lazuli_kernel_architectures
                                    ? words(lazuli_kernel_architectures, ';')
                                    : std::vector<std::string>(),
          .python = LAZULI_HAVE_PYTHON != 0,
          .sanitizers = words(LAZULI_SANITIZERS, ',')};
}

}  // namespace

const Features& features() {
  static const Features found = find_features();
  return found;
}

}  // namespace lazuli
