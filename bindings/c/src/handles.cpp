#include "handles.h"

#include "lazuli/error.h"

namespace lazuli::c {
namespace {

constexpr Dtype dtypes[] = {bool_, uint8, uint16,  uint32,  uint64,  int8,     int16,
                            int32, int64, float16, float32, float64, bfloat16, complex64};

template <class T>
T& held(void* context, const char* what) {
  if (!context) throw ArgumentError(std::string("[c] A handle of ") + what + " is empty.");
  return *static_cast<T*>(context);
}

}  // namespace

const array& value_of(mlx_array handle) { return held<array>(handle.ctx, "an array"); }
const std::vector<array>& value_of(mlx_vector_array handle) {
  return held<std::vector<array>>(handle.ctx, "a list of arrays");
}

std::optional<array> optional_of(mlx_array handle) {
  return handle.ctx ? std::optional<array>(value_of(handle)) : std::nullopt;
}

Dtype dtype_of(mlx_dtype dtype) {
  auto index = static_cast<size_t>(dtype);
  if (index < std::size(dtypes)) return dtypes[index];
  throw ArgumentError("[c] " + std::to_string(index) + " is no dtype.");
}

StreamOrDevice stream_of(mlx_stream stream) {
  if (!stream.ctx) return {};
  return *static_cast<Stream*>(stream.ctx);
}

void set(mlx_array* result, array value) {
  if (result->ctx) {
    *static_cast<array*>(result->ctx) = std::move(value);
  } else {
    result->ctx = new array(std::move(value));
  }
}

void set(mlx_vector_array* result, std::vector<array> value) {
  if (result->ctx) {
    *static_cast<std::vector<array>*>(result->ctx) = std::move(value);
  } else {
    result->ctx = new std::vector<array>(std::move(value));
  }
}

}  // namespace lazuli::c
