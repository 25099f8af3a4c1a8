// Loads and stores of float32, bfloat16 and float16 memory as float32 vectors.

#if defined(LAZULI_PACKED_FLOATS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LAZULI_PACKED_FLOATS_INL_H_
#undef LAZULI_PACKED_FLOATS_INL_H_
#else
#define LAZULI_PACKED_FLOATS_INL_H_
#endif

#include "backends/cpu/half_vectors-inl.h"
#include "hwy/highway.h"
#include "lazuli/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::packed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Highway's name for the element type that is stored as T.
template <class T>
struct StoredAs;
template <>
struct StoredAs<bfloat16_t> {
  using Type = hwy::bfloat16_t;
};
template <>
struct StoredAs<float16_t> {
  using Type = hwy::float16_t;
};

template <class D, class T>
HWY_INLINE hn::Vec<D> load_floats(D d, const T* from) {
  if constexpr (std::is_same_v<T, float>) {
    return hn::LoadU(d, from);
  } else {
    using Half = typename StoredAs<T>::Type;
    const hn::Rebind<Half, D> half;
    return cpu::HWY_NAMESPACE::promote(d, hn::LoadU(half, reinterpret_cast<const Half*>(from)));
  }
}

// The first `count` < Lanes(d) elements, then zeros.
template <class D, class T>
HWY_INLINE hn::Vec<D> load_floats(D d, const T* from, size_t count) {
  if constexpr (std::is_same_v<T, float>) {
    return hn::LoadN(d, from, count);
  } else {
    using Half = typename StoredAs<T>::Type;
    const hn::Rebind<Half, D> half;
    return cpu::HWY_NAMESPACE::promote(d,
                                       hn::LoadN(half, reinterpret_cast<const Half*>(from), count));
  }
}

template <class D, class T>
HWY_INLINE void store_floats(D d, hn::Vec<D> values, T* to) {
  if constexpr (std::is_same_v<T, float>) {
    hn::StoreU(values, d, to);
  } else {
    using Half = typename StoredAs<T>::Type;
    const hn::Rebind<Half, D> half;
    hn::StoreU(hn::DemoteTo(half, values), half, reinterpret_cast<Half*>(to));
  }
}

template <class D, class T>
HWY_INLINE void store_floats(D d, hn::Vec<D> values, T* to, size_t count) {
  if constexpr (std::is_same_v<T, float>) {
    hn::StoreN(values, d, to, count);
  } else {
    using Half = typename StoredAs<T>::Type;
    const hn::Rebind<Half, D> half;
    hn::StoreN(hn::DemoteTo(half, values), half, reinterpret_cast<Half*>(to), count);
  }
}

// Calls call(T()) for the C++ type of a dtype that `is_packed_float` accepts.
template <class Call>
HWY_INLINE void with_float(Dtype dtype, const Call& call) {
  switch (dtype.val()) {
    case Dtype::Val::float32: return call(float());
    case Dtype::Val::bfloat16: return call(bfloat16_t());
    default: return call(float16_t());
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu::packed
HWY_AFTER_NAMESPACE();

#endif  // LAZULI_PACKED_FLOATS_INL_H_
