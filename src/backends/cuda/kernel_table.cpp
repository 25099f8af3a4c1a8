#include "backends/cuda/kernel_table.h"

namespace lazuli::cuda {

KernelFunction find_kernel(Op op) {
  switch (op) {
#define KERNEL(name) \
  case Op::name: return kernel_##name;
#include "backends/cuda/kernel_table.def"
#undef KERNEL
    default: return nullptr;
  }
}

bool takes_constants(Op op) {
  switch (op) {
#define KERNEL(name)
#define CONSTANTS_KERNEL(name) case Op::name:
#include "backends/cuda/kernel_table.def"
#undef KERNEL
    return true;
    default: return false;
  }
}

}  // namespace lazuli::cuda
