// Reductions over any axes: see reduce.cu. The parameters are the axes.
#include "backends/cuda/kernel_table.h"
#include "backends/cuda/kernels/reductions.h"

namespace lazuli::cuda {
namespace {

constexpr const char* joins[] = {"op::Sum", "op::Prod", "Greatest", "Least", "op::All", "op::Any"};

template <size_t Join>
std::string policy(const KernelCall& call) {
  return std::string("Reduce<") + device_type(call.output.dtype) + ", " + joins[Join] + ">";
}

template <size_t Join>
void reduce(const KernelCall& call) {
  static ReductionTable<dtype_count> table("reduce.cu");
  const size_t itemsize = dtype_of(call.output.dtype).size();
  const bool half = call.output.dtype == float16 || call.output.dtype == bfloat16;
  run_reduction<dtype_count>(
      call, {call.node->params.data(), call.node->structural}, table,
      {policy<Join>, half ? sizeof(float) : itemsize, static_cast<size_t>(call.output.dtype)});
}

}  // namespace

void kernel_sum(const KernelCall& call) { reduce<0>(call); }
void kernel_prod(const KernelCall& call) { reduce<1>(call); }
void kernel_max(const KernelCall& call) { reduce<2>(call); }
void kernel_min(const KernelCall& call) { reduce<3>(call); }
void kernel_all(const KernelCall& call) { reduce<4>(call); }
void kernel_any(const KernelCall& call) { reduce<5>(call); }

}  // namespace lazuli::cuda
