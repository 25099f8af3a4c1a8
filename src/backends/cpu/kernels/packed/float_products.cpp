// Few rows of x: pieces of a row of w in L1 meet all of them, sums in registers. Many rows: slices
// of w become dense matrices for the float32 matrix product.
//
// Floor: the bytes of w (few rows), the peak of float32 (many).
#include "backends/cpu/kernels/packed/float_products.h"

#include <algorithm>

#include "backends/cpu/kernels/matmul.h"
#include "backends/cpu/kernels/packed/packed_schedule.h"
#include "backends/cpu/kernels/packed/packed_scratch.h"
#include "base/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/packed/float_products.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::packed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t piece_elements = 1024;

// Columns [first, last) of M rows of the output.
template <int M>
void columns_of(const FloatProduct& p, const FloatWeights& weights, int64_t first, int64_t last) {
  const hn::CappedTag<float, 16> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN float w[piece_elements];
  for (int64_t n = first; n < last; ++n) {
    hn::Vec<decltype(d)> even[M], odd[M];
    for (int m = 0; m < M; ++m) even[m] = odd[m] = hn::Zero(d);
    for (int64_t at = 0; at < p.k; at += piece_elements) {
      const int64_t count = HWY_MIN(piece_elements, p.k - at);
      weights.fill(n, at, count, w);
      for (int64_t i = 0; i < count; i += 2 * lanes) {
        const auto w0 = hn::Load(d, w + i), w1 = hn::Load(d, w + i + lanes);
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m) {
          const float* x = p.x + m * p.x_row_stride + at + i;
          even[m] = hn::MulAdd(w0, hn::LoadU(d, x), even[m]);
          odd[m] = hn::MulAdd(w1, hn::LoadU(d, x + lanes), odd[m]);
        }
      }
    }
    for (int m = 0; m < M; ++m) {
      p.out[m * p.out_row_stride + n] = hn::ReduceSum(d, hn::Add(even[m], odd[m]));
    }
  }
}

void few_rows(const FloatProduct& p, const FloatWeights& weights, int64_t first, int64_t last) {
  switch (p.m) {
    case 1: return columns_of<1>(p, weights, first, last);
    case 2: return columns_of<2>(p, weights, first, last);
    case 3: return columns_of<3>(p, weights, first, last);
    default: return columns_of<4>(p, weights, first, last);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu::packed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::cpu::packed {

HWY_EXPORT(few_rows);

namespace {

constexpr int64_t slice_columns = 256, slice_rows = 4096, fill_rows = 64;
// Sums of so many products are added, which keeps the error small where one of them is large.
constexpr int64_t sum_depth = 64;

void multiply_slices(const FloatProduct& p, const FloatWeights& weights) {
  thread_local Scratch scratch;
  const int64_t rows = std::min(slice_rows, p.n), columns = std::min(slice_columns, p.k);
  scratch.start(Scratch::bytes<float>(rows * columns));
  float* dense = scratch.take<float>(rows * columns);
  for (int64_t first = 0; first < p.n; first += rows) {
    const int64_t count = std::min(rows, p.n - first);
    for (int64_t at = 0; at < p.k; at += columns) {
      const int64_t depth = std::min(columns, p.k - at);
      ThreadPool::instance().run((count + fill_rows - 1) / fill_rows, [&](int64_t part) {
        const int64_t last = std::min(count, (part + 1) * fill_rows);
        for (int64_t row = part * fill_rows; row < last; ++row) {
          weights.fill(first + row, at, depth, dense + row * depth);
        }
      });
      for (int64_t i = 0; i < depth; i += sum_depth) {
        multiply_transposed({p.x + at + i, p.x_row_stride, dense + i, depth, p.out + first,
                             p.out_row_stride, p.m, count, std::min(sum_depth, depth - i),
                             at + i > 0});
      }
    }
  }
}

}  // namespace

void multiply_floats(const FloatProduct& p, const FloatWeights& weights) {
  if (p.m > row_product_rows_max) return multiply_slices(p, weights);
  const int64_t step = rows_per_piece(p.n * p.k, p.k);
  run_stretches((p.n + step - 1) / step, [&](int64_t piece) {
    HWY_DYNAMIC_DISPATCH(few_rows)(p, weights, piece * step, std::min(p.n, (piece + 1) * step));
  });
}

}  // namespace lazuli::cpu::packed
#endif  // HWY_ONCE
