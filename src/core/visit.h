// From a dtype known while running to a C++ type known while compiling, in one place.
#pragma once

#include <limits>

#include "lazuli/dtype.h"

namespace lazuli {

// Calls `f.template operator()<T>()` with the C++ type that stores `dtype`.
template <class F>
decltype(auto) visit(Dtype::Val dtype, F&& f) {
  switch (dtype) {
    case Dtype::Val::bool_: return f.template operator()<bool>();
    case Dtype::Val::uint8: return f.template operator()<uint8_t>();
    case Dtype::Val::uint16: return f.template operator()<uint16_t>();
    case Dtype::Val::uint32: return f.template operator()<uint32_t>();
    case Dtype::Val::uint64: return f.template operator()<uint64_t>();
    case Dtype::Val::int8: return f.template operator()<int8_t>();
    case Dtype::Val::int16: return f.template operator()<int16_t>();
    case Dtype::Val::int32: return f.template operator()<int32_t>();
    case Dtype::Val::int64: return f.template operator()<int64_t>();
    case Dtype::Val::float16: return f.template operator()<float16_t>();
    case Dtype::Val::float32: return f.template operator()<float>();
    case Dtype::Val::float64: return f.template operator()<double>();
    case Dtype::Val::bfloat16: return f.template operator()<bfloat16_t>();
    default: return f.template operator()<complex64_t>();
  }
}

// A value of one element type as another: complex to real takes the real part, anything to bool
// asks whether it differs from zero, floats to integers truncate and stop at the ends of the range.
template <class To, class From>
inline To convert_value(From value) {
  if constexpr (std::is_same_v<From, complex64_t>) {
    if constexpr (std::is_same_v<To, complex64_t>) {
      return value;
    } else if constexpr (std::is_same_v<To, bool>) {
      return value != complex64_t{};
    } else {
      return convert_value<To>(value.real());
    }
  } else if constexpr (std::is_same_v<From, float16_t> || std::is_same_v<From, bfloat16_t>) {
    return convert_value<To>(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != From{};
  } else if constexpr (std::is_same_v<To, complex64_t>) {
    return complex64_t(static_cast<float>(value), 0.0f);
  } else if constexpr (std::is_same_v<To, float16_t> || std::is_same_v<To, bfloat16_t>) {
    return To(static_cast<float>(value));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    // The language leaves open what lies outside of the range: its ends, and 0 for NaN.
    using Limits = std::numeric_limits<To>;
    constexpr From low = static_cast<From>(Limits::min());
    constexpr From high = static_cast<From>(uint64_t{1} << (Limits::digits - 1)) * 2;
    constexpr From below_high = high * (1 - std::numeric_limits<From>::epsilon() / 2);
    From inside = value > low ? value : low;
    inside = inside < below_high ? inside : below_high;
    To whole = value >= high ? Limits::max() : static_cast<To>(inside);
    return value == value ? whole : To(0);
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace lazuli
