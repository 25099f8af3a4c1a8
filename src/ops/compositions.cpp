#include "ops/compositions.h"

#include "base/flags.h"

namespace lazuli {

Composition composition_of(Op op) {
  switch (op) {
    case Op::rope: return compose_rope;
    case Op::attention: return compose_attention;
    default: return nullptr;
  }
}

bool records_kernel(Op op, Dtype dtype, const Stream& stream) {
  bool narrow = dtype == float32 || dtype == bfloat16 || dtype == float16;
  return narrow && !flags().composed && backend_has_kernel(op, stream.index);
}

}  // namespace lazuli
