// The kernels of kernel_table.def.
#pragma once

#include "compiler/backend.h"

namespace lazuli::cuda {

using KernelFunction = void (*)(const KernelCall&);

#define KERNEL(name) void kernel_##name(const KernelCall&);
#include "backends/cuda/kernel_table.def"
#undef KERNEL

// nullptr if there is none.
KernelFunction find_kernel(Op op);
// Whether the kernel reads constant inputs where they lie, on the host.
bool takes_constants(Op op);

}  // namespace lazuli::cuda
