// argmax, argmin along one axis: dense -> uint32 with an extent of 1.
//
// The kernels of device/reductions.cuh over pairs of a value and its position. The first of equal
// values wins, and the first NaN over all.
//
// Floor: one read of the input.
#include "reductions.cuh"

constexpr uint32_t no_position = 0xffffffffu;

template <class T>
struct Candidate {
  T value;
  uint32_t position;
};
template <class T>
__device__ __forceinline__ Candidate<T> shuffled(const Candidate<T>& state, int mask) {
  return {shuffle_xor(state.value, mask), shuffle_xor(state.position, mask)};
}

template <class T, bool Largest>
struct ArgExtreme {
  typedef T Element;
  typedef uint32_t Result;
  typedef Candidate<Wide<T>> State;
  static __device__ __forceinline__ State none() { return {Wide<T>(0), no_position}; }

  // Whether b wins over an earlier a.
  static __device__ __forceinline__ bool beats(Wide<T> b, Wide<T> a) {
    if (op::isnan(a)) return false;
    if constexpr (is_complex<T>) {
      if (op::isnan(b)) return true;
    }
    return Largest ? !(b <= a) : !(b >= a);
  }
  static __device__ __forceinline__ void take(State& state, T value, int64_t position) {
    const Wide<T> wide = static_cast<Wide<T>>(value);
    if (state.position == no_position || beats(wide, state.value)) {
      state.value = wide;
      state.position = static_cast<uint32_t>(position);
    }
  }
  static __device__ __forceinline__ State join(State a, State b) {
    if (a.position == no_position) return b;
    if (b.position == no_position) return a;
    const bool b_wins =
        a.position < b.position ? beats(b.value, a.value) : !beats(a.value, b.value);
    return b_wins ? b : a;
  }
  static __device__ __forceinline__ uint32_t finish(State state) { return state.position; }
};
