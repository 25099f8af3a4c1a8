// OpenBLAS, opened when a product first needs it. Opening starts a thread and reserves memory,
// which a program that multiplies no float64 or complex matrices should not pay for.
#pragma once

#if LAZULI_HAVE_OPENBLAS
#include <cblas.h>

namespace lazuli::cpu {

struct Blas {
  decltype(&cblas_sgemm) sgemm;
  decltype(&cblas_dgemm) dgemm;
  decltype(&cblas_cgemm) cgemm;
};

// Single-threaded routines. RuntimeError if the library is missing, MemoryError if the process may
// not use the address space that it needs; a later call tries again.
const Blas& blas();

}  // namespace lazuli::cpu
#endif
