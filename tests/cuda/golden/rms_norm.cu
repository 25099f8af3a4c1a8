#include "fused.cuh"
namespace op {
__device__ __forceinline__ float apply_square(float x) { return static_cast<float>(x * x); }
__device__ __forceinline__ float apply_multiply(float x, float y) {
  return static_cast<float>(x * y);
}
__device__ __forceinline__ float apply_add(float x, float y) { return static_cast<float>(x + y); }
__device__ __forceinline__ float apply_rsqrt(float x) { return static_cast<float>(rsqrt(x)); }
}  // namespace op
struct Parameters {
  uint64_t slot[15];
};
typedef uint32_t index_t;
constexpr int V = 4, N = 4;
extern "C" __global__ void __launch_bounds__(256) fused_step(const __grid_constant__ Parameters p) {
  const float v3 = constant<float>(p.slot[9]);
  const float v5 = constant<float>(p.slot[10]);
  const index_t length = p.slot[1];
  const int thread = threadIdx.x, threads = blockDim.x;
  const index_t row = blockIdx.x;
  index_t rrest = row;
  const index_t r0 = rrest;
  const float* const b0 = ((const float*)p.slot[7]) + ((int64_t)r0 * (int64_t)p.slot[8]);
  const float* const b9 = ((const float*)p.slot[11]) + ((int64_t)r0 * (int64_t)p.slot[12]);
  float* const b10 = ((float*)p.slot[13]) + ((int64_t)r0 * (int64_t)p.slot[14]);
  float s2 = op::Sum::none<float>();
  {
    const index_t begin = 0;
    const index_t end = begin + length / V < length / V ? begin + length / V : length / V;
    for (index_t at = begin + thread; at < end; at += N * threads) {
      Read<float, V> a0[N];
#pragma unroll
      for (int n = 0; n < N; ++n) {
        const index_t c = at + n * threads;
        if (c >= end) continue;
        const index_t j = c * V;
        a0[n].load(b0 + j);
      }
      float t2 = op::Sum::none<float>();
#pragma unroll
      for (int n = 0; n < N; ++n) {
        const index_t c = at + n * threads;
        if (c >= end) continue;
        const index_t j = c * V;
#pragma unroll
        for (int e = 0; e < V; ++e) {
          const float v0 = a0[n].get(e);
          const float v1 = op::apply_square(v0);
          t2 = op::Sum::join(t2, convert<float>(v1));
        }
      }
      s2 = op::Sum::join(s2, t2);
    }
  }
  const float v2 = block_reduce<op::Sum>(s2);
  const float v4 = op::apply_multiply(v2, v3);
  const float v6 = op::apply_add(v4, v5);
  const float v7 = op::apply_rsqrt(v6);
  {
    const index_t begin = 0;
    const index_t end = begin + length / V < length / V ? begin + length / V : length / V;
    for (index_t at = begin + thread; at < end; at += N * threads) {
      Read<float, V> a0[N];
      Read<float, V> a9[N];
#pragma unroll
      for (int n = 0; n < N; ++n) {
        const index_t c = at + n * threads;
        if (c >= end) continue;
        const index_t j = c * V;
        a0[n].load(b0 + j);
        a9[n].load(b9 + j);
      }
#pragma unroll
      for (int n = 0; n < N; ++n) {
        const index_t c = at + n * threads;
        if (c >= end) continue;
        const index_t j = c * V;
        Vector<float, V> o10;
#pragma unroll
        for (int e = 0; e < V; ++e) {
          const float v0 = a0[n].get(e);
          const float v8 = op::apply_multiply(v0, v7);
          const float v9 = a9[n].get(e);
          const float v10 = op::apply_multiply(v8, v9);
          o10[e] = static_cast<float>(v10);
        }
        store_vector(b10 + j, o10);
      }
    }
  }
}
