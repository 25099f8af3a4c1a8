#include "mlx/c/array.h"

#include "handles.h"
#include "lazuli/error.h"
#include "lazuli/transforms.h"

using lazuli::array;
using namespace lazuli::c;

namespace {

// A new handle; an empty one after an error.
template <class Make>
mlx_array made(Make make) {
  mlx_array result = {nullptr};
  guarded([&] { set(&result, make()); });
  return result;
}

template <class T>
int item(T* result, mlx_array handle) {
  return guarded([&] {
    array a = value_of(handle);
    if (a.dtype() != lazuli::TypeToDtype<T>::value) {
      throw lazuli::TypeError(std::string("[item] The array is of ") + dtype_name(a.dtype()) +
                              ", not of " + dtype_name(lazuli::TypeToDtype<T>::value) + ".");
    }
    *result = a.item<T>();
  });
}

template <class T>
const T* data(mlx_array handle) {
  const T* elements = nullptr;
  guarded([&] {
    const array& a = value_of(handle);
    if (a.is_available()) elements = a.data<T>();
  });
  return elements;
}

// A fact about an array, or `otherwise` after an error.
template <class T, class Fact>
T fact(T otherwise, Fact ask) {
  guarded([&] { otherwise = ask(); });
  return otherwise;
}

}  // namespace

extern "C" {

size_t mlx_dtype_size(mlx_dtype dtype) {
  return fact<size_t>(0, [&] { return dtype_of(dtype).size(); });
}

mlx_array mlx_array_new(void) { return {nullptr}; }
mlx_array mlx_array_new_bool(bool val) {
  return made([&] { return array(val); });
}
mlx_array mlx_array_new_int(int val) {
  return made([&] { return array(val); });
}
mlx_array mlx_array_new_float32(float val) {
  return made([&] { return array(val); });
}
mlx_array mlx_array_new_float64(double val) {
  return made([&] { return array(val, lazuli::float64); });
}

mlx_array mlx_array_new_data(const void* data, const int* shape, int dim, mlx_dtype dtype) {
  return made([&] {
    lazuli::Shape extents = shape_of(shape, static_cast<size_t>(dim));
    return array::from_memory(data, extents, dtype_of(dtype), dtype_of(dtype));
  });
}

int mlx_array_free(mlx_array arr) {
  delete static_cast<array*>(arr.ctx);
  return 0;
}

int mlx_array_set(mlx_array* arr, const mlx_array src) {
  return guarded([&] { set(arr, value_of(src)); });
}

size_t mlx_array_itemsize(const mlx_array arr) {
  return fact<size_t>(0, [&] { return value_of(arr).itemsize(); });
}
size_t mlx_array_size(const mlx_array arr) {
  return fact<size_t>(0, [&] { return value_of(arr).size(); });
}
size_t mlx_array_nbytes(const mlx_array arr) {
  return fact<size_t>(0, [&] { return value_of(arr).nbytes(); });
}
size_t mlx_array_ndim(const mlx_array arr) {
  return fact<size_t>(0, [&] { return value_of(arr).ndim(); });
}
int mlx_array_dim(const mlx_array arr, int dim) {
  return fact<int>(-1, [&] { return static_cast<int>(value_of(arr).shape(dim)); });
}
mlx_dtype mlx_array_dtype(const mlx_array arr) {
  return fact<mlx_dtype>(MLX_BOOL, [&] {
    return static_cast<mlx_dtype>(static_cast<int>(value_of(arr).dtype().val()));
  });
}

int mlx_array_eval(mlx_array arr) {
  return guarded([&] {
    array a = value_of(arr);
    a.eval();
  });
}

int mlx_array_item_bool(bool* res, const mlx_array arr) { return item(res, arr); }
int mlx_array_item_int32(int32_t* res, const mlx_array arr) { return item(res, arr); }
int mlx_array_item_uint32(uint32_t* res, const mlx_array arr) { return item(res, arr); }
int mlx_array_item_float32(float* res, const mlx_array arr) { return item(res, arr); }
int mlx_array_item_float64(double* res, const mlx_array arr) { return item(res, arr); }

const bool* mlx_array_data_bool(const mlx_array arr) { return data<bool>(arr); }
const int32_t* mlx_array_data_int32(const mlx_array arr) { return data<int32_t>(arr); }
const uint32_t* mlx_array_data_uint32(const mlx_array arr) { return data<uint32_t>(arr); }
const float* mlx_array_data_float32(const mlx_array arr) { return data<float>(arr); }
const double* mlx_array_data_float64(const mlx_array arr) { return data<double>(arr); }

}  // extern "C"
