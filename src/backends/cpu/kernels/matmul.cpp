// Matrix products on oneDNN (float32), OpenBLAS (float64, complex64) or, without them, own loops.
//
// Halves become float32 in cache: without bf16 instructions a float32 product is the fastest exact
// way (half_products.h). The pool deals tiles of the output to the threads; the libraries run
// single-threaded inside. Floor: 2 M N K flops over the peak.
#include "backends/cpu/kernels/matmul.h"

#include <algorithm>
#include <complex>
#include <cstring>
#include <vector>

#include "backends/cpu/blas.h"
#include "backends/cpu/kernels/half_products.h"
#include "backends/cpu/kernels/move.h"
#include "base/signals.h"
#include "base/thread_pool.h"
#include "compiler/backend.h"
#include "core/visit.h"

#if LAZULI_HAVE_ONEDNN
#include <dnnl.h>
#endif

#if LAZULI_HAVE_ONEDNN
extern "C" void omp_set_num_threads(int);  // of libgomp, which oneDNN runs on; no header with clang
#endif

namespace lazuli {
namespace {

// A matrix of a batch: rows * columns, one of the two strides being 1.
template <class T>
struct Matrix {
  const T* data;
  int64_t stride;  // between rows, or between columns if transposed
  bool transposed;
};

template <class T>
struct Tile {
  int64_t m, n, k;
  Matrix<T> a, b;
  T* c;
  int64_t c_stride;
  bool add = false;  // to what c holds
};

template <class T>
void own_product(const Tile<T>& t) {
  constexpr int64_t rows_at_once = 4;
  using Sum = std::conditional_t<std::is_same_v<T, float>, float, T>;
  std::vector<Sum> row(static_cast<size_t>(t.n * rows_at_once));
  auto at = [](const Matrix<T>& x, int64_t i, int64_t j) {
    return x.transposed ? x.data[j * x.stride + i] : x.data[i * x.stride + j];
  };
  for (int64_t i = 0; i < t.m; i += rows_at_once) {
    int64_t count = std::min(rows_at_once, t.m - i);
    for (int64_t r = 0; r < count; ++r) {
      Sum* to = row.data() + r * t.n;
      t.add ? std::copy_n(t.c + (i + r) * t.c_stride, t.n, to) : std::fill_n(to, t.n, Sum{});
    }
    for (int64_t k = 0; k < t.k; ++k) {
      for (int64_t r = 0; r < count; ++r) {
        Sum x = at(t.a, i + r, k);
        Sum* to = row.data() + r * t.n;
        if (t.b.transposed) {
          for (int64_t j = 0; j < t.n; ++j) to[j] += x * t.b.data[j * t.b.stride + k];
        } else {
          const T* from = t.b.data + k * t.b.stride;
          for (int64_t j = 0; j < t.n; ++j) to[j] += x * from[j];
        }
      }
    }
    for (int64_t r = 0; r < count; ++r) {
      std::copy_n(row.data() + r * t.n, t.n, t.c + (i + r) * t.c_stride);
    }
  }
}

void product(const Tile<float>& t) {
#if LAZULI_HAVE_ONEDNN
  thread_local bool single = (omp_set_num_threads(1), true);
  (void)single;
  dnnl_status_t status =
      dnnl_sgemm(t.a.transposed ? 'T' : 'N', t.b.transposed ? 'T' : 'N', t.m, t.n, t.k, 1.0f,
                 t.a.data, std::max<int64_t>(t.a.stride, 1), t.b.data,
                 std::max<int64_t>(t.b.stride, 1), t.add ? 1.0f : 0.0f, t.c, t.c_stride);
  if (status != dnnl_success) throw RuntimeError("[matmul] oneDNN failed.");
#elif LAZULI_HAVE_OPENBLAS
  cpu::blas().sgemm(CblasRowMajor, t.a.transposed ? CblasTrans : CblasNoTrans,
                    t.b.transposed ? CblasTrans : CblasNoTrans, static_cast<int>(t.m),
                    static_cast<int>(t.n), static_cast<int>(t.k), 1.0f, t.a.data,
                    static_cast<int>(t.a.stride), t.b.data, static_cast<int>(t.b.stride),
                    t.add ? 1.0f : 0.0f, t.c, static_cast<int>(t.c_stride));
#else
  own_product(t);
#endif
}

template <class T>
void product(const Tile<T>& t) {
#if LAZULI_HAVE_OPENBLAS
  auto ta = t.a.transposed ? CblasTrans : CblasNoTrans;
  auto tb = t.b.transposed ? CblasTrans : CblasNoTrans;
  int m = static_cast<int>(t.m), n = static_cast<int>(t.n), k = static_cast<int>(t.k);
  int lda = static_cast<int>(t.a.stride), ldb = static_cast<int>(t.b.stride);
  int ldc = static_cast<int>(t.c_stride);
  if constexpr (std::is_same_v<T, double>) {
    cpu::blas().dgemm(CblasRowMajor, ta, tb, m, n, k, 1.0, t.a.data, lda, t.b.data, ldb, 0.0, t.c,
                      ldc);
  } else {
    const T one(1), zero(0);
    cpu::blas().cgemm(CblasRowMajor, ta, tb, m, n, k, &one, t.a.data, lda, t.b.data, ldb, &zero,
                      t.c, ldc);
  }
#else
  own_product(t);
#endif
}

// An operand as batches of matrices in T: as it lies if the strides allow it, else copied.
template <class T>
class Batches {
 public:
  Batches(const Operand& operand, const Shape& lead) {
    const Shape& shape = *operand.shape;
    rows_ = shape[shape.size() - 2];
    columns_ = shape.back();
    Strides strides = operand.layout->dense ? dense_strides(shape) : operand.layout->strides;
    data_ = operand.as<T>();
    if (!usable(strides)) copy(operand, shape, strides);
    lead_ = lead;
    size_t own = shape.size() - 2;
    lead_strides_ = Strides(lead.size(), 0);
    for (size_t d = 0; d < own; ++d) {
      if (shape[d] != 1) lead_strides_[lead.size() - own + d] = strides[d];
    }
  }

  Matrix<T> operator[](int64_t batch) const {
    const T* at = data_;
    for (size_t d = lead_.size(); d-- > 0;) {
      at += batch % lead_[d] * lead_strides_[d];
      batch /= lead_[d];
    }
    return {at, stride_, transposed_};
  }

 private:
  bool usable(const Strides& strides) {
    int64_t row = strides[strides.size() - 2], column = strides.back();
    if ((column == 1 || columns_ == 1) && (row >= columns_ || rows_ == 1)) {
      stride_ = std::max(row, columns_);
      return true;
    }
    if ((row == 1 || rows_ == 1) && (column >= rows_ || columns_ == 1)) {
      stride_ = std::max(column, rows_);
      transposed_ = true;
      return true;
    }
    return false;
  }

  void take_copy(const Shape& shape, Strides& strides) {
    strides = dense_strides(shape);
    stride_ = columns_;
    transposed_ = false;
    data_ = reinterpret_cast<const T*>(copy_.data());
  }

  void copy(const Operand& operand, const Shape& shape, Strides& strides) {
    copy_ = Layout(allocate_buffer(static_cast<size_t>(operand.size()) * sizeof(T)), 0, {}, true);
    Strides from = strides, to = dense_strides(shape);
    for (int64_t& s : from) s *= sizeof(T);
    for (int64_t& s : to) s *= sizeof(T);
    cpu::copy_strided(shape, sizeof(T), operand.data(), from, copy_.data(), to);
    take_copy(shape, strides);
  }

  int64_t rows_, columns_;
  const T* data_;
  int64_t stride_ = 1;
  bool transposed_ = false;
  Layout copy_;
  Shape lead_;
  Strides lead_strides_;
};

// Tiles of the output, enough for all threads.
struct Tiling {
  int64_t rows, columns, down, across;
  Tiling(int64_t batches, int64_t m, int64_t n, int64_t k) {
    double work = static_cast<double>(batches) * m * n * k;
    int64_t wanted = work < 1e5 ? 1 : ThreadPool::instance().threads() * 2;
    down = across = 1;
    while (batches * down * across < wanted) {
      if (n / across > m / down && n / across >= 64) across *= 2;
      else if (m / down >= 8) down *= 2;
      else if (n / across >= 64) across *= 2;
      else break;
    }
    rows = (m + down - 1) / down;
    columns = ((n + across - 1) / across + 15) / 16 * 16;
    across = (n + columns - 1) / columns;
  }
};

// Calls task(batch, row, column) for each tile on the pool.
template <class Task>
void for_each_tile(const Tiling& tiling, int64_t batches, int64_t m, int64_t n, const Task& task) {
  int64_t parts = tiling.down * tiling.across;
  ThreadPool::instance().run(batches * parts, [&](int64_t index) {
    int64_t part = index % parts;
    int64_t row = part / tiling.across * tiling.rows;
    int64_t column = part % tiling.across * tiling.columns;
    if (row < m && column < n) task(index / parts, row, column);
  });
}

template <class T>
void multiply(const KernelCall& call, T* out) {
  const Shape& shape = *call.output.shape;
  int64_t m = shape[shape.size() - 2], n = shape.back(), k = call.inputs[0].extent(-1);
  if (m * n == 0) return;
  Shape lead(shape.begin(), shape.end() - 2);
  int64_t batches = element_count(lead);
  if (k == 0) {
    std::fill_n(out, batches * m * n, T{});
    return;
  }
  Batches<T> a(call.inputs[0], lead), b(call.inputs[1], lead);
  Tiling tiling(batches, m, n, k);
  for_each_tile(tiling, batches, m, n, [&](int64_t batch, int64_t row, int64_t column) {
    Tile<T> t{std::min(tiling.rows, m - row),
              std::min(tiling.columns, n - column),
              k,
              a[batch],
              b[batch],
              out + batch * m * n + row * n + column,
              n};
    t.a.data += t.a.transposed ? row : row * t.a.stride;
    t.b.data += t.b.transposed ? column * t.b.stride : column;
    product(t);
  });
}

// Room of a thread, which only grows.
float* scratch_of_thread(int64_t count) {
  thread_local std::vector<float> room;
  if (room.size() < static_cast<size_t>(count)) room.resize(static_cast<size_t>(count));
  return room.data();
}

// Strides of powers of two would put a column's elements into one set of the caches.
constexpr int64_t gap = 16;

// Rows [row, row + rows) and columns [column, column + columns) as float32, which lie as the matrix
// lies.
template <class Half>
Matrix<float> widened(const Matrix<Half>& x, int64_t row, int64_t rows, int64_t column,
                      int64_t columns, float* to) {
  if (x.transposed) {
    std::swap(row, column);
    std::swap(rows, columns);
  }
  for (int64_t i = 0; i < rows; ++i) {
    cpu::widen(TypeToDtype<Half>::value.val(), x.data + (row + i) * x.stride + column, columns,
               to + i * (columns + gap));
  }
  return {to, columns + gap, x.transposed};
}

// Up to few_rows_max rows of a.
template <class Half>
void multiply_few_rows(const Batches<Half>& a, const Batches<Half>& b, int64_t batches, int64_t m,
                       int64_t n, int64_t k, Half* out) {
  const int64_t wanted = 4 * ThreadPool::instance().threads() / std::min<int64_t>(batches, 4);
  const int64_t step = std::clamp((n / wanted + 63) / 64 * 64, int64_t{64}, cpu::few_rows_columns);
  const int64_t parts = (n + step - 1) / step;
  ThreadPool::instance().run(batches * parts, [&](int64_t task) {
    const int64_t batch = task / parts, first = task % parts * step;
    const Matrix<Half> from = a[batch], w = b[batch];
    float* x = scratch_of_thread(m * k);
    if (from.transposed) {
      for (int64_t i = 0; i < m * k; ++i) {
        x[i] = static_cast<float>(from.data[i % k * from.stride + i / k]);
      }
    } else {
      for (int64_t i = 0; i < m; ++i) {
        cpu::widen(TypeToDtype<Half>::value.val(), from.data + i * from.stride, k, x + i * k);
      }
    }
    cpu::multiply_few_rows({TypeToDtype<Half>::value.val(), m, n, k, x, w.data, w.stride,
                            w.transposed, out + batch * m * n},
                           first, std::min(n, first + step));
  });
}

// A tile of the output: slices of both operands become float32 in cache.
template <class Half>
void multiply_in_slices(const Matrix<Half>& a, const Matrix<Half>& b, int64_t row, int64_t rows,
                        int64_t column, int64_t columns, int64_t k, Half* out, int64_t out_stride) {
  constexpr int64_t depth = 256, rows_max = 512, columns_max = 1024;
  // A slice has its rows or its columns in lines with gaps.
  constexpr int64_t sums_size = rows_max * (columns_max + gap);
  constexpr int64_t left_size = depth * rows_max + std::max(depth, rows_max) * gap;
  constexpr int64_t right_size = depth * columns_max + std::max(depth, columns_max) * gap;
  float* sums = scratch_of_thread(sums_size + left_size + right_size);
  float *left = sums + sums_size, *right = left + left_size;
  for (int64_t j = column; j < column + columns; j += columns_max) {
    const int64_t width = std::min(columns_max, column + columns - j);
    for (int64_t i = row; i < row + rows; i += rows_max) {
      const int64_t height = std::min(rows_max, row + rows - i);
      for (int64_t at = 0; at < k; at += depth) {
        const int64_t count = std::min(depth, k - at);
        product(Tile<float>{height, width, count, widened(a, i, height, at, count, left),
                            widened(b, at, count, j, width, right), sums, width + gap, at > 0});
      }
      for (int64_t r = 0; r < height; ++r) {
        cpu::narrow(sums + r * (width + gap), width, TypeToDtype<Half>::value.val(),
                    out + (i + r) * out_stride + j);
      }
    }
  }
}

template <class Half>
void multiply_halves(const KernelCall& call) {
  const Shape& shape = *call.output.shape;
  int64_t m = shape[shape.size() - 2], n = shape.back(), k = call.inputs[0].extent(-1);
  if (call.output.size() == 0) return;
  Half* out = call.output.as<Half>();
  Shape lead(shape.begin(), shape.end() - 2);
  int64_t batches = element_count(lead);
  if (k == 0) {
    std::fill_n(out, batches * m * n, Half(0.0f));
    return;
  }
  Batches<Half> a(call.inputs[0], lead), b(call.inputs[1], lead);
  if (m <= cpu::few_rows_max) return multiply_few_rows(a, b, batches, m, n, k, out);
  Tiling tiling(batches, m, n, k);
  for_each_tile(tiling, batches, m, n, [&](int64_t batch, int64_t row, int64_t column) {
    multiply_in_slices(a[batch], b[batch], row, std::min(tiling.rows, m - row), column,
                       std::min(tiling.columns, n - column), k, out + batch * m * n, n);
  });
}

}  // namespace

void cpu::multiply_transposed(const TransposedProduct& p) {
#if LAZULI_HAVE_ONEDNN
  SignalsBlocked blocked;
#endif
  Tiling tiling(1, p.m, p.n, p.k);
  for_each_tile(tiling, 1, p.m, p.n, [&](int64_t, int64_t row, int64_t column) {
    product(Tile<float>{std::min(tiling.rows, p.m - row),
                        std::min(tiling.columns, p.n - column),
                        p.k,
                        {p.a + row * p.a_row_stride, p.a_row_stride, false},
                        {p.b + column * p.b_row_stride, p.b_row_stride, true},
                        p.out + row * p.out_row_stride + column,
                        p.out_row_stride,
                        p.add});
  });
}

// Inputs: a [..., M, K], b [..., K, N], of any strides.
void kernel_matmul(const KernelCall& call) {
#if LAZULI_HAVE_ONEDNN
  SignalsBlocked blocked;  // base/signals.h says why; the pool's threads have none anyway
#endif
  switch (call.output.dtype) {
    case Dtype::Val::float32: return multiply(call, call.output.as<float>());
    case Dtype::Val::float64: return multiply(call, call.output.as<double>());
    case Dtype::Val::complex64: return multiply(call, call.output.as<complex64_t>());
    case Dtype::Val::float16: return multiply_halves<float16_t>(call);
    case Dtype::Val::bfloat16: return multiply_halves<bfloat16_t>(call);
    default: throw TypeError("[matmul] Only inexact dtypes are multiplied.");
  }
}

}  // namespace lazuli
