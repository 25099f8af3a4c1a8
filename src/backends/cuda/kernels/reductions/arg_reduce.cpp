// argmax, argmin: see arg_reduce.cu.
#include "backends/cuda/kernel_table.h"
#include "backends/cuda/kernels/reductions/reductions.h"
#include "lazuli/error.h"
#include "ops/table/op.h"
#include "ops/table/params.h"

namespace lazuli::cuda {
namespace {

template <bool Largest>
std::string instance(size_t slot) {
  const Dtype::Val dtype = dtype_at(slot / reduction_variants);
  return reduction_instance(slot,
                            instance_name("ArgExtreme", {device_type(dtype), truth(Largest)}));
}
template <bool Largest>
ReductionTable functions("arg_reduce.cu", instance<Largest>);

template <bool Largest>
void arg_extreme(const KernelCall& call) {
  const int64_t axis = params<AxisParams>(call.node).axis;
  if (call.inputs[0].extent(static_cast<int>(axis)) > 0xffffffff) {
    throw ArgumentError("[" + std::string(op_info(call.node->op).name) +
                        "] An axis of more than 2^32 - 1 elements has no positions in uint32.");
  }
  const bool large = dtype_of(call.inputs[0].dtype).size() == 8;
  run_reduction(call, {&axis, 1}, functions<Largest>, large ? 16 : 8);
}

}  // namespace

void kernel_argmax(const KernelCall& call) { arg_extreme<true>(call); }
void kernel_argmin(const KernelCall& call) { arg_extreme<false>(call); }

}  // namespace lazuli::cuda
