// arange: out[i] = start + i * step. Floats are computed in double, as on the CPU.
//
// Each thread writes elements a block's width apart. Floor: one write of the output.
#include "types.cuh"

// `start` and `step` are int64_t for integers and double for floats.
template <class T, class Number>
__global__ void __launch_bounds__(256) arange(T* out, Number start, Number step, int64_t count) {
  start_after_earlier();
  const int64_t first = static_cast<int64_t>(blockIdx.x) * 1024 + threadIdx.x;
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    const int64_t i = first + k * 256;
    if (i < count) out[i] = convert<T>(start + static_cast<Number>(i) * step);
  }
}
