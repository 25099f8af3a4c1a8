#include "mlx/c/stream.h"

#include "handles.h"

using namespace lazuli::c;

namespace {

mlx_stream default_stream_new(lazuli::Device device) {
  mlx_stream result = {nullptr};
  guarded([&] { result.ctx = new lazuli::Stream(lazuli::default_stream(device)); });
  return result;
}

}  // namespace

extern "C" {

mlx_stream mlx_stream_new(void) { return {nullptr}; }
mlx_stream mlx_default_cpu_stream_new(void) { return default_stream_new(lazuli::Device::cpu); }
mlx_stream mlx_default_gpu_stream_new(void) { return default_stream_new(lazuli::Device::gpu); }

int mlx_stream_free(mlx_stream stream) {
  delete static_cast<lazuli::Stream*>(stream.ctx);
  return 0;
}

int mlx_synchronize(mlx_stream stream) {
  return guarded([&] { lazuli::synchronize(lazuli::to_stream(stream_of(stream))); });
}

}  // extern "C"
