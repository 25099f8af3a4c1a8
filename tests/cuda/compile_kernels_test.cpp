// Every instance of every fixed kernel compiles for every architecture, without a GPU. What has
// compiled is remembered in the build folder by a digest of all that went in.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "backends/cuda/kernels/function_table.h"
#include "backends/cuda/programs/device_sources.h"
#include "backends/cuda/programs/nvrtc.h"
#include "cuda/fused_source.h"

namespace lazuli::testing {
namespace {

namespace fs = std::filesystem;

constexpr size_t instances_at_once = 96;

using Instances = std::vector<std::string>;

// By file.
std::map<std::string, Instances> instances_of_files() {
  // Whoever asks for a device has the backend, and with it all tables, in the program.
  is_available(Device::gpu);
  std::map<std::string, Instances> files;
  for (const cuda::FixedInstance& fixed : cuda::fixed_instances()) {
    files[fixed.file].push_back(fixed.instance);
  }
  return files;
}

// The file that says that these have compiled.
fs::path stamp_of(const std::string& source, const Instances& instances,
                  const std::string& architecture) {
  std::string all = cuda::compiler_version() + "\n" + architecture + "\n" +
                    cuda::digest_of_includes(source) + "\n" + source;
  for (const std::string& instance : instances) all += "\n" + instance;
  return fs::path(LAZULI_BINARY_DIR) / "compiled_kernels" / cuda::digest(all);
}

class FixedKernels : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!cuda::missing_compiler().empty()) GTEST_SKIP() << cuda::missing_compiler();
  }
};

TEST_P(FixedKernels, Compile) {
  fs::create_directories(fs::path(LAZULI_BINARY_DIR) / "compiled_kernels");
  for (const auto& [file, all] : instances_of_files()) {
    std::string source(cuda::device_source(file));
    for (size_t first = 0; first < all.size(); first += instances_at_once) {
      size_t count = std::min(instances_at_once, all.size() - first);
      Instances part(all.begin() + static_cast<long>(first),
                     all.begin() + static_cast<long>(first + count));
      fs::path stamp = stamp_of(source, part, GetParam());
      if (fs::exists(stamp)) continue;
      try {
        cuda::compile_instances(source, part, GetParam(), cuda::Effort::least);
        std::ofstream(stamp) << "";
      } catch (const std::exception& error) {
        ADD_FAILURE() << file << ": " << error.what();
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Architectures, FixedKernels, ::testing::ValuesIn(architectures),
                         [](const auto& info) { return std::string(info.param); });

TEST(KernelTables, NameInstancesOfEveryFile) {
  std::map<std::string, Instances> files = instances_of_files();
  size_t count = 0;
  for (const auto& [file, instances] : files) count += instances.size();
  EXPECT_GT(files.size(), 20u);
  EXPECT_GT(count, 2000u);
  for (const cuda::DeviceSource& part : cuda::device_sources()) {
    if (!part.name.ends_with(".cu")) continue;
    EXPECT_EQ(files.erase(std::string(part.name)), 1u) << part.name;
  }
  EXPECT_TRUE(files.empty());
}

}  // namespace
}  // namespace lazuli::testing
