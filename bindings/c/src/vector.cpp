#include "mlx/c/vector.h"

#include "handles.h"
#include "lazuli/error.h"

using namespace lazuli::c;
using lazuli::array;

extern "C" {

mlx_vector_array mlx_vector_array_new(void) { return mlx_vector_array_new_data(nullptr, 0); }

mlx_vector_array mlx_vector_array_new_data(const mlx_array* data, size_t size) {
  mlx_vector_array result = {nullptr};
  guarded([&] {
    std::vector<array> arrays;
    for (size_t i = 0; i < size; ++i) arrays.push_back(value_of(data[i]));
    set(&result, std::move(arrays));
  });
  return result;
}

int mlx_vector_array_free(mlx_vector_array vec) {
  delete static_cast<std::vector<array>*>(vec.ctx);
  return 0;
}

int mlx_vector_array_append_value(mlx_vector_array vec, const mlx_array val) {
  return guarded([&] {
    value_of(vec);  // not empty
    static_cast<std::vector<array>*>(vec.ctx)->push_back(value_of(val));
  });
}

size_t mlx_vector_array_size(const mlx_vector_array vec) {
  size_t size = 0;
  guarded([&] { size = value_of(vec).size(); });
  return size;
}

int mlx_vector_array_get(mlx_array* res, const mlx_vector_array vec, size_t idx) {
  return guarded([&] {
    const std::vector<array>& arrays = value_of(vec);
    if (idx >= arrays.size()) {
      throw lazuli::IndexError("[c] Index " + std::to_string(idx) + " of a list of " +
                               std::to_string(arrays.size()) + " arrays.");
    }
    set(res, arrays[idx]);
  });
}

}  // extern "C"
