// Launching the kernels of device/reductions.cuh.
#pragma once

#include "backends/cuda/kernels/function_table.h"
#include "backends/cuda/kernels/reductions/axes.h"

namespace lazuli::cuda {

#include "backends/cuda/device/reduce_shape.cuh"

// Rows or columns, by vectors or elements, along one axis or several.
constexpr size_t reduction_variants = 8;

// By the dtype of the input, then by variant.
using ReductionTable = FunctionTable<dtype_count * reduction_variants>;
// The instance of a slot for a policy, which may be empty: then there is none.
std::string reduction_instance(size_t slot, const std::string& policy);

struct ReductionLaunch {
  ReduceShape shape;
  LaunchShape launch;
  int64_t from = 0, to = 0;  // where the walk starts, in elements
  bool columns = false;
  bool single = false;  // the reduced axes are one; of rows: with step 1
  int vector = 1;
  int splits = 1;
  size_t partials = 0;  // states of splits

  size_t variant() const {
    return (columns ? 4u : 0u) + (vector > 1 ? 2u : 0u) + (single ? 1u : 0u);
  }
};

ReductionLaunch plan_reduction(const KernelCall& call, std::span<const int64_t> axes);
void launch_reduction(const KernelCall& call, const ReductionLaunch& plan, const Function& function,
                      size_t state_bytes);

// Reduces input 0 over `axes` into the dense output. `state_bytes` are those of the policy's State.
inline void run_reduction(const KernelCall& call, std::span<const int64_t> axes,
                          ReductionTable& table, size_t state_bytes) {
  const ReductionLaunch plan = plan_reduction(call, axes);
  const size_t slot = slot_of(call.inputs[0].dtype) * reduction_variants + plan.variant();
  launch_reduction(call, plan, table.at(slot), state_bytes);
}

}  // namespace lazuli::cuda
