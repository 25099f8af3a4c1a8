// The 14 element types and their promotion lattice.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

#include "lazuli/half.h"

namespace lazuli {

// One element type. A plain value: compare with ==, switch over `val()`.
struct Dtype {
  enum class Val : uint8_t {
    bool_,
    uint8,
    uint16,
    uint32,
    uint64,
    int8,
    int16,
    int32,
    int64,
    float16,
    float32,
    float64,
    bfloat16,
    complex64,
  };

  // What an element type is an instance of; `issubdtype` tells.
  enum class Category : uint8_t {
    complexfloating,
    floating,
    inexact,
    signedinteger,
    unsignedinteger,
    integer,
    number,
    generic,
  };

  Val value;
  uint8_t bytes;

  constexpr Dtype(Val v, uint8_t size) : value(v), bytes(size) {}
  constexpr operator Val() const { return value; }
  constexpr Val val() const { return value; }
  constexpr uint8_t size() const { return bytes; }
};

inline constexpr Dtype bool_{Dtype::Val::bool_, 1};
inline constexpr Dtype uint8{Dtype::Val::uint8, 1};
inline constexpr Dtype uint16{Dtype::Val::uint16, 2};
inline constexpr Dtype uint32{Dtype::Val::uint32, 4};
inline constexpr Dtype uint64{Dtype::Val::uint64, 8};
inline constexpr Dtype int8{Dtype::Val::int8, 1};
inline constexpr Dtype int16{Dtype::Val::int16, 2};
inline constexpr Dtype int32{Dtype::Val::int32, 4};
inline constexpr Dtype int64{Dtype::Val::int64, 8};
inline constexpr Dtype float16{Dtype::Val::float16, 2};
inline constexpr Dtype float32{Dtype::Val::float32, 4};
inline constexpr Dtype float64{Dtype::Val::float64, 8};
inline constexpr Dtype bfloat16{Dtype::Val::bfloat16, 2};
inline constexpr Dtype complex64{Dtype::Val::complex64, 8};

inline constexpr Dtype::Category complexfloating = Dtype::Category::complexfloating;
inline constexpr Dtype::Category floating = Dtype::Category::floating;
inline constexpr Dtype::Category inexact = Dtype::Category::inexact;
inline constexpr Dtype::Category signedinteger = Dtype::Category::signedinteger;
inline constexpr Dtype::Category unsignedinteger = Dtype::Category::unsignedinteger;
inline constexpr Dtype::Category integer = Dtype::Category::integer;
inline constexpr Dtype::Category number = Dtype::Category::number;
inline constexpr Dtype::Category generic = Dtype::Category::generic;

// The dtype that holds values of both operands (MLX's lattice: a float and an integer give that
// float, float16 with bfloat16 gives float32, anything with complex64 gives complex64).
Dtype promote_types(const Dtype& a, const Dtype& b);

bool issubdtype(const Dtype& a, const Dtype& b);
bool issubdtype(const Dtype& a, const Dtype::Category& b);
bool issubdtype(const Dtype::Category& a, const Dtype::Category& b);

// "float32", "bool", ...
const char* dtype_name(Dtype dtype);

// The dtype of that name; ArgumentError if there is none.
Dtype dtype_from_name(const std::string& name);

// The dtype that stores a C++ type.
template <class T>
struct TypeToDtype;

#define LAZULI_STORES(type, name)            \
  template <>                                \
  struct TypeToDtype<type> {                 \
    static constexpr Dtype value = name;     \
    operator Dtype() const { return value; } \
  };
LAZULI_STORES(bool, bool_)
LAZULI_STORES(uint8_t, uint8)
LAZULI_STORES(uint16_t, uint16)
LAZULI_STORES(uint32_t, uint32)
LAZULI_STORES(uint64_t, uint64)
LAZULI_STORES(int8_t, int8)
LAZULI_STORES(int16_t, int16)
LAZULI_STORES(int32_t, int32)
LAZULI_STORES(int64_t, int64)
LAZULI_STORES(float16_t, float16)
LAZULI_STORES(bfloat16_t, bfloat16)
LAZULI_STORES(float, float32)
LAZULI_STORES(double, float64)
LAZULI_STORES(complex64_t, complex64)
#undef LAZULI_STORES

}  // namespace lazuli
