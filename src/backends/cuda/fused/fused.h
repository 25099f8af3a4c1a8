// Fused steps on the GPU: emitted as source, compiled at run time, launched over rows.
#pragma once

#include "compiler/backend.h"

namespace lazuli::cuda {

std::unique_ptr<CompiledStep> compile_fused(const FusedStep& step);
void run_fused(const FusedStep& step, const CompiledStep& compiled, const FusedBinding& binding);
bool may_take_over(const CompiledStep& compiled, uint16_t in, uint16_t out);

}  // namespace lazuli::cuda
