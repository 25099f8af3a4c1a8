#include "support/against_reference.h"

#include <cmath>
#include <limits>
#include <memory>

#include "base/flags.h"
#include "core/visit.h"

namespace lazuli::testing {

Tolerance tolerance_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::Val::float16: return {1.2e-3, 1e-3};
    case Dtype::Val::bfloat16: return {8e-3, 8e-3};
    case Dtype::Val::float32: return {4e-6, 2e-6};
    case Dtype::Val::complex64: return {2e-5, 1e-5};
    case Dtype::Val::float64: return {1e-12, 1e-12};
    default: return {0, 0};
  }
}

std::vector<Dtype> all_dtypes() {
  return {bool_, uint8, uint16,  uint32,  uint64,  int8,     int16,
          int32, int64, float16, float32, float64, bfloat16, complex64};
}

std::vector<std::complex<double>> values_of(const array& a) {
  array dense = copy(a);
  dense.eval();
  std::vector<std::complex<double>> result;
  visit(a.dtype(), [&]<class T>() {
    const T* p = dense.data<T>();
    for (size_t i = 0; i < a.size(); ++i) {
      if constexpr (std::is_same_v<T, complex64_t>) result.push_back({p[i].real(), p[i].imag()});
      else if constexpr (std::is_integral_v<T>) result.push_back(static_cast<double>(p[i]));
      else if constexpr (std::is_same_v<T, double>) result.push_back(p[i]);
      else result.push_back(static_cast<float>(p[i]));
    }
  });
  return result;
}

namespace {

bool close(double got, double wanted, Tolerance t, Dtype dtype) {
  if (std::isnan(wanted)) return std::isnan(got);
  if (got == wanted) return true;
  // Beyond the dtype's range the rounded value is infinite.
  if (std::isinf(got) && dtype == float16 && std::fabs(wanted) > 65000) return true;
  if (std::isinf(got) && dtype != float64 && std::fabs(wanted) > 3.3e38) return true;
  return std::fabs(got - wanted) <= t.absolute + t.relative * std::fabs(wanted);
}

std::complex<double> wanted_at(const reference::Tensor& t, size_t i) {
  if (t.is_complex()) return t.complex[i];
  if (t.is_real()) return t.real[i];
  if (t.dtype == uint64) return static_cast<double>(static_cast<uint64_t>(t.whole[i]));
  return static_cast<double>(t.whole[i]);
}

}  // namespace

namespace {

// Integers and booleans, which doubles would round.
::testing::AssertionResult agree_exactly(const array& output, const reference::Tensor& wanted) {
  array dense = copy(output);
  dense.eval();
  return visit(output.dtype(), [&]<class T>() -> ::testing::AssertionResult {
    if constexpr (std::is_integral_v<T>) {
      for (size_t i = 0; i < dense.size(); ++i) {
        T want = static_cast<T>(wanted.whole[i]);
        if (dense.data<T>()[i] == want) continue;
        return ::testing::AssertionFailure()
               << dtype_name(output.dtype()) << " " << output.shape() << ", element " << i
               << ": got " << +dense.data<T>()[i] << ", reference " << +want;
      }
    }
    return ::testing::AssertionSuccess();
  });
}

}  // namespace

::testing::AssertionResult agrees(const std::vector<array>& outputs, double slack) {
  std::vector<Node*> nodes;
  for (const array& a : outputs) nodes.push_back(a.node());
  std::vector<reference::Tensor> wanted = reference::interpret(nodes);
  eval(outputs);
  for (size_t k = 0; k < outputs.size(); ++k) {
    if (!issubdtype(outputs[k].dtype(), inexact)) {
      ::testing::AssertionResult same = agree_exactly(outputs[k], wanted[k]);
      if (!same) return same << ", output " << k;
      continue;
    }
    Tolerance t = tolerance_of(outputs[k].dtype());
    t = {t.relative * slack, t.absolute * slack};
    std::vector<std::complex<double>> got = values_of(outputs[k]);
    for (size_t i = 0; i < got.size(); ++i) {
      std::complex<double> w = wanted_at(wanted[k], i);
      if (close(got[i].real(), w.real(), t, outputs[k].dtype()) &&
          close(got[i].imag(), w.imag(), t, outputs[k].dtype())) {
        continue;
      }
      return ::testing::AssertionFailure()
             << "output " << k << " (" << dtype_name(outputs[k].dtype()) << " "
             << outputs[k].shape() << "), element " << i << ": got " << got[i] << ", reference "
             << w;
    }
  }
  return ::testing::AssertionSuccess();
}

::testing::AssertionResult is_exactly(const array& a, const std::vector<double>& wanted) {
  std::vector<std::complex<double>> got = values_of(a);
  if (got.size() != wanted.size()) {
    return ::testing::AssertionFailure() << got.size() << " values, not " << wanted.size();
  }
  for (size_t i = 0; i < got.size(); ++i) {
    double x = got[i].real();
    if (x == wanted[i] || (std::isnan(x) && std::isnan(wanted[i]))) continue;
    return ::testing::AssertionFailure() << "element " << i << ": " << x << ", not " << wanted[i];
  }
  return ::testing::AssertionSuccess();
}

double level_rounding(int64_t rows) {
  bool on_gpu = default_device() != Device(Device::cpu) && !flags().fake_device;
  if (on_gpu) return 0;
  return rows <= 4 ? 8e-5 : 8e-4;
}

array special_values(Dtype dtype) {
  double inf = HUGE_VAL;
  std::vector<double> floats = {NAN, inf, -inf, 0.0, -0.0, 1, -1, 0.5, -2.5, 3, -3, 100, -100};
  auto with = [&](std::initializer_list<double> more) {
    std::vector<double> all = floats;
    all.insert(all.end(), more);
    return array(all.begin(), {static_cast<int64_t>(all.size())}, float64);
  };
  if (dtype == float64) return with({1e-300, 1e300, -1e300});
  if (dtype == float16) return astype(with({6e-8, 1e-4, 65504, -65504}), dtype);
  if (issubdtype(dtype, floating)) return astype(with({1e-30, -1e-30, 1e30, -1e30}), dtype);
  if (dtype == complex64) {
    std::vector<complex64_t> pairs;
    for (double re : floats) {
      for (double im : {0.0, -0.0, 1.0, -2.5, inf, -inf, static_cast<double>(NAN)}) {
        pairs.push_back({static_cast<float>(re), static_cast<float>(im)});
      }
    }
    return array(pairs.begin(), {static_cast<int64_t>(pairs.size())}, complex64);
  }
  return visit(dtype, [&]<class T>() {
    using Limits = std::numeric_limits<T>;
    std::vector<T> ends = {T(0), T(1), Limits::min(), Limits::max()};
    if constexpr (!std::is_same_v<T, bool> && std::is_integral_v<T>) {
      ends.insert(ends.end(), {T(2), T(3), T(7), T(31), T(33), T(64), T(-1), T(-2), T(-3),
                               T(Limits::max() - 1), T(Limits::min() + 1), T(Limits::max() / 2)});
    }
    std::unique_ptr<T[]> values(new T[ends.size()]);
    std::copy(ends.begin(), ends.end(), values.get());
    return array(values.get(), {static_cast<int64_t>(ends.size())}, dtype);
  });
}

array filled(const Shape& shape, Dtype dtype, double low, double high, uint64_t seed) {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  std::vector<double> re, im;
  uint64_t state = seed * 0x9e3779b97f4a7c15u + 0x1234567;
  auto next = [&] {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return static_cast<double>(state >> 11) * 0x1p-53;
  };
  bool whole = !issubdtype(dtype, inexact);
  if (whole && (dtype == bool_ || issubdtype(dtype, unsignedinteger))) low = std::max(low, 0.0);
  for (int64_t i = 0; i < count; ++i) {
    double v = low + (high - low) * next();
    re.push_back(whole ? std::floor(v + 0.5) : v);
    im.push_back(low + (high - low) * next());
  }
  if (dtype != complex64)
    return array(re.begin(), shape, float64).size() ? array(re.begin(), shape, dtype)
                                                    : zeros(shape, dtype);
  std::vector<complex64_t> z;
  for (int64_t i = 0; i < count; ++i) {
    z.push_back({static_cast<float>(re[static_cast<size_t>(i)]),
                 static_cast<float>(im[static_cast<size_t>(i)])});
  }
  return array(z.begin(), shape, complex64);
}

array laid_out(const Shape& shape, Dtype dtype, double low, double high, uint64_t seed,
               Laid layout) {
  size_t rank = shape.size();
  Shape other = shape;
  Shape start(rank, 0), steps(rank, 1);
  array result = array(0);
  switch (layout) {
    case Laid::dense: return filled(shape, dtype, low, high, seed);
    case Laid::transposed:
      std::reverse(other.begin(), other.end());
      result = transpose(filled(other, dtype, low, high, seed));
      break;
    case Laid::sliced:
      for (size_t d = 0; d < rank; ++d) {
        other[d] = 2 * shape[d] + 1;
        start[d] = 1;
        steps[d] = 2;
      }
      result = slice(filled(other, dtype, low, high, seed), start, other, steps);
      break;
    case Laid::reversed: result = flip(filled(shape, dtype, low, high, seed)); break;
    case Laid::broadcast:
      if (rank > 0) other[rank / 2] = std::min<int64_t>(other[rank / 2], 1);
      result = broadcast_to(filled(other, dtype, low, high, seed), shape);
      break;
  }
  result.eval();
  return result;
}

const char* name_of(Laid layout) {
  constexpr const char* names[] = {"dense", "transposed", "sliced", "reversed", "broadcast"};
  return names[static_cast<int>(layout)];
}

}  // namespace lazuli::testing
