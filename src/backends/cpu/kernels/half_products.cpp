// Few rows of x read w once. Where the columns of w lie together, each is a dot product with all
// rows, sums in registers; otherwise rows of w are added to sums in L1, four at a time.
//
// Floor: the bytes of w.
#include "backends/cpu/kernels/half_products.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/half_products.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "backends/cpu/kernels/packed/packed_floats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using packed::HWY_NAMESPACE::load_floats;
using packed::HWY_NAMESPACE::store_floats;

using Floats = hn::CappedTag<float, 16>;
constexpr int64_t lanes = static_cast<int64_t>(hn::MaxLanes(Floats()));

// Calls call(T()) for a half type.
template <class Call>
HWY_INLINE void with_half(Dtype::Val dtype, const Call& call) {
  dtype == Dtype::Val::bfloat16 ? call(bfloat16_t()) : call(float16_t());
}

void widen_line(Dtype::Val dtype, const void* from, int64_t count, float* to) {
  const Floats d;
  with_half(dtype, [&](auto t) HWY_ATTR {
    const auto* values = static_cast<const decltype(t)*>(from);
    int64_t i = 0;
    for (; i + 2 * lanes <= count; i += 2 * lanes) {
      const auto first = load_floats(d, values + i), second = load_floats(d, values + i + lanes);
      hn::StoreU(first, d, to + i);
      hn::StoreU(second, d, to + i + lanes);
    }
    for (; i < count; i += lanes) {
      const auto rest = static_cast<size_t>(std::min(lanes, count - i));
      hn::StoreN(load_floats(d, values + i, rest), d, to + i, rest);
    }
  });
}

void narrow_line(const float* from, int64_t count, Dtype::Val dtype, void* to) {
  const Floats d;
  with_half(dtype, [&](auto t) HWY_ATTR {
    auto* values = static_cast<decltype(t)*>(to);
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) store_floats(d, hn::LoadU(d, from + i), values + i);
    const auto rest = static_cast<size_t>(count - i);
    if (rest != 0) store_floats(d, hn::LoadN(d, from + i, rest), values + i, rest);
  });
}

// Dot products of the columns of w with M rows of x; the rest of a column counts as zeros.
template <int M, class T>
void dot_products(const FewRowsProduct& p, int64_t first, int64_t last) {
  const Floats d;
  constexpr int64_t step = 4 / (M > 2 ? 2 : 1);  // vectors of w at a time
  const int64_t whole = p.k / (step * lanes) * (step * lanes);
  auto* out = static_cast<T*>(p.out);
  for (int64_t n = first; n < last; ++n) {
    const T* w = static_cast<const T*>(p.w) + n * p.w_stride;
    hn::Vec<Floats> sums[M][step];
    for (int m = 0; m < M; ++m) {
      for (int64_t v = 0; v < step; ++v) sums[m][v] = hn::Zero(d);
    }
    for (int64_t i = 0; i < whole; i += step * lanes) {
#pragma GCC unroll 4
      for (int64_t v = 0; v < step; ++v) {
        const auto values = load_floats(d, w + i + v * lanes);
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m) {
          sums[m][v] = hn::MulAdd(values, hn::LoadU(d, p.x + m * p.k + i + v * lanes), sums[m][v]);
        }
      }
    }
    for (int64_t i = whole; i < p.k; i += lanes) {
      const auto rest = static_cast<size_t>(std::min(lanes, p.k - i));
      const auto values = load_floats(d, w + i, rest);
      for (int m = 0; m < M; ++m) {
        sums[m][0] = hn::MulAdd(values, hn::LoadN(d, p.x + m * p.k + i, rest), sums[m][0]);
      }
    }
    for (int m = 0; m < M; ++m) {
      auto sum = sums[m][0];
      for (int64_t v = 1; v < step; ++v) sum = hn::Add(sum, sums[m][v]);
      out[m * p.n + n] = T(hn::ReduceSum(d, sum));
    }
  }
}

// Rows [k, k + Rows) of w, weighted by x, to the sums of some columns.
template <int M, int Rows, class T>
HWY_INLINE void add_rows(const FewRowsProduct& p, int64_t k, int64_t first, int64_t count,
                         float* sums) {
  const Floats d;
  const T* w = static_cast<const T*>(p.w) + k * p.w_stride + first;
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::Vec<Floats> values[Rows];
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) values[r] = load_floats(d, w + r * p.w_stride + i);
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
      float* to = sums + m * few_rows_columns + i;
      auto sum = hn::Load(d, to);
#pragma GCC unroll 4
      for (int r = 0; r < Rows; ++r) {
        sum = hn::MulAdd(values[r], hn::Set(d, p.x[m * p.k + k + r]), sum);
      }
      hn::Store(sum, d, to);
    }
  }
  for (; i < count; ++i) {
    for (int m = 0; m < M; ++m) {
      for (int r = 0; r < Rows; ++r) {
        sums[m * few_rows_columns + i] +=
            static_cast<float>(w[r * p.w_stride + i]) * p.x[m * p.k + k + r];
      }
    }
  }
}

template <int M, class T>
void sums_of_rows(const FewRowsProduct& p, int64_t first, int64_t last) {
  HWY_ALIGN float sums[M * few_rows_columns] = {};
  const int64_t count = last - first;
  int64_t k = 0;
  for (; k + 4 <= p.k; k += 4) add_rows<M, 4, T>(p, k, first, count, sums);
  for (; k < p.k; ++k) add_rows<M, 1, T>(p, k, first, count, sums);
  for (int m = 0; m < M; ++m) {
    narrow_line(sums + m * few_rows_columns, count, p.dtype,
                static_cast<T*>(p.out) + m * p.n + first);
  }
}

template <int M>
void few_rows_of(const FewRowsProduct& p, int64_t first, int64_t last) {
  with_half(p.dtype, [&](auto t) HWY_ATTR {
    using T = decltype(t);
    p.w_transposed ? dot_products<M, T>(p, first, last) : sums_of_rows<M, T>(p, first, last);
  });
}

void few_rows(const FewRowsProduct& p, int64_t first, int64_t last) {
  switch (p.m) {
    case 1: return few_rows_of<1>(p, first, last);
    case 2: return few_rows_of<2>(p, first, last);
    case 3: return few_rows_of<3>(p, first, last);
    default: return few_rows_of<4>(p, first, last);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::cpu {

HWY_EXPORT(widen_line);
HWY_EXPORT(narrow_line);
HWY_EXPORT(few_rows);

void widen(Dtype::Val dtype, const void* from, int64_t count, float* to) {
  HWY_DYNAMIC_DISPATCH(widen_line)(dtype, from, count, to);
}

void narrow(const float* from, int64_t count, Dtype::Val dtype, void* to) {
  HWY_DYNAMIC_DISPATCH(narrow_line)(from, count, dtype, to);
}

void multiply_few_rows(const FewRowsProduct& product, int64_t first, int64_t last) {
  HWY_DYNAMIC_DISPATCH(few_rows)(product, first, last);
}

}  // namespace lazuli::cpu
#endif  // HWY_ONCE
