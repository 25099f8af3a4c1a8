// Kernels that the build has compiled are found by what they are made of.
#include "backends/cuda/programs/kernel_images.h"

#include <gtest/gtest.h>

#include <cstring>

namespace lazuli::cuda {
namespace {

char memory[4096];

// Before anything asks for images.
[[maybe_unused]] const bool filled = [] {
  std::map<std::string, CompiledProgram> images;
  images[image_key("arange.cu", "arange<float, double>", "sm_90a")] = {"code", "name"};
  std::string packed = pack_images("13.0", images);
  std::memcpy(memory, packed.data(), packed.size());
  return true;
}();

TEST(KernelImages, AreFoundByFileInstanceAndArchitecture) {
  auto found = compiled_ahead("arange.cu", "arange<float, double>", "sm_90a");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->image, "code");
  EXPECT_EQ(found->function, "name");
  EXPECT_FALSE(compiled_ahead("arange.cu", "arange<float, double>", "sm_80").has_value());
  EXPECT_FALSE(compiled_ahead("arange.cu", "arange<half_t, double>", "sm_90a").has_value());
  EXPECT_FALSE(compiled_ahead("gather.cu", "arange<float, double>", "sm_90a").has_value());
}

TEST(KernelImages, AreUnpackedAsTheyWerePacked) {
  std::map<std::string, CompiledProgram> images{{"a", {"1", "f"}},
                                                {"b", {std::string(3, '\0'), ""}}};
  std::string packed = pack_images("13.0", images);
  auto again = unpack_images(packed, "13.0");
  ASSERT_EQ(again.size(), 2u);
  EXPECT_EQ(again["b"].image, images["b"].image);
  EXPECT_EQ(again["a"].function, "f");
  EXPECT_TRUE(unpack_images(packed, "13.1").empty());
  EXPECT_TRUE(unpack_images("", "13.0").empty());
  EXPECT_EQ(unpack_images(packed.substr(0, packed.size() - 1), "13.0").size(), 1u);
}

}  // namespace
}  // namespace lazuli::cuda

extern "C" const lazuli::cuda::KernelImages lazuli_kernels[] = {
    {lazuli::cuda::memory, lazuli::cuda::memory + sizeof lazuli::cuda::memory},
    {nullptr, nullptr},
};
