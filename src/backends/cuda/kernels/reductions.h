// Launching the kernels of device/reductions.cuh.
#pragma once

#include "backends/cuda/kernels/axes.h"
#include "backends/cuda/kernels/function_table.h"

namespace lazuli::cuda {

#include "backends/cuda/device/reduce_shape.cuh"

// Rows or columns, by vectors or elements, along one axis or several.
constexpr size_t reduction_variants = 8;

struct Reduction {
  std::string (*policy)(const KernelCall&);  // the name of the policy, for the first launch
  size_t state_bytes;                        // of the policy's State
  size_t slot;                               // of the policy among those of the table
};

template <size_t Policies>
using ReductionTable = FunctionTable<Policies * reduction_variants>;

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
std::string reduction_instance(const ReductionLaunch& plan, const std::string& policy);
void launch_reduction(const KernelCall& call, const ReductionLaunch& plan, const Function& function,
                      size_t state_bytes);

// Reduces input 0 over `axes` into the dense output.
template <size_t Policies>
void run_reduction(const KernelCall& call, std::span<const int64_t> axes,
                   ReductionTable<Policies>& table, const Reduction& reduction) {
  const ReductionLaunch plan = plan_reduction(call, axes);
  const Function& function = table.at(reduction.slot * reduction_variants + plan.variant(), [&] {
    return reduction_instance(plan, reduction.policy(call));
  });
  launch_reduction(call, plan, function, reduction.state_bytes);
}

}  // namespace lazuli::cuda
