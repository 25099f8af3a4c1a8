// What a build says of itself, beside what CMake and the CPU say.
#include "lazuli/features.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "lazuli/version.h"

// As a program that holds kernels compiled ahead has it.
extern "C" {
extern const char lazuli_kernel_architectures[];
const char lazuli_kernel_architectures[] = "80;90a";
}

namespace lazuli {
namespace {

using Names = std::vector<std::string>;

TEST(Features, AreThoseOfTheBuild) {
  const Features& f = features();
  EXPECT_EQ(f.version, LAZULI_VERSION_STRING);
  EXPECT_EQ(f.onednn, LAZULI_HAVE_ONEDNN == 1);
  EXPECT_EQ(f.openblas, LAZULI_HAVE_OPENBLAS == 1);
  EXPECT_EQ(f.python, LAZULI_HAVE_PYTHON == 1);
  EXPECT_EQ(&f, &features());
}

TEST(Features, ArchitecturesAreThoseThatTheProgramHolds) {
  EXPECT_EQ(features().cuda_architectures, (Names{"80", "90a"}));
}

TEST(Features, NameTheSimdTargets) {
  const Names& names = features().simd_targets;
  ASSERT_FALSE(names.empty());
  for (const std::string& name : names) {
    EXPECT_NE(name, "Unknown");
    EXPECT_EQ(std::count(names.begin(), names.end(), name), 1) << name;
  }
#if defined(__x86_64__)
  // The best first: AVX-512 before AVX2.
  auto at = [&](const char* name) { return std::find(names.begin(), names.end(), name); };
  for (const char* best : {"AVX3_DL", "AVX3"}) {
    bool in_order = at(best) == names.end() || at(best) < at("AVX2");
    EXPECT_TRUE(in_order) << best;
  }
#endif
}

TEST(Features, NameTheSanitizers) {
  const Names& names = features().sanitizers;
  auto has = [&](const char* name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
#if defined(__SANITIZE_ADDRESS__)
  EXPECT_TRUE(has("address"));
#elif defined(__SANITIZE_THREAD__)
  EXPECT_TRUE(has("thread"));
#endif
  EXPECT_FALSE(has(""));
}

}  // namespace
}  // namespace lazuli
