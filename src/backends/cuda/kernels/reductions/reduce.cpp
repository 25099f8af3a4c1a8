// Reductions over any axes: see reduce.cu. The parameters are the axes.
#include "backends/cuda/kernel_table.h"
#include "backends/cuda/kernels/reductions/reductions.h"
#include "ops/table/params.h"

namespace lazuli::cuda {
namespace {

constexpr const char* joins[] = {"op::Sum", "op::Prod", "Greatest", "Least", "op::All", "op::Any"};

// Sums and products of small integers are those of larger ones; `all` and `any` are of truth
// values.
template <size_t Join>
bool has_dtype(Dtype::Val dtype) {
  if (Join >= 2) return Join < 4 || dtype == bool_;
  return dtype != bool_ && (!issubdtype(dtype_of(dtype), integer) || dtype_of(dtype).size() >= 4);
}

template <size_t Join>
std::string instance(size_t slot) {
  const Dtype::Val dtype = dtype_at(slot / reduction_variants);
  if (!has_dtype<Join>(dtype)) return "";
  return reduction_instance(slot, instance_name("Reduce", {device_type(dtype), joins[Join]}));
}
template <size_t Join>
ReductionTable functions("reduce.cu", instance<Join>);

template <size_t Join>
void reduce(const KernelCall& call) {
  const size_t itemsize = dtype_of(call.output.dtype).size();
  const bool half = call.output.dtype == float16 || call.output.dtype == bfloat16;
  run_reduction(call, params<AxesParams>(call.node).axes, functions<Join>,
                half ? sizeof(float) : itemsize);
}

}  // namespace

void kernel_sum(const KernelCall& call) { reduce<0>(call); }
void kernel_prod(const KernelCall& call) { reduce<1>(call); }
void kernel_max(const KernelCall& call) { reduce<2>(call); }
void kernel_min(const KernelCall& call) { reduce<3>(call); }
void kernel_all(const KernelCall& call) { reduce<4>(call); }
void kernel_any(const KernelCall& call) { reduce<5>(call); }

}  // namespace lazuli::cuda
