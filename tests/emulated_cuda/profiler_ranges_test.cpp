// Ranges of evaluations and steps, as a profiler sees them.
#include <dlfcn.h>

#include <cstdlib>

#include "base/flags.h"
#include "emulated_cuda/device_arrays.h"
#include "lazuli/ops.h"

namespace lazuli::cuda {
namespace {

TEST(ProfilerRanges, NameEvaluationsAndSteps) {
  std::string library = flags().cuda_path + "/libprofiler.so";
  setenv("NVTX_INJECTION64_PATH", library.c_str(), 1);
  array x = ones({8}, float32, Device::cpu);
  x.eval();
  exp(x, Device::gpu).eval();  // without the flag there are no ranges
  flags().nvtx = 1;
  exp(x, Device::gpu).eval();
  flags().nvtx = 0;
  void* handle = dlopen(library.c_str(), RTLD_NOW);
  ASSERT_TRUE(handle) << dlerror();
  auto ranges = reinterpret_cast<const char* (*)()>(dlsym(handle, "ranges_so_far"));
  ASSERT_TRUE(ranges);
  EXPECT_EQ(std::string(ranges()),
            "evaluation\n>fused (exp): %0:float32[8] -> %1:float32[8]\n<\n\n");
}

}  // namespace
}  // namespace lazuli::cuda
