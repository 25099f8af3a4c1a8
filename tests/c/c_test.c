/* The C interface, called from C99. Ends with 1 at the first check that fails. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mlx/c/error.h"
#include "mlx/c/fast.h"
#include "mlx/c/linalg.h"
#include "mlx/c/ops.h"
#include "mlx/c/random.h"

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);          \
      return 1;                                                                \
    }                                                                          \
  } while (0)

static char last_error[500];
static void keep_error(const char* message, void* data) {
  (void)data;
  strncpy(last_error, message, sizeof(last_error) - 1);
}

static const mlx_stream none = {NULL};
static const int shape[] = {2, 3};
static const float numbers[] = {1, 2, 3, 4, 5, 6};

static int test_reductions(void) {
  mlx_array a = mlx_array_new_data(numbers, shape, 2, MLX_FLOAT32), r = mlx_array_new();
  float value;
  const int axes[] = {0, 1};
  CHECK(mlx_sum(&r, a, false, none) == 0 && mlx_array_ndim(r) == 0);
  CHECK(mlx_array_item_float32(&value, r) == 0 && value == 21);
  CHECK(mlx_max_axes(&r, a, axes, 2, true, none) == 0 && mlx_array_ndim(r) == 2);
  CHECK(mlx_array_item_float32(&value, r) == 0 && value == 6);
  CHECK(mlx_mean_axis(&r, a, 1, false, none) == 0 && mlx_array_dim(r, 0) == 2);
  CHECK(mlx_array_eval(r) == 0);
  CHECK(mlx_array_data_float32(r)[0] == 2 && mlx_array_data_float32(r)[1] == 5);
  CHECK(mlx_array_free(a) == 0 && mlx_array_free(r) == 0);
  return 0;
}

static int test_cumulative(void) {
  mlx_array a = mlx_array_new_data(numbers, shape, 2, MLX_FLOAT32), r = mlx_array_new();
  mlx_optional_dtype same = {MLX_BOOL, false}, whole = {MLX_INT32, true};
  CHECK(mlx_cumsum(&r, a, false, true, same, none) == 0 && mlx_array_size(r) == 6);
  CHECK(mlx_array_eval(r) == 0 && mlx_array_data_float32(r)[5] == 21);
  CHECK(mlx_cumsum_axis(&r, a, 0, true, true, whole, none) == 0);
  CHECK(mlx_array_dtype(r) == MLX_INT32 && mlx_array_eval(r) == 0);
  CHECK(mlx_array_data_int32(r)[0] == 5 && mlx_array_data_int32(r)[3] == 4);
  mlx_array_free(a);
  mlx_array_free(r);
  return 0;
}

static int test_elementwise(void) {
  mlx_array a = mlx_array_new_data(numbers, shape, 2, MLX_FLOAT32), r = mlx_array_new();
  mlx_array two = mlx_array_new_float32(2);
  mlx_stream cpu = mlx_default_cpu_stream_new();
  CHECK(mlx_exp(&r, a, cpu) == 0 && mlx_log(&r, r, cpu) == 0);
  CHECK(mlx_multiply(&r, r, two, cpu) == 0 && mlx_array_eval(r) == 0);
  for (int i = 0; i < 6; ++i) CHECK(fabsf(mlx_array_data_float32(r)[i] - 2 * numbers[i]) < 1e-5f);
  CHECK(mlx_synchronize(cpu) == 0 && mlx_stream_free(cpu) == 0);
  mlx_array_free(a);
  mlx_array_free(two);
  mlx_array_free(r);
  return 0;
}

static int test_lists_and_options(void) {
  mlx_array a = mlx_array_new_data(numbers, shape, 2, MLX_FLOAT32), r = mlx_array_new();
  mlx_vector_array parts = mlx_vector_array_new();
  mlx_array empty = {NULL};
  CHECK(mlx_split(&parts, a, 3, 1, none) == 0 && mlx_vector_array_size(parts) == 3);
  CHECK(mlx_vector_array_get(&r, parts, 2) == 0 && mlx_array_dim(r, 1) == 1);
  CHECK(mlx_concatenate_axis(&r, parts, 1, none) == 0 && mlx_array_dim(r, -1) == 3);
  CHECK(mlx_clip(&r, a, empty, r, none) == 0); /* no lower bound */
  CHECK(mlx_fast_rms_norm(&r, a, empty, 1e-5f, none) == 0 && mlx_array_size(r) == 6);
  CHECK(mlx_random_key(&r, 7) == 0 && mlx_array_dtype(r) == MLX_UINT32);
  mlx_vector_array_free(parts);
  mlx_array_free(a);
  mlx_array_free(r);
  return 0;
}

static int test_errors(void) {
  mlx_array a = mlx_array_new_data(numbers, shape, 2, MLX_FLOAT32), r = mlx_array_new();
  mlx_array empty = {NULL};
  CHECK(mlx_sum_axis(&r, a, 2, false, none) == 1 && strstr(last_error, "sum") && !r.ctx);
  CHECK(mlx_exp(&r, empty, none) == 1 && strstr(last_error, "empty"));
  CHECK(mlx_array_data_float32(empty) == NULL);
  mlx_array_free(a);
  return 0;
}

int main(void) {
  mlx_set_error_handler(keep_error, NULL, NULL);
  return test_reductions() || test_cumulative() || test_elementwise() ||
         test_lists_and_options() || test_errors();
}
