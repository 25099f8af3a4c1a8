// Which SIMD targets the kernels may choose from, settled before any kernel is called.
#include "hwy/targets.h"
#include "base/flags.h"

namespace lazuli::cpu {
namespace {

#if HWY_ARCH_X86
const bool targets_settled = [] {
  if (!flags().avx512) {
    hwy::DisableTargets(HWY_AVX3 | HWY_AVX3_DL | HWY_AVX3_ZEN4 | HWY_AVX3_SPR | HWY_AVX10_2);
  }
  return true;
}();
#endif

}  // namespace

// Called by the kernel table, so that this file is part of every program.
void settle_targets() {
#if HWY_ARCH_X86
  (void)targets_settled;
#endif
}

}  // namespace lazuli::cpu
