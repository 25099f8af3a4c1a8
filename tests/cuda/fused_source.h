// The fused steps of expressions, and their source on the GPU, without one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/cuda/fused/variant.h"
#include "lazuli/lazuli.h"

namespace lazuli::testing {

// Those that device code must compile for.
constexpr const char* architectures[] = {"sm_80", "sm_89", "sm_90a", "sm_100a", "sm_120a"};

// An evaluated array.
array leaf(Shape shape, Dtype dtype);

// The steps that the planner makes of what `outputs` need.
std::vector<std::unique_ptr<FusedStep>> fused_steps(const std::vector<array>& outputs);

// A form with every value as `access` says; row values and single values are splats.
cuda::Variant variant_of(const FusedStep& step, cuda::Form form, int vector, int vectors,
                         cuda::Access access = cuda::Access::direct);

// Products of the norm of a row with two matrices, and a gate of them.
class GatedProducts {
 public:
  GatedProducts(Dtype dtype, int columns);
  const cuda::ProductsForm& form() const { return form_; }

 private:
  std::unique_ptr<FusedStep> norm_, gate_;
  cuda::Variant norm_variant_, gate_variant_;
  cuda::ProductsForm form_;
};

}  // namespace lazuli::testing
