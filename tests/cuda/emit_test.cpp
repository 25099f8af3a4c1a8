// Fused steps as source for the GPU: they compile for every architecture, without a GPU.
#include <gtest/gtest.h>

#include "backends/cuda/programs/nvrtc.h"
#include "base/flags.h"
#include "cuda/fused_source.h"

namespace lazuli::testing {
namespace {

using cuda::Access;
using cuda::Form;

class Emit : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!cuda::missing_compiler().empty()) GTEST_SKIP() << cuda::missing_compiler();
  }
};

void compiles(const std::string& source, const char* architecture) {
  try {
    auto program =
        cuda::compile_instances(source, {"fused_step"}, architecture, cuda::Effort::least);
    EXPECT_FALSE(program.image.empty());
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what() << "\n" << source;
  }
}

void compiles(const FusedStep& step, const cuda::Variant& variant, const char* architecture) {
  compiles(emit(step, variant), architecture);
}

void compiles_in_all_forms(const std::vector<array>& outputs, const char* architecture) {
  for (const auto& step : fused_steps(outputs)) {
    if (step->row_axes == 0) {
      for (Access access : {Access::direct, Access::strided, Access::vectors, Access::repeated}) {
        compiles(*step, variant_of(*step, Form::elements, 4, 2, access), architecture);
      }
      compiles(*step, variant_of(*step, Form::tiles, 1, 1, Access::tiled), architecture);
      continue;
    }
    cuda::Variant warps = variant_of(*step, Form::row_in_registers, 4, 2);
    warps.warp_rows = true;
    compiles(*step, warps, architecture);
    cuda::Variant block = variant_of(*step, Form::row_in_registers, 2, 4);
    compiles(*step, block, architecture);
    block.joined = true;
    compiles(*step, block, architecture);
    compiles(*step, variant_of(*step, Form::row_in_loop, 1, 4, Access::strided), architecture);
    for (int part = 0; part <= step->phases; ++part) {
      cuda::Variant parts = variant_of(*step, Form::row_in_parts, 4, 4);
      parts.part = static_cast<uint8_t>(part);
      compiles(*step, parts, architecture);
    }
  }
}

TEST_F(Emit, ChainsAndRowProgramsCompileForEveryArchitecture) {
  array x = leaf({64, 256}, bfloat16), y = leaf({64, 256}, float32);
  for (const char* architecture : architectures) {
    compiles_in_all_forms({tanh(x * y + 1.0f) / 2.0f, exp(y)}, architecture);
    compiles_in_all_forms({softmax(x, -1)}, architecture);
    compiles_in_all_forms({fast::layer_norm(x, std::nullopt, std::nullopt, 1e-5f), sum(y, -1)},
                          architecture);
  }
}

TEST_F(Emit, ProductsWithStepsAroundThemCompileForEveryArchitecture) {
  for (const char* architecture : architectures) {
    for (Dtype dtype : {float32, float16, bfloat16}) {
      for (int columns : {2, 4}) {
        GatedProducts products(dtype, columns);
        cuda::ProductsForm form = products.form();
        compiles(emit_products(form), architecture);
        form.before = nullptr;
        compiles(emit_products(form), architecture);
        form.after = nullptr;
        form.before = products.form().before;
        compiles(emit_products(form), architecture);
      }
    }
  }
}

TEST_F(Emit, EveryDtypeCompiles) {
  for (Dtype dtype : {bool_, uint8, uint16, uint32, uint64, int8, int16, int32, int64, float16,
                      float32, float64, bfloat16, complex64}) {
    array x = leaf({4, 64}, dtype);
    std::vector<array> outputs = {
        x + x,      x * x,           equal(x, x),        maximum(x, x),
        abs(x),     astype(x, int8), astype(x, float16), astype(x, complex64),
        power(x, x)};
    compiles_in_all_forms(outputs, "sm_90a");
    compiles_in_all_forms({sum(x, -1, true), max(x, -1, true), all(x, -1, true)}, "sm_90a");
    compiles_in_all_forms({prod(x, -1), min(x, -1), any(x, -1)}, "sm_90a");
  }
}

}  // namespace
}  // namespace lazuli::testing
