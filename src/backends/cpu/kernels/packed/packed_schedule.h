// How products with packed or quantised weights are cut into tasks for the pool.
#pragma once

#include <atomic>
#include <cstdint>

#include "backends/cpu/kernels/packed/packed_activations.h"
#include "base/thread_pool.h"
#include "lazuli/dtype.h"

namespace lazuli::cpu::packed {

// Up to so many rows of x meet each row of w as it is read; more go through panels.
inline constexpr int64_t row_product_rows_max = 4;

bool is_packed_float(Dtype dtype);

// The pieces [0, count) in one stretch a thread. count < 2^31.
class Stretches {
 public:
  explicit Stretches(int64_t count);
  // A piece for the thread, or -1 if none is left.
  int64_t next(int64_t thread);
  int64_t threads;

 private:
  static constexpr int64_t threads_max = 64;
  // first << 32 | last, on a cache line of its own.
  struct alignas(64) Stretch {
    std::atomic<uint64_t> left;
  };
  Stretch stretches_[threads_max];
};

// Rows of w for one piece, a multiple of four, when all weights of the call have `bytes` bytes.
int64_t rows_per_piece(int64_t bytes, int64_t row_bytes);

// Calls piece(i) once for each i in [0, count) on the pool. Each thread goes through one stretch of
// neighbouring pieces, which memory serves faster than pieces dealt in turn, and helps at the ends
// of the others' stretches when it has done its own.
template <class Piece>
void run_stretches(int64_t count, const Piece& piece) {
  Stretches stretches(count);
  ThreadPool::instance().run(stretches.threads, [&](int64_t thread) {
    for (int64_t i; (i = stretches.next(thread)) >= 0;) piece(i);
  });
}

// Tiles of x for one task when the weights have `panels` panels: as many as leave each thread a few
// tasks, within the cache.
int64_t tiles_per_task(int64_t panels, int64_t tiles, int64_t tile_rows);

// x [m, k] as tiles of a size that suits m, on the pool; they live in `scratch`.
ActivationTiles convert_tiles(const void* x, Dtype x_dtype, int64_t row_stride, int64_t m,
                              int64_t k, Scratch& scratch);
LevelTiles convert_level_tiles(const void* x, Dtype x_dtype, int64_t row_stride, int64_t m,
                               int64_t k, Scratch& scratch);

}  // namespace lazuli::cpu::packed
