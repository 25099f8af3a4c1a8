#include "backends/cpu/kernels/packed/packed_schedule.h"

#include <algorithm>

#include "backends/cpu/kernels/packed/packed_panels.h"
#include "base/thread_pool.h"

namespace lazuli::cpu::packed {

namespace {

constexpr int64_t piece_bytes_min = 1 << 13;  // of w: less is not worth a call
constexpr int64_t piece_bytes_max = 1 << 16;
// Rows of x in a task: 256 columns of them, and their sums, stay in L2.
constexpr int64_t task_rows_max = 1024;

}  // namespace

bool is_packed_float(Dtype dtype) {
  return dtype == float32 || dtype == bfloat16 || dtype == float16;
}

int64_t rows_per_piece(int64_t bytes, int64_t row_bytes) {
  int64_t wanted =
      std::clamp(bytes / (16 * ThreadPool::instance().threads()), piece_bytes_min, piece_bytes_max);
  return std::max<int64_t>(4, wanted / row_bytes / 4 * 4);
}

Stretches::Stretches(int64_t count)
    : threads(std::min<int64_t>(
          {ThreadPool::instance().threads(), threads_max, std::max<int64_t>(count, 1)})) {
  for (int64_t t = 0; t < threads; ++t) {
    auto first = static_cast<uint64_t>(count * t / threads);
    auto last = static_cast<uint64_t>(count * (t + 1) / threads);
    stretches_[t].left.store(first << 32 | last, std::memory_order_relaxed);
  }
}

int64_t Stretches::next(int64_t thread) {
  for (int64_t k = 0; k < threads; ++k) {
    std::atomic<uint64_t>& left = stretches_[(thread + k) % threads].left;
    uint64_t now = left.load(std::memory_order_relaxed);
    for (;;) {
      uint64_t first = now >> 32, last = now & 0xffffffff;
      if (first == last) break;
      uint64_t rest = k == 0 ? (first + 1) << 32 | last : first << 32 | (last - 1);
      if (left.compare_exchange_weak(now, rest, std::memory_order_relaxed)) {
        return static_cast<int64_t>(k == 0 ? first : last - 1);
      }
    }
  }
  return -1;
}

int64_t tiles_per_task(int64_t panels, int64_t tiles, int64_t tile_rows) {
  int64_t wanted = 4 * ThreadPool::instance().threads();
  int64_t most = std::max<int64_t>(1, task_rows_max / tile_rows);
  int64_t groups =
      std::max((wanted + panels - 1) / std::max<int64_t>(1, panels), (tiles + most - 1) / most);
  // Groups of about equal size: each unpacks all panels.
  return std::max<int64_t>(1, (tiles + groups - 1) / std::max<int64_t>(1, groups));
}

namespace {

// Rows of a tile that suit m, a multiple of four.
int64_t rows_of_tile(int64_t m) {
  int64_t most = panel_shape().tile_rows;
  int64_t count = (m + most - 1) / most;
  return ((m + count - 1) / count + 3) / 4 * 4;
}

}  // namespace

ActivationTiles convert_tiles(const void* x, Dtype x_dtype, int64_t row_stride, int64_t m,
                              int64_t k, Scratch& scratch) {
  ActivationTiles tiles;
  place_tiles(m, k, rows_of_tile(m), scratch, tiles);
  ThreadPool::instance().run(
      tiles.tiles(), [&](int64_t index) { fill_tile(x, x_dtype, row_stride, k, index, tiles); });
  return tiles;
}

LevelTiles convert_level_tiles(const void* x, Dtype x_dtype, int64_t row_stride, int64_t m,
                               int64_t k, Scratch& scratch) {
  LevelTiles tiles;
  place_level_tiles(m, k, rows_of_tile(m), scratch, tiles);
  ThreadPool::instance().run(
      tiles.tiles(), [&](int64_t index) { fill_level_tile(x, x_dtype, row_stride, index, tiles); });
  return tiles;
}

}  // namespace lazuli::cpu::packed
