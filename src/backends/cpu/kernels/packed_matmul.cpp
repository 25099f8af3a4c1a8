// Checks, converts x, and shares the rows of w out to the pool.
#include "backends/cpu/kernels/packed_matmul.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "backends/cpu/kernels/packed_activations.h"
#include "backends/cpu/kernels/packed_rows.h"
#include "base/thread_pool.h"
#include "lazuli/error.h"

namespace lazuli::cpu {

namespace {

constexpr int64_t task_bytes = 1 << 16;  // of w: a few microseconds of reading

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

// A range of rows of w of one product.
struct Task {
  const PackedMatmul* product;
  int64_t first;
  int64_t last;
};

void append_tasks(const PackedMatmul& p, std::vector<Task>& tasks) {
  int64_t row_bytes = packed_row_bytes(p.format, p.k);
  int64_t rows = std::max<int64_t>(4, task_bytes / row_bytes / 4 * 4);
  for (int64_t first = 0; first < p.n; first += rows) {
    tasks.push_back({&p, first, std::min(first + rows, p.n)});
  }
}

void run_task(const Task& task, const Activations& x) {
  packed_rows(*task.product, x, task.first, task.last);
  for (int64_t row = 0; row < x.rows; ++row) {
    if (!x.finite[row]) packed_float_row(*task.product, row, task.first, task.last);
  }
}

void run_products(std::span<const PackedMatmul> products) {
  thread_local Scratch scratch;
  thread_local std::vector<Task> tasks;
  const PackedMatmul& p = products.front();
  Activations x;
  place_activations(p.m, p.k, scratch, x);
  fill_activations(p.x, p.x_dtype, p.x_row_stride, p.k, 0, p.m, x);
  tasks.clear();
  for (const PackedMatmul& product : products) append_tasks(product, tasks);
  const Task* all = tasks.data();
  ThreadPool::instance().run(static_cast<int64_t>(tasks.size()),
                             [&](int64_t i) { run_task(all[i], x); });
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
  run_products(products);
}

}  // namespace lazuli::cpu
