// Checks, converts x, and shares pieces of the products out to the pool.
#include "backends/cpu/kernels/packed/packed_matmul.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "backends/cpu/kernels/packed/float_products.h"
#include "backends/cpu/kernels/packed/packed_activations.h"
#include "backends/cpu/kernels/packed/packed_dequantize.h"
#include "backends/cpu/kernels/packed/packed_panels.h"
#include "backends/cpu/kernels/packed/packed_rows.h"
#include "backends/cpu/kernels/packed/packed_schedule.h"
#include "base/thread_pool.h"
#include "lazuli/error.h"
#include "lazuli/small_vector.h"

namespace lazuli::cpu {

namespace {

using packed::Activations;
using packed::is_packed_float;
using packed::LevelTiles;
using packed::Scratch;

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
  require(
      is_packed_float(p.out_dtype), p,
      std::string("the result is float32, bfloat16 or float16, not ") + dtype_name(p.out_dtype));
  require(p.m <= 1 || p.out_row_stride >= p.n, p,
          "the result's rows overlap: their stride is " + std::to_string(p.out_row_stride));
}

// The weights of one product.
class PackedFloats : public packed::FloatWeights {
 public:
  explicit PackedFloats(const PackedMatmul& p)
      : format_(p.format), w_(p.w), row_bytes_(packed_row_bytes(p.format, p.k)) {}
  void fill(int64_t row, int64_t first, int64_t count, float* out) const override {
    packed::packed_floats(format_, w_ + row * row_bytes_ + packed_row_bytes(format_, first), count,
                          out);
  }

 private:
  PackedFormat format_;
  const std::byte* w_;
  int64_t row_bytes_;
};

// `count` rows of `from` become rows of `to`, on the pool.
template <class To, class From>
void convert_rows(const From* from, int64_t from_stride, To* to, int64_t to_stride, int64_t count,
                  int64_t columns) {
  ThreadPool::instance().run(count, [&](int64_t row) {
    const From* values = from + row * from_stride;
    To* out = to + row * to_stride;
    for (int64_t i = 0; i < columns; ++i) out[i] = To(static_cast<float>(values[i]));
  });
}

// Calls call(T()) for the C++ type of a dtype that `is_packed_float` accepts.
void with_type(Dtype dtype, const auto& call) {
  if (dtype == float32) return call(float());
  dtype == bfloat16 ? call(bfloat16_t()) : call(float16_t());
}

void run_exact(const PackedMatmul& p) {
  const bool wide_x = p.x_dtype == float32, wide_out = p.out_dtype == float32;
  thread_local Scratch scratch;
  scratch.start((wide_x ? 0 : Scratch::bytes<float>(p.m * p.k)) +
                (wide_out ? 0 : Scratch::bytes<float>(p.m * p.n)));
  packed::FloatProduct floats{static_cast<const float*>(p.x), p.x_row_stride,  p.m, p.n, p.k,
                              static_cast<float*>(p.out),     p.out_row_stride};
  if (!wide_x) {
    float* x = scratch.take<float>(p.m * p.k);
    with_type(p.x_dtype, [&](auto t) {
      convert_rows(static_cast<const decltype(t)*>(p.x), p.x_row_stride, x, p.k, p.m, p.k);
    });
    floats.x = x;
    floats.x_row_stride = p.k;
  }
  if (!wide_out) {
    floats.out = scratch.take<float>(p.m * p.n);
    floats.out_row_stride = p.n;
  }
  packed::multiply_floats(floats, PackedFloats(p));
  if (wide_out) return;
  with_type(p.out_dtype, [&](auto t) {
    convert_rows(floats.out, p.n, static_cast<decltype(t)*>(p.out), p.out_row_stride, p.m, p.n);
  });
}

void check_shared(const PackedMatmul& p, const PackedMatmul& first) {
  require(p.x == first.x && p.x_dtype == first.x_dtype && p.x_row_stride == first.x_row_stride &&
              p.m == first.m && p.k == first.k && p.exact == first.exact,
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

// Rows [first, last) of one product's w.
struct Piece {
  const PackedMatmul* product;
  int64_t first, last;
};

// The rows of several products, cut into pieces that are numbered through.
class Pieces {
 public:
  explicit Pieces(std::span<const PackedMatmul> products) : products_(products) {
    int64_t bytes = 0;
    for (const PackedMatmul& p : products) bytes += p.n * packed_row_bytes(p.format, p.k);
    for (const PackedMatmul& p : products) {
      rows_.push_back(packed::rows_per_piece(bytes, packed_row_bytes(p.format, p.k)));
      ends_.push_back(count() + (p.n + rows_.back() - 1) / rows_.back());
    }
  }

  int64_t count() const { return ends_.empty() ? 0 : ends_.back(); }

  Piece operator[](int64_t index) const {
    size_t k = 0;
    while (index >= ends_[k]) ++k;
    int64_t first = (index - (k ? ends_[k - 1] : 0)) * rows_[k];
    return {&products_[k], first, std::min(first + rows_[k], products_[k].n)};
  }

 private:
  std::span<const PackedMatmul> products_;
  SmallVector<int64_t, 4> rows_, ends_;
};

// Few rows: all of x meets each row of w as it is read.
void run_rows(std::span<const PackedMatmul> products, Scratch& scratch) {
  const PackedMatmul& p = products.front();
  Activations x;
  packed::place_activations(p.m, p.k, scratch, x);
  packed::fill_activations(p.x, p.x_dtype, p.x_row_stride, p.k, packed::SplitOrder::halves, x);
  const Pieces pieces(products);
  packed::run_stretches(pieces.count(), [&](int64_t index) {
    const Piece piece = pieces[index];
    packed::packed_rows(*piece.product, x, piece.first, piece.last);
    for (int64_t row = 0; row < x.rows; ++row) {
      if (!x.finite[row]) packed::packed_float_row(*piece.product, row, piece.first, piece.last);
    }
  });
}

// Many rows: panels of w are unpacked once for the tiles of a task.
void run_panels(std::span<const PackedMatmul> products, Scratch& scratch,
                std::vector<Task>& tasks) {
  const PackedMatmul& p = products.front();
  const LevelTiles x =
      packed::convert_level_tiles(p.x, p.x_dtype, p.x_row_stride, p.m, p.k, scratch);
  const int64_t columns = packed::panel_shape().columns;
  int64_t panels = 0;
  for (const PackedMatmul& product : products) panels += (product.n + columns - 1) / columns;
  int64_t per_task = packed::tiles_per_task(panels, x.tiles(), x.tile);
  for (const PackedMatmul& product : products) {
    for (int64_t at = 0; at < x.tiles(); at += per_task) {
      for (int64_t first = 0; first < product.n; first += columns) {
        tasks.push_back({&product, first, std::min(first + columns, product.n), at,
                         std::min(at + per_task, x.tiles())});
      }
    }
  }
  const Task* all = tasks.data();
  packed::run_stretches(static_cast<int64_t>(tasks.size()), [&](int64_t index) {
    const Task& task = all[index];
    packed::packed_panel(*task.product, x, task.tile_first, task.tile_last, task.first);
    int64_t end = std::min(task.tile_last * x.tile, p.m);
    for (int64_t row = task.tile_first * x.tile; row < end; ++row) {
      if (!x.finite[row]) packed::packed_float_row(*task.product, row, task.first, task.last);
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
  if (products.front().exact) {
    for (const PackedMatmul& product : products) {
      if (product.n > 0) run_exact(product);
    }
    return;
  }
  thread_local Scratch scratch;
  thread_local std::vector<Task> tasks;
  tasks.clear();
  if (products.front().m <= packed::row_product_rows_max) {
    run_rows(products, scratch);
  } else {
    run_panels(products, scratch, tasks);
  }
}

}  // namespace lazuli::cpu
