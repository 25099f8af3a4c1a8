/* Arrays. A handle owns a reference; whoever makes one frees it. Handles with ctx NULL are empty:
   results may be set into them, and where a function takes an optional array they are none. */
#ifndef MLX_C_ARRAY_H
#define MLX_C_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mlx/c/dtype.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mlx_array_ {
  void* ctx;
} mlx_array;

mlx_array mlx_array_new(void); /* an empty one */
mlx_array mlx_array_new_bool(bool val);
mlx_array mlx_array_new_int(int val);
mlx_array mlx_array_new_float32(float val);
mlx_array mlx_array_new_float64(double val);
/* Copies `data`: row-major, `dim` extents. Empty after an error. */
mlx_array mlx_array_new_data(const void* data, const int* shape, int dim, mlx_dtype dtype);
int mlx_array_free(mlx_array arr);
int mlx_array_set(mlx_array* arr, const mlx_array src);

size_t mlx_array_itemsize(const mlx_array arr);
size_t mlx_array_size(const mlx_array arr);
size_t mlx_array_nbytes(const mlx_array arr);
size_t mlx_array_ndim(const mlx_array arr);
int mlx_array_dim(const mlx_array arr, int dim);
mlx_dtype mlx_array_dtype(const mlx_array arr);

/* Computes the values and waits. */
int mlx_array_eval(mlx_array arr);
/* The only element, of an array of that dtype; computes it first. */
int mlx_array_item_bool(bool* res, const mlx_array arr);
int mlx_array_item_int32(int32_t* res, const mlx_array arr);
int mlx_array_item_uint32(uint32_t* res, const mlx_array arr);
int mlx_array_item_float32(float* res, const mlx_array arr);
int mlx_array_item_float64(double* res, const mlx_array arr);
/* The elements, row-major if the array is; NULL before mlx_array_eval. They live as long as arr. */
const bool* mlx_array_data_bool(const mlx_array arr);
const int32_t* mlx_array_data_int32(const mlx_array arr);
const uint32_t* mlx_array_data_uint32(const mlx_array arr);
const float* mlx_array_data_float32(const mlx_array arr);
const double* mlx_array_data_float64(const mlx_array arr);

#ifdef __cplusplus
}
#endif

#endif
