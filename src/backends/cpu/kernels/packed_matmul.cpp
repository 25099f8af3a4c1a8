// Checks, converts x, and shares pieces of the products out to the pool.
#include "backends/cpu/kernels/packed_matmul.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "backends/cpu/kernels/packed_activations.h"
#include "backends/cpu/kernels/packed_panels.h"
#include "backends/cpu/kernels/packed_rows.h"
#include "base/thread_pool.h"
#include "lazuli/error.h"

namespace lazuli::cpu {

namespace {

constexpr int64_t task_bytes_min = 1 << 14;    // of w: less is not worth a task
constexpr int64_t task_bytes_max = 1 << 19;
constexpr int64_t task_rows_max = 512;         // of x
constexpr int64_t task_x_bytes_max = 1 << 20;  // of x's levels, which stay in L2 from task to task
constexpr int64_t row_product_rows_max = 4;

bool is_packed_float(Dtype dtype) {
  return dtype == float32 || dtype == bfloat16 || dtype == float16;
}

std::string shape(const PackedMatmul& p) {
  return "x [" + std::to_string(p.m) + ", " + std::to_string(p.k) + "] with " +
         packed_format_info(p.format).name + " weights [" + std::to_string(p.n) + ", " +
         std::to_string(p.k) + "]";
}

void require(bool condition, const PackedMatmul& p, const std::string& what) {
  if (!condition) throw ArgumentError("packed_matmul of " + shape(p) + ": " + what);
}

void check(const PackedMatmul& p) {
  const PackedFormatInfo& info = packed_format_info(p.format);
  require(p.m >= 0 && p.n >= 0 && p.k >= 0, p, "sizes must not be negative");
  require(p.k % info.block_elements == 0, p,
          "k must be a multiple of the block of " + std::to_string(info.block_elements) +
              " elements; pad the weights before they are packed");
  require(is_packed_float(p.x_dtype), p,
          std::string("x must be float32, bfloat16 or float16, not ") + dtype_name(p.x_dtype) +
              "; convert it with astype");
  require(is_packed_float(p.out_dtype), p,
          std::string("the result is float32, bfloat16 or float16, not ") +
              dtype_name(p.out_dtype));
  require(p.m <= 1 || p.out_row_stride >= p.n, p,
          "the result's rows overlap: their stride is " + std::to_string(p.out_row_stride));
}

void check_shared(const PackedMatmul& p, const PackedMatmul& first) {
  require(p.x == first.x && p.x_dtype == first.x_dtype && p.x_row_stride == first.x_row_stride &&
              p.m == first.m && p.k == first.k,
          p, "products computed together must share x; the first has " + shape(first));
}

void fill_zero(const PackedMatmul& p) {
  for (int64_t row = 0; row < p.m; ++row) {
    auto* out = static_cast<std::byte*>(p.out) + row * p.out_row_stride * p.out_dtype.size();
    std::memset(out, 0, static_cast<size_t>(p.n) * p.out_dtype.size());
  }
}

// A piece of one product for one thread: rows [first, last) of w, tiles [tile_first, tile_last) of x.
struct Task {
  const PackedMatmul* product;
  int64_t first, last;
  int64_t tile_first, tile_last;
};

void run_tasks(const std::vector<Task>& tasks, const auto& run) {
  const Task* all = tasks.data();
  ThreadPool::instance().run(static_cast<int64_t>(tasks.size()),
                             [&](int64_t i) { run(all[i]); });
}

// Few rows: all of x meets each row of w as it is read.
void run_rows(std::span<const PackedMatmul> products, Scratch& scratch, std::vector<Task>& tasks) {
  const PackedMatmul& p = products.front();
  Activations x;
  place_activations(p.m, p.k, scratch, x);
  fill_activations(p.x, p.x_dtype, p.x_row_stride, p.k, x);
  int64_t bytes = 0;
  for (const PackedMatmul& product : products) {
    bytes += product.n * packed_row_bytes(product.format, p.k);
  }
  int64_t task_bytes =
      std::clamp(bytes / (8 * ThreadPool::instance().threads()), task_bytes_min, task_bytes_max);
  for (const PackedMatmul& product : products) {
    int64_t row_bytes = packed_row_bytes(product.format, p.k);
    int64_t rows = std::max<int64_t>(4, task_bytes / row_bytes / 4 * 4);
    for (int64_t first = 0; first < product.n; first += rows) {
      tasks.push_back({&product, first, std::min(first + rows, product.n), 0, 0});
    }
  }
  run_tasks(tasks, [&](const Task& task) {
    packed_rows(*task.product, x, task.first, task.last);
    for (int64_t row = 0; row < x.rows; ++row) {
      if (!x.finite[row]) packed_float_row(*task.product, row, task.first, task.last);
    }
  });
}

// Tiles for one task: as many as leave each thread a few tasks, within the cache.
int64_t tiles_per_task(std::span<const PackedMatmul> products, const ActivationTiles& x,
                       int64_t columns) {
  int64_t panels = 0;
  for (const PackedMatmul& product : products) panels += (product.n + columns - 1) / columns;
  int64_t wanted = 4 * ThreadPool::instance().threads();
  int64_t pieces = std::max<int64_t>(1, wanted / std::max<int64_t>(1, panels));
  int64_t rows = std::min(task_rows_max, task_x_bytes_max / (2 * x.stride));
  int64_t most = std::max<int64_t>(1, rows / x.tile);
  return std::clamp<int64_t>((x.tiles() + pieces - 1) / pieces, 1, most);
}

// Many rows: panels of w are unpacked once for the tiles of a task.
void run_panels(std::span<const PackedMatmul> products, Scratch& scratch,
                std::vector<Task>& tasks) {
  const PackedMatmul& p = products.front();
  const PanelShape shape = panel_shape();
  int64_t tiles = (p.m + shape.tile_rows - 1) / shape.tile_rows;
  int64_t tile = ((p.m + tiles - 1) / tiles + 3) / 4 * 4;
  ActivationTiles x;
  place_tiles(p.m, p.k, tile, scratch, x);
  ThreadPool::instance().run(x.tiles(), [&](int64_t index) {
    fill_tile(p.x, p.x_dtype, p.x_row_stride, p.k, index, x);
  });
  int64_t per_task = tiles_per_task(products, x, shape.columns);
  for (const PackedMatmul& product : products) {
    for (int64_t at = 0; at < x.tiles(); at += per_task) {
      for (int64_t first = 0; first < product.n; first += shape.columns) {
        tasks.push_back({&product, first, std::min(first + shape.columns, product.n), at,
                         std::min(at + per_task, x.tiles())});
      }
    }
  }
  run_tasks(tasks, [&](const Task& task) {
    packed_panel(*task.product, x, task.tile_first, task.tile_last, task.first);
    int64_t end = std::min(task.tile_last * x.tile, p.m);
    for (int64_t row = task.tile_first * x.tile; row < end; ++row) {
      if (!x.finite[row]) packed_float_row(*task.product, row, task.first, task.last);
    }
  });
}

}  // namespace

void packed_matmul(const PackedMatmul& product) { packed_matmul_many({&product, 1}); }

void packed_matmul_many(std::span<const PackedMatmul> products) {
  for (const PackedMatmul& product : products) {
    check(product);
    check_shared(product, products.front());
  }
  if (products.empty() || products.front().m == 0) return;
  if (products.front().k == 0) {
    for (const PackedMatmul& product : products) fill_zero(product);
    return;
  }
  thread_local Scratch scratch;
  thread_local std::vector<Task> tasks;
  tasks.clear();
  if (products.front().m <= row_product_rows_max) {
    run_rows(products, scratch, tasks);
  } else {
    run_panels(products, scratch, tasks);
  }
}

}  // namespace lazuli::cpu
