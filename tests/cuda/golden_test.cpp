// The source emitted for typical steps is what tests/cuda/golden holds: a change of the emitter
// shows what it changes there. LAZULI_WRITE_GOLDEN=1 writes the files anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "cuda/fused_source.h"
#include "support/temporary_folder.h"

namespace lazuli::testing {
namespace {

using cuda::Access;
using cuda::Form;

void agrees_with(const std::string& name, const std::string& source) {
  std::string path = std::string(LAZULI_SOURCE_DIR) + "/tests/cuda/golden/" + name + ".cu.txt";
  if (std::getenv("LAZULI_WRITE_GOLDEN")) std::ofstream(path) << source;
  EXPECT_EQ(content_of(path), source)
      << "The source of " << name << " has changed. If it was meant to: LAZULI_WRITE_GOLDEN=1 "
      << "build/release/bin/cuda_test --gtest_filter='Golden.*', and commit the files.";
}

std::unique_ptr<FusedStep> only_step(const array& output) {
  auto steps = fused_steps({output});
  EXPECT_EQ(steps.size(), 1u);
  return std::move(steps.front());
}

TEST(Golden, AChainOfElements) {
  array x = leaf({64, 256}, bfloat16), y = leaf({64, 256}, float32);
  auto step = only_step(tanh(x * y + 1.0f) / 2.0f);
  agrees_with("chain", emit(*step, variant_of(*step, Form::elements, 4, 2)));
  agrees_with("chain_strided",
              emit(*step, variant_of(*step, Form::elements, 1, 4, Access::strided)));
}

TEST(Golden, ATransposedSum) {
  array x = leaf({256, 64}, float16), y = leaf({64, 256}, float16);
  auto step = only_step(transpose(x) + y);
  agrees_with("tiles", emit(*step, variant_of(*step, Form::tiles, 1, 1, Access::tiled)));
}

TEST(Golden, ASoftmaxInRegisters) {
  auto step = only_step(softmax(leaf({64, 1024}, bfloat16), -1));
  cuda::Variant variant = variant_of(*step, Form::row_in_registers, 8, 1);
  agrees_with("softmax", emit(*step, variant));
  variant.joined = true;
  agrees_with("softmax_joined", emit(*step, variant));
}

TEST(Golden, ANormOfLongRows) {
  array x = leaf({4, 1 << 16}, float32), weight = leaf({1 << 16}, float32);
  auto step = only_step(fast::rms_norm(x, weight, 1e-5f));
  agrees_with("rms_norm", emit(*step, variant_of(*step, Form::row_in_loop, 4, 4)));
}

TEST(Golden, ASumInParts) {
  auto step = only_step(sum(exp(leaf({2, 1 << 20}, float32)), -1));
  for (uint8_t part = 0; part <= step->phases; ++part) {
    cuda::Variant variant = variant_of(*step, Form::row_in_parts, 4, 4);
    variant.part = part;
    agrees_with("sum_part_" + std::to_string(part), emit(*step, variant));
  }
}

TEST(Golden, ANormItsProductsAndTheirGate) {
  agrees_with("products", emit_products(GatedProducts(bfloat16, 4).form()));
}

}  // namespace
}  // namespace lazuli::testing
