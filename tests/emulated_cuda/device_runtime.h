// CUDA's language for a C++ compiler: included before every kernel that the emulated GPU compiles.
//
// Kernels may declare dynamic shared memory inside a function, with any element type and name:
//   extern __shared__ float4 tile[];
// The emulated compiler writes that as a pointer; `alignas` goes before or after `__shared__`.
// PTX is not understood: wrappers of it need an alternative under LAZULI_EMULATED_GPU, for which
// `emulated::` offers exchange(), named_barrier() and yield().
#pragma once

#include "device/interface.h"

#define __global__
#define __device__
#define __host__
#define __constant__
#define __managed__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __maxnreg__(...)
#define __cluster_dims__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))
// Blocks run side by side only on different threads.
#define __shared__ static __thread
// As an attribute of GNU's it may stand behind __shared__.
#define alignas(n) __attribute__((aligned(n)))

#define threadIdx (::emulated::emulated_thread.thread)
#define blockIdx (::emulated::emulated_thread.block)
#define blockDim (::emulated::emulated_thread.block_size)
#define gridDim (::emulated::emulated_thread.grid_size)
constexpr int warpSize = 32;

#include "device/atomics.h"
#include "device/bits.h"
#include "device/half.h"
#include "device/math.h"
#include "device/vectors.h"
#include "device/warp.h"

namespace emulated {

template <class... Arguments>
struct Call {
  static void run(void (*function)(), void** arguments) { unpack(function, arguments, 0); }
  static constexpr unsigned bytes[] = {sizeof(Arguments)..., 0};

 private:
  template <int... Position>
  struct Positions {};
  template <int Count, int... Position>
  struct Range : Range<Count - 1, Count - 1, Position...> {};
  template <int... Position>
  struct Range<0, Position...> {
    typedef Positions<Position...> type;
  };
  template <class T>
  struct Plain {
    typedef T type;
  };
  template <class T>
  struct Plain<const T> {
    typedef T type;
  };

  static void unpack(void (*function)(), void** arguments, int) {
    unpack(function, arguments, typename Range<sizeof...(Arguments)>::type());
  }
  template <int... Position>
  static void unpack(void (*function)(), void** arguments, Positions<Position...>) {
    reinterpret_cast<void (*)(Arguments...)>(function)(
        *static_cast<typename Plain<Arguments>::type*>(arguments[Position])...);
  }
};

template <class... Arguments>
Entry entry(const char* name, void (*function)(Arguments...)) {
  return {name, reinterpret_cast<void (*)()>(function), &Call<Arguments...>::run,
          Call<Arguments...>::bytes, sizeof...(Arguments)};
}

}  // namespace emulated
