// Strided values to dense ones: thread i copies element i, whose place follows from the extents.
//
// Floor: the bytes read and written.
#include "types.cuh"

constexpr int axes_max = 16;

struct Places {
  int64_t extent[axes_max], stride[axes_max];  // innermost first
  int axes;
};

template <class T>
__global__ void __launch_bounds__(256)
    dense_copy(const T* from, T* to, int64_t count, __grid_constant__ const Places places) {
  start_after_earlier();
  for (int64_t i = blockIdx.x * int64_t(256) + threadIdx.x; i < count;
       i += int64_t(gridDim.x) * 256) {
    int64_t rest = i, at = 0;
    for (int axis = 0; axis < places.axes; ++axis) {
      int64_t extent = places.extent[axis];
      int64_t next = count <= 0xffffffffll
                         ? static_cast<uint32_t>(rest) / static_cast<uint32_t>(extent)
                         : rest / extent;
      at += (rest - next * extent) * places.stride[axis];
      rest = next;
    }
    to[i] = from[at];
  }
}
