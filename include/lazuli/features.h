// What this build of the library has. Which devices the machine has is another question: device.h.
#pragma once

#include <string>
#include <vector>

namespace lazuli {

struct Features {
  std::string version;  // of the library, "major.minor.patch"
  // What the CPU's kernels are compiled for, the best first, by Highway's names ("AVX3_DL", "AVX2",
  // "NEON"). The best one that the machine has runs.
  std::vector<std::string> simd_targets;
  bool onednn;  // dense products by oneDNN; else by own kernels
  bool openblas;  // float64 and complex products by OpenBLAS, opened by the first; else by own ones
  // GPU architectures whose usual kernels this program holds compiled ("80", "90a"). Others are
  // compiled at first use; a program that does not link the target lazuli_kernels has none.
  std::vector<std::string> cuda_architectures;
  bool python;  // the Python package was built too
  std::vector<std::string> sanitizers;  // compiled in: "address", "undefined", "thread"
};

const Features& features();

}  // namespace lazuli
