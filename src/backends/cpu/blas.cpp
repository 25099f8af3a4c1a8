#include "backends/cpu/blas.h"

#if LAZULI_HAVE_OPENBLAS
#include <dlfcn.h>
#include <sys/resource.h>

#include <string>

#include "base/signals.h"
#include "lazuli/error.h"

namespace lazuli::cpu {
namespace {

// Under a smaller limit OpenBLAS 0.3.21 does not fail: its thread asks for its buffer for ever.
constexpr rlim_t address_space_min = rlim_t{1} << 30;

void check_address_space() {
  rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY) return;
  if (limit.rlim_cur >= address_space_min) return;
  throw MemoryError(
      "[matmul] Products of float64 and complex64 need 1024 MiB of address space; "
      "the process is limited to " +
      std::to_string(limit.rlim_cur >> 20) + " MiB.");
}

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (!function) throw RuntimeError(std::string("[matmul] OpenBLAS has no ") + name + ".");
}

Blas open() {
  check_address_space();
  SignalsBlocked blocked;  // the library's thread is to take none
  void* library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!library) library = dlopen(LAZULI_OPENBLAS_PATH, RTLD_NOW | RTLD_LOCAL);
  if (!library) throw RuntimeError(std::string("[matmul] OpenBLAS was not found: ") + dlerror());
  Blas found;
  find(library, "cblas_sgemm", found.sgemm);
  find(library, "cblas_dgemm", found.dgemm);
  find(library, "cblas_cgemm", found.cgemm);
  decltype(&openblas_set_num_threads) set_threads;
  find(library, "openblas_set_num_threads", set_threads);
  set_threads(1);
  return found;
}

}  // namespace

const Blas& blas() {
  static const Blas found = open();
  return found;
}

}  // namespace lazuli::cpu
#endif
