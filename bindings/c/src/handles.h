// What handles of C hold, and how errors leave.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "lazuli/array.h"
#include "lazuli/device.h"
#include "lazuli/ops/shape.h"
#include "mlx/c/array.h"
#include "mlx/c/optional.h"
#include "mlx/c/stream.h"
#include "mlx/c/vector.h"

namespace lazuli::c {

// ArgumentError for empty handles.
const array& value_of(mlx_array handle);
const std::vector<array>& value_of(mlx_vector_array handle);

std::optional<array> optional_of(mlx_array handle);
inline std::optional<int> optional_of(mlx_optional_int o) {
  return o.has_value ? std::optional<int>(o.value) : std::nullopt;
}
inline std::optional<float> optional_of(mlx_optional_float o) {
  return o.has_value ? std::optional<float>(o.value) : std::nullopt;
}

inline std::vector<int> list_of(const int* numbers, size_t count) {
  return std::vector<int>(numbers, numbers + count);
}
inline Shape shape_of(const int* extents, size_t count) { return Shape(extents, extents + count); }
inline Strides strides_of(const int64_t* strides, size_t count) {
  return Strides(strides, strides + count);
}

// ArgumentError for a number that is no dtype.
Dtype dtype_of(mlx_dtype dtype);
StreamOrDevice stream_of(mlx_stream stream);

inline array cast_of(const array& a, mlx_optional_dtype dtype, mlx_stream s) {
  return dtype.has_value ? astype(a, dtype_of(dtype.value), stream_of(s)) : a;
}

void set(mlx_array* result, array value);
void set(mlx_vector_array* result, std::vector<array> value);

// Tells the handler of the exception being handled.
void report() noexcept;

// 0, or 1 after the handler was told what is wrong.
template <class Body>
int guarded(Body&& body) noexcept {
  try {
    body();
    return 0;
  } catch (...) {
    report();
    return 1;
  }
}

}  // namespace lazuli::c
