// Kernels of a stream overlap: one is started while those before it still run, as far as there is
// room (programmatic dependent launch; CUDA C++ Programming Guide). So each begins with
// `start_after_earlier`, or does by itself what it is made of, with work in between that depends on
// nothing that runs: asking for weights, say.
#pragma once

#if !defined(LAZULI_EMULATED_GPU) && __CUDA_ARCH__ >= 900
#define LAZULI_KERNELS_OVERLAP 1
#endif

// The next kernel may be started as soon as every block of this one has come here.
__device__ __forceinline__ void let_later_start() {
#ifdef LAZULI_KERNELS_OVERLAP
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// All that earlier kernels do has been done after this; before it a kernel neither reads what they
// may write nor writes anything. Every thread calls it, so that a kernel never ends before those
// that the ones after it take for done.
__device__ __forceinline__ void wait_for_earlier() {
#ifdef LAZULI_KERNELS_OVERLAP
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

__device__ __forceinline__ void start_after_earlier() {
  let_later_start();
  wait_for_earlier();
}
