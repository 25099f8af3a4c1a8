// The CPU as a backend: the host's memory, the kernel table, fused programs.
#pragma once

#include "compiler/backend.h"

namespace lazuli {

using Kernel = void (*)(const KernelCall&);

// The kernel of an op, or nullptr if the op has none.
Kernel find_kernel(Op op);

std::unique_ptr<CompiledStep> compile_fused(const FusedStep& step);
void run_fused(const FusedStep& step, const CompiledStep& compiled, const FusedBinding& binding);
bool may_take_over(const CompiledStep& compiled, uint16_t in, uint16_t out);

Backend& cpu_backend();  // lives to the end of the process

}  // namespace lazuli
