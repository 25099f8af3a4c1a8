// Vectors of half types as float32. Included once per SIMD target.

#if defined(LAZULI_HALF_VECTORS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LAZULI_HALF_VECTORS_INL_H_
#undef LAZULI_HALF_VECTORS_INL_H_
#else
#define LAZULI_HALF_VECTORS_INL_H_
#endif

#include <type_traits>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Where a target has no instruction for it, Highway takes the infinities and NaN of float16 for
// numbers from 65536 on, which float16 does not have.
template <class D, class V>
HWY_INLINE hn::Vec<D> promote(D d, V halves) {
  const hn::Vec<D> values = hn::PromoteTo(d, halves);
  constexpr bool is_float16 = std::is_same_v<hn::TFromV<V>, hwy::float16_t>;
  if constexpr (is_float16 && HWY_ARCH_X86 && HWY_TARGET > HWY_AVX2) {
    const hn::RebindToUnsigned<D> bits;
    const auto exponent = hn::Set(bits, 0x7f800000u);
    const auto special = hn::Ge(hn::Abs(values), hn::Set(d, 65536.0f));
    return hn::IfThenElse(special, hn::Or(values, hn::BitCast(d, exponent)), values);
  } else {
    return values;
  }
}

}  // namespace lazuli::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LAZULI_HALF_VECTORS_INL_H_
