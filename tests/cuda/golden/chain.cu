#include "fused.cuh"
namespace op {
__device__ __forceinline__ float apply_multiply(float x, float y) {
  return static_cast<float>(x * y);
}
__device__ __forceinline__ float apply_add(float x, float y) { return static_cast<float>(x + y); }
__device__ __forceinline__ float apply_tanh(float x) { return static_cast<float>(tanh(x)); }
__device__ __forceinline__ float apply_divide(float x, float y) {
  return static_cast<float>(x / y);
}
}  // namespace op
struct Parameters {
  uint64_t slot[12];
};
typedef uint32_t index_t;
constexpr int V = 4, N = 2;
template <int V, int N, bool Whole>
__device__ __forceinline__ void sweep(const Parameters& p, index_t first, index_t step,
                                      index_t count) {
  const float v4 = constant<float>(p.slot[7]);
  const float v7 = constant<float>(p.slot[10]);
  Read<bfloat_t, V> a0[N];
  Read<float, V> a2[N];
#pragma unroll
  for (int n = 0; n < N; ++n) {
    const index_t i = (first + n * step) * V;
    if (!Whole && first + n * step >= count) continue;
    a0[n].load(((const bfloat_t*)p.slot[4]) + i);
    a2[n].load(((const float*)p.slot[5]) + i);
  }
#pragma unroll
  for (int n = 0; n < N; ++n) {
    const index_t i = (first + n * step) * V;
    if (!Whole && first + n * step >= count) continue;
    Vector<float, V> o3;
    Vector<float, V> o5;
    Vector<float, V> o6;
    Vector<float, V> o8;
#pragma unroll
    for (int e = 0; e < V; ++e) {
      const float v0 = a0[n].get(e);
      const float v1 = convert<float>(v0);
      const float v2 = a2[n].get(e);
      const float v3 = op::apply_multiply(v1, v2);
      const float v5 = op::apply_add(v3, v4);
      const float v6 = op::apply_tanh(v5);
      const float v8 = op::apply_divide(v6, v7);
      o3[e] = static_cast<float>(v3);
      o5[e] = static_cast<float>(v5);
      o6[e] = static_cast<float>(v6);
      o8[e] = static_cast<float>(v8);
    }
    store_vector(((float*)p.slot[6]) + i, o3);
    store_vector(((float*)p.slot[8]) + i, o5);
    store_vector(((float*)p.slot[9]) + i, o6);
    store_vector(((float*)p.slot[11]) + i, o8);
  }
}
extern "C" __global__ void __launch_bounds__(256) fused_step(const __grid_constant__ Parameters p) {
  const index_t count = p.slot[1], vectors = count / V;
  const index_t first = (index_t)blockIdx.x * (N * 256);
  if (first + N * 256 <= vectors) sweep<V, N, true>(p, first + threadIdx.x, 256, vectors);
  else sweep<V, N, false>(p, first + threadIdx.x, 256, vectors);
  if (V > 1 && blockIdx.x == 0 && vectors * V + threadIdx.x < count) {
    sweep<1, 1, true>(p, vectors * V + threadIdx.x, 1, count);
  }
}
