/* What is wrong is told to a handler; functions then return 1. */
#ifndef MLX_C_ERROR_H
#define MLX_C_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*mlx_error_handler_func)(const char* msg, void* data);

/* Sets the handler of all threads, called on the thread that failed. `dtor`, unless NULL, is called
   with `data` when another handler is set. NULL brings back the one that writes to stderr. */
void mlx_set_error_handler(mlx_error_handler_func handler, void* data, void (*dtor)(void*));

#ifdef __cplusplus
}
#endif

#endif
