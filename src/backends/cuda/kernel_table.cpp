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

}  // namespace lazuli::cuda
