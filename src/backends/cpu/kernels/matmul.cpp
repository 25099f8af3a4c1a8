// Matrix products on oneDNN (float32), OpenBLAS (float64, complex64) or, without them, own loops.
//
// Halves are widened to float32 first: without bf16 instructions a float32 product is the fastest
// exact way. The pool deals tiles of the output to the threads; the libraries run single-threaded
// inside. Floor: 2 M N K flops over the peak.
#include "backends/cpu/kernels/matmul.h"

#include <algorithm>
#include <complex>
#include <cstring>
#include <vector>

#include "backends/cpu/blas.h"
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
    if (!std::is_same_v<T, float> || operand.dtype == Dtype::Val::float32) {
      if (!usable(strides)) copy(operand, shape, strides);
    } else {
      widen(operand, shape, strides);
    }
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

  void widen(const Operand& operand, const Shape& shape, Strides& strides) {
    Layout dense;
    const char* from = operand.data();
    if (!operand.layout->dense) {
      dense = Layout(allocate_buffer(static_cast<size_t>(operand.size()) * 2), 0, {}, true);
      Strides a = strides, b = dense_strides(shape);
      for (int64_t& s : a) s *= 2;
      for (int64_t& s : b) s *= 2;
      cpu::copy_strided(shape, 2, from, a, dense.data(), b);
      from = dense.data();
    }
    int64_t count = operand.size();
    copy_ = Layout(allocate_buffer(static_cast<size_t>(count) * 4), 0, {}, true);
    float* to = reinterpret_cast<float*>(copy_.data());
    ThreadPool::instance().run((count + 65535) / 65536, [&](int64_t part) {
      int64_t last = std::min(count, (part + 1) * 65536);
      if (operand.dtype == Dtype::Val::float16) {
        for (int64_t i = part * 65536; i < last; ++i)
          to[i] = reinterpret_cast<const float16_t*>(from)[i];
      } else {
        for (int64_t i = part * 65536; i < last; ++i)
          to[i] = reinterpret_cast<const bfloat16_t*>(from)[i];
      }
    });
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

template <class Half>
void multiply_halves(const KernelCall& call) {
  int64_t count = call.output.size();
  Layout wide(allocate_buffer(static_cast<size_t>(count) * 4), 0, {}, true);
  float* from = reinterpret_cast<float*>(wide.data());
  multiply<float>(call, from);
  Half* to = call.output.as<Half>();
  for (int64_t i = 0; i < count; ++i) to[i] = Half(from[i]);
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
