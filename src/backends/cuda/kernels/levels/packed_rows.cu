// Products of a few rows of x with packed (GGUF) rows: level_rows.cuh with the formats of
// packed_formats.cuh.
#include "level_tiles.cuh"
#include "nibble_groups.cuh"
#include "nibble_tiles.cuh"
#include "packed_formats.cuh"
#include "slab_rows.cuh"

// x [rows, k] of floats to planes [rows * 3, k]: for more rows than shared memory holds.
__global__ void __launch_bounds__(256)
    split_planes(const float* x, int64_t count, int64_t k, bfloat_t* to) {
  start_after_earlier();
  for (int64_t i = blockIdx.x * int64_t(256) + threadIdx.x; i < count;
       i += int64_t(gridDim.x) * 256) {
    float planes[3];
    planes_of(x[i], planes);
    for (int plane = 0; plane < 3; ++plane) {
      to[(i / k * 3 + plane) * k + i % k] = bfloat_t(planes[plane]);
    }
  }
}
