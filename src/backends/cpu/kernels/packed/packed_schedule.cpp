#include "backends/cpu/kernels/packed/packed_schedule.h"

#include <algorithm>

#include "backends/cpu/kernels/packed/packed_panels.h"
#include "base/thread_pool.h"

namespace lazuli::cpu::packed {

namespace {

constexpr int64_t task_bytes_min = 1 << 14;  // of w: less is not worth a task
constexpr int64_t task_bytes_max = 1 << 19;
constexpr int64_t task_rows_max = 512;         // of x
constexpr int64_t task_x_bytes_max = 1 << 20;  // of x's levels, which stay in L2 from task to task

}  // namespace

bool is_packed_float(Dtype dtype) {
  return dtype == float32 || dtype == bfloat16 || dtype == float16;
}

int64_t rows_per_task(int64_t bytes, int64_t row_bytes) {
  int64_t wanted =
      std::clamp(bytes / (8 * ThreadPool::instance().threads()), task_bytes_min, task_bytes_max);
  return std::max<int64_t>(4, wanted / row_bytes / 4 * 4);
}

int64_t tiles_per_task(int64_t panels, const ActivationTiles& x) {
  int64_t wanted = 4 * ThreadPool::instance().threads();
  int64_t pieces = std::max<int64_t>(1, wanted / std::max<int64_t>(1, panels));
  int64_t rows = std::min(task_rows_max, task_x_bytes_max / (2 * x.stride));
  int64_t most = std::max<int64_t>(1, rows / x.tile);
  return std::clamp<int64_t>((x.tiles() + pieces - 1) / pieces, 1, most);
}

ActivationTiles convert_tiles(const void* x, Dtype x_dtype, int64_t row_stride, int64_t m,
                              int64_t k, Scratch& scratch) {
  int64_t most = panel_shape().tile_rows;
  int64_t count = (m + most - 1) / most;
  int64_t rows = ((m + count - 1) / count + 3) / 4 * 4;
  ActivationTiles tiles;
  place_tiles(m, k, rows, scratch, tiles);
  ThreadPool::instance().run(
      tiles.tiles(), [&](int64_t index) { fill_tile(x, x_dtype, row_stride, k, index, tiles); });
  return tiles;
}

}  // namespace lazuli::cpu::packed
