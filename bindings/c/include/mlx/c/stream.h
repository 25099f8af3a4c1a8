/* Where operations run. */
#ifndef MLX_C_STREAM_H
#define MLX_C_STREAM_H

#ifdef __cplusplus
extern "C" {
#endif

/* An empty one (ctx NULL) stands for the default stream of the default device. */
typedef struct mlx_stream_ {
  void* ctx;
} mlx_stream;

mlx_stream mlx_stream_new(void);             /* an empty one */
mlx_stream mlx_default_cpu_stream_new(void); /* the CPU's default stream */
mlx_stream mlx_default_gpu_stream_new(void); /* empty after an error: there is no GPU */
int mlx_stream_free(mlx_stream stream);
/* Waits until the work on the stream has run. */
int mlx_synchronize(mlx_stream stream);

#ifdef __cplusplus
}
#endif

#endif
