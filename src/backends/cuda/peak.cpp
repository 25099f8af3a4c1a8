#include "backends/cuda/peak.h"

namespace lazuli::cuda {
namespace {

// Operations of a multiprocessor in a clock, a multiply-add counted as two: NVIDIA's architecture
// white papers. Halves are multiplied by tensor cores, with sums in float32.
struct Chip {
  int capability;
  double half, single, twice;  // products in halves, float32 and float64
};
constexpr Chip chips[] = {
    {80, 2048, 128, 128}, {86, 512, 256, 4},     {89, 1024, 256, 4},
    {90, 4096, 256, 256}, {100, 8192, 256, 128}, {120, 1024, 256, 4},
};

}  // namespace

double peak_flops(const Gpu& gpu, bool products, Dtype::Val dtype) {
  for (const Chip& chip : chips) {
    if (chip.capability != gpu.capability) continue;
    double a_clock = chip.single;
    bool half = dtype == Dtype::Val::float16 || dtype == Dtype::Val::bfloat16;
    if (products && half) a_clock = chip.half;
    if (products && dtype == Dtype::Val::float64) a_clock = chip.twice;
    return a_clock * gpu.multiprocessors * gpu.hertz;
  }
  return 0;
}

}  // namespace lazuli::cuda
