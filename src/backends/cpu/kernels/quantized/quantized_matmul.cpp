// Checks, converts x, and shares pieces of the product out to the pool.
#include "backends/cpu/kernels/quantized/quantized_matmul.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "backends/cpu/kernels/packed/float_products.h"
#include "backends/cpu/kernels/packed/packed_panels.h"
#include "backends/cpu/kernels/packed/packed_schedule.h"
#include "backends/cpu/kernels/quantized/quantized_checks.h"
#include "backends/cpu/kernels/quantized/quantized_products.h"
#include "base/thread_pool.h"
#include "lazuli/error.h"

namespace lazuli::cpu {

namespace {

using packed::Activations;
using packed::ActivationTiles;
using packed::Scratch;

void check(const QuantizedMatmul& p) {
  packed::check_quantized("quantized_matmul", p.w);
  packed::check_float("quantized_matmul", "x", p.x_dtype);
  packed::check_float("quantized_matmul", "the result", p.out_dtype);
  if (p.m < 0 || (p.m > 1 && p.out_row_stride < p.n())) {
    throw ArgumentError("quantized_matmul: a result of " + std::to_string(p.m) + " x " +
                        std::to_string(p.n()) + " with rows " + std::to_string(p.out_row_stride) +
                        " elements apart overlaps itself");
  }
}

void fill_zero(const QuantizedMatmul& p) {
  for (int64_t row = 0; row < p.m; ++row) {
    auto* out = static_cast<std::byte*>(p.out) + row * p.out_row_stride * p.out_dtype.size();
    std::memset(out, 0, static_cast<size_t>(p.n()) * p.out_dtype.size());
  }
}

// Calls run(i) for the `count` pieces of `step` of [0, size): run(first, last).
void share(int64_t size, int64_t step, const auto& run) {
  ThreadPool::instance().run((size + step - 1) / step,
                             [&](int64_t i) { run(i * step, std::min(size, (i + 1) * step)); });
}

void few_rows(const QuantizedMatmul& p, Scratch& scratch) {
  Activations x;
  packed::place_activations(p.m, p.k(), scratch, x);
  packed::fill_activations(p.x, p.x_dtype, p.x_row_stride, p.k(), packed::SplitOrder::parity, x);
  thread_local Scratch sums_scratch;
  const int64_t groups = p.w.row_groups(), runs = p.w.group / packed::activation_run;
  sums_scratch.start(Scratch::bytes<float>(p.m * groups));
  float* group_sums = sums_scratch.take<float>(p.m * groups);
  for (int64_t i = 0; i < p.m * groups; ++i) {
    const float* sums = x.sums32 + i / groups * x.runs() + i % groups * runs;
    group_sums[i] = 0;
    for (int64_t run = 0; run < runs; ++run) group_sums[i] += sums[run];
  }
  int64_t row_bytes = p.w.row_words() * 4 + 2 * groups * p.w.dtype.size();
  int64_t step = packed::rows_per_piece(p.n() * row_bytes, row_bytes);
  packed::run_stretches((p.n() + step - 1) / step, [&](int64_t piece) {
    int64_t first = piece * step, last = std::min(first + step, p.n());
    packed::quantized_rows(p, x, group_sums, first, last);
    for (int64_t row = 0; row < p.m; ++row) {
      if (!x.finite[row]) packed::quantized_float_row(p, row, first, last);
    }
  });
}

void many_rows(const QuantizedMatmul& p, Scratch& scratch) {
  const ActivationTiles x =
      packed::convert_tiles(p.x, p.x_dtype, p.x_row_stride, p.m, p.k(), scratch);
  const int64_t columns = packed::panel_shape().columns;
  const int64_t panels = (p.n() + columns - 1) / columns;
  const int64_t per_task = packed::tiles_per_task(panels, x.tiles(), x.tile);
  const int64_t pieces = (x.tiles() + per_task - 1) / per_task;
  ThreadPool::instance().run(pieces * panels, [&](int64_t i) {
    const int64_t tile_first = i / panels * per_task, first = i % panels * columns;
    const int64_t tile_last = std::min(tile_first + per_task, x.tiles());
    packed::quantized_panel(p, x, tile_first, tile_last, first);
    const int64_t last = std::min(first + columns, p.n());
    for (int64_t row = tile_first * x.tile; row < std::min(tile_last * x.tile, p.m); ++row) {
      if (!x.finite[row]) packed::quantized_float_row(p, row, first, last);
    }
  });
}

class QuantizedFloats : public packed::FloatWeights {
 public:
  explicit QuantizedFloats(const QuantizedMatrix& w) : w_(w) {}
  void fill(int64_t row, int64_t first, int64_t count, float* out) const override {
    packed::quantized_floats(w_, row, first, count, out);
  }

 private:
  const QuantizedMatrix& w_;
};

void float_rows(const QuantizedMatmul& p) {
  packed::multiply_floats({static_cast<const float*>(p.x), p.x_row_stride, p.m, p.n(), p.k(),
                           static_cast<float*>(p.out), p.out_row_stride},
                          QuantizedFloats(p.w));
}

void few_columns(const QuantizedMatmul& p, Scratch& scratch) {
  scratch.start(Scratch::bytes<float>(p.m * p.k() + packed::copy_room));
  float* x = scratch.take<float>(p.m * p.k() + packed::copy_room);
  packed::copy_floats(p, x);
  int64_t wanted = p.n() / (4 * ThreadPool::instance().threads());
  int64_t step = std::clamp<int64_t>(wanted / 128 * 128, 128, packed::columns_per_call);
  share(p.n(), step,
        [&](int64_t first, int64_t last) { packed::quantized_columns(p, x, first, last); });
}

void many_columns(const QuantizedMatmul& p, Scratch& scratch) {
  constexpr int64_t task_rows = 256;
  const int64_t rows = packed::float_tile_rows(), tiles = (p.m + rows - 1) / rows;
  scratch.start(Scratch::bytes<float>(tiles * rows * p.k()));
  float* x = scratch.take<float>(tiles * rows * p.k());
  ThreadPool::instance().run(tiles, [&](int64_t i) { packed::fill_float_tile(p, i, x); });
  const int64_t columns = packed::panel_shape().columns, panels = p.n() / columns;
  const int64_t per_task = std::max<int64_t>(1, task_rows / rows);
  ThreadPool::instance().run((tiles + per_task - 1) / per_task * panels, [&](int64_t i) {
    const int64_t tile_first = i / panels * per_task;
    packed::quantized_column_panel(p, x, tile_first, std::min(tile_first + per_task, tiles),
                                   i % panels * columns);
  });
}

}  // namespace

void quantized_matmul(const QuantizedMatmul& p) {
  check(p);
  if (p.m == 0 || p.n() == 0) return;
  if (p.k() == 0) return fill_zero(p);
  thread_local Scratch scratch;
  const bool few = p.m <= packed::row_product_rows_max;
  if (p.transpose && p.x_dtype == float32 && p.out_dtype == float32) {
    float_rows(p);
  } else if (p.transpose) {
    few ? few_rows(p, scratch) : many_rows(p, scratch);
  } else {
    few ? few_columns(p, scratch) : many_columns(p, scratch);
  }
}

}  // namespace lazuli::cpu
