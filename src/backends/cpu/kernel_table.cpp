// A kernel promised in kernel_table.def and not written is a link error.
#include "backends/cpu/cpu_backend.h"
#include "core/visit.h"

namespace lazuli {
namespace cpu {
void settle_targets();
}

#define KERNEL(name) void kernel_##name(const KernelCall&);
#include "backends/cpu/kernel_table.def"
#undef KERNEL

Dtype dtype_of(Dtype::Val value) {
  return Dtype(value, visit(value, []<class T>() { return static_cast<uint8_t>(sizeof(T)); }));
}

Kernel find_kernel(Op op) {
  cpu::settle_targets();
  switch (op) {
#define KERNEL(name) \
  case Op::name: return kernel_##name;
#include "backends/cpu/kernel_table.def"
#undef KERNEL
    default: return nullptr;
  }
}

}  // namespace lazuli
