// sum, prod, max, min, all, any over any axes: any strides -> dense with extents of 1.
//
// The kernels of device/reductions.cuh; halves are kept in float32, other types in themselves.
// A NaN is the greatest and the least value.
//
// Floor: one read of the input.
#include "reductions.cuh"

// The greater of two floats, NaN if one is: one instruction where a compare of each would be five.
__device__ __forceinline__ float greater_float(float a, float b) {
#ifdef LAZULI_EMULATED_GPU
  return op::maximum(a, b);
#else
  float result;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
#endif
}
__device__ __forceinline__ float lesser_float(float a, float b) {
#ifdef LAZULI_EMULATED_GPU
  return op::minimum(a, b);
#else
  float result;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
#endif
}

struct Greatest : op::Max {
  template <class T>
  static __device__ __forceinline__ T join(T a, T b) {
    if constexpr (is_same<T, float>::value) return greater_float(a, b);
    else return op::maximum(a, b);
  }
};
struct Least : op::Min {
  template <class T>
  static __device__ __forceinline__ T join(T a, T b) {
    if constexpr (is_same<T, float>::value) return lesser_float(a, b);
    else return op::minimum(a, b);
  }
};

template <class T, class Join>
struct Reduce {
  typedef T Element;
  typedef T Result;
  typedef Wide<T> State;
  static __device__ __forceinline__ State none() { return Join::template none<State>(); }
  static __device__ __forceinline__ State join(State a, State b) { return Join::join(a, b); }
  static __device__ __forceinline__ void take(State& state, T value, int64_t) {
    state = Join::join(state, static_cast<State>(value));
  }
  static __device__ __forceinline__ T finish(State state) { return static_cast<T>(state); }
};
