// What ends a kernel ends its context, so that each of these has a process of its own; and the disk
// cache, whose folder a process chooses once.
#include <sys/stat.h>

#include <filesystem>

#include "base/flags.h"
#include "emulated_cuda/device_arrays.h"
#include "lazuli/error.h"
#include "support/temporary_folder.h"

namespace lazuli::cuda {
namespace {

using testing::content_of;
using testing::message_of;
using testing::TemporaryFolder;

// Suites of this name run first, before this process has used the GPU; then it can be forked.
class EmulatedFailureDeathTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "fast"); }
};

// Runs a kernel of one block and ends the process: with 0 if the stream reports `error`.
[[noreturn]] void run_and_expect(const char* source, unsigned threads, int error) {
  const Function& kernel = compiled(source, "kernel");
  DeviceArray<int> memory(32);
  launch(0, kernel, LaunchShape{{1, 1, 1}, {threads, 1, 1}, 12}, memory.data());
  int first = driver().cuStreamSynchronize(stream_handle(0));
  CUdeviceptr place = 0;
  int later = driver().cuMemAlloc(&place, 16);
  std::fprintf(stderr, "error %d, then %d\n", first, later);
  std::_Exit(first == error && later == error ? 0 : 1);
}

TEST_F(EmulatedFailureDeathTest, deadlockAtABarrier) {
  const char* source = R"(__global__ void kernel(int* out) {
        if (threadIdx.x < 10) __syncthreads();
        else if (threadIdx.x < 20) __syncwarp(0xfffff);
        else while (*(volatile int*)out != 1) __nanosleep(10);
      })";
  EXPECT_EXIT(run_and_expect(source, 30, 702), ::testing::ExitedWithCode(0),
              "kernel kernel, block \\(0, 0, 0\\): deadlock: 10 threads wait at __syncthreads, "
              "10 threads wait in __syncwarp of lanes 0x000fffff, 10 threads wait for memory to "
              "change; 0 have returned");
}

TEST_F(EmulatedFailureDeathTest, trap) {
  const char* source = R"(__global__ void kernel(int* out) {
        if (threadIdx.x == 5) __trap();
        __syncthreads();
      })";
  EXPECT_EXIT(run_and_expect(source, 64, 715), ::testing::ExitedWithCode(0),
              "thread \\(5, 0, 0\\): __trap");
}

TEST_F(EmulatedFailureDeathTest, laneOutsideItsMask) {
  const char* source = R"(__global__ void kernel(int* out) {
        *out = __shfl_xor_sync(0xffff, 1, 1);
      })";
  EXPECT_EXIT(run_and_expect(source, 32, 719), ::testing::ExitedWithCode(0),
              "thread \\(16, 0, 0\\): is not in the mask 0x0000ffff of a shuffle");
}

TEST_F(EmulatedFailureDeathTest, lanesInDifferentOperations) {
  const char* source = R"(__global__ void kernel(int* out) {
        if (threadIdx.x < 16) __syncwarp();
        else *out = __any_sync(~0u, 1);
      })";
  EXPECT_EXIT(run_and_expect(source, 32, 719), ::testing::ExitedWithCode(0),
              "meets others of its warp in a vote while they are in __syncwarp");
}

TEST_F(EmulatedFailureDeathTest, accessToNoMemory) {
  const char* source = "__global__ void kernel(int* out) { *(int*)64 = 1; }";
  EXPECT_EXIT(run_and_expect(source, 1, 700), ::testing::ExitedWithCode(0),
              "thread \\(0, 0, 0\\): no access to 0x40");
}

TEST_F(EmulatedFailureDeathTest, accessBehindAnAllocation) {
  ::setenv("LAZULI_EMULATED_GUARD", "1", 1);
  // 32 ints of 128 bytes end 128 bytes before the inaccessible page.
  const char* source = "__global__ void kernel(int* out) { out[64] = 1; }";
  EXPECT_EXIT(run_and_expect(source, 1, 700), ::testing::ExitedWithCode(0),
              "no access to 0x[0-9a-f]+, 256 bytes behind the start of the 128 bytes at 0x");
  ::unsetenv("LAZULI_EMULATED_GUARD");
}

TEST_F(EmulatedFailureDeathTest, writesBehindDynamicSharedMemory) {
  const char* source = R"(__global__ void kernel(int* out) {
        extern __shared__ int tile[];
        tile[threadIdx.x] = 1;
      })";
  EXPECT_EXIT(run_and_expect(source, 4, 700), ::testing::ExitedWithCode(0),
              "memory was written beyond its 12 bytes of dynamic shared memory");
}

TEST_F(EmulatedFailureDeathTest, writesBetweenAnAllocationAndItsAlignment) {
  auto act = [] {
    const Function& kernel = compiled("__global__ void kernel(char* p) { p[100] = 1; }", "kernel");
    CUdeviceptr place = 0;
    LAZULI_CUDA(cuMemAlloc, &place, 100);
    launch(0, kernel, LaunchShape{}, place);
    queue_of(0).stream();
    std::_Exit(driver().cuMemFree(place) == 700 ? 0 : 1);
  };
  EXPECT_EXIT(act(), ::testing::ExitedWithCode(0), "written beyond the 100 bytes at 0x");
}

TEST_F(EmulatedFailureDeathTest, divisionByZero) {
  const char* source = "__global__ void kernel(int* out) { *out = 7 / (int)(threadIdx.x); }";
  EXPECT_EXIT(run_and_expect(source, 1, 715), ::testing::ExitedWithCode(0),
              "integer division by zero");
}

TEST_F(EmulatedFailureDeathTest, overflowOfAStack) {
  const char* source = R"(
      __device__ __attribute__((noinline)) int deep(volatile int* p) { return deep(p) + *p; }
      __global__ void kernel(int* out) { *out = deep(out); })";
  EXPECT_EXIT(run_and_expect(source, 1, 700), ::testing::ExitedWithCode(0), "no access to");
}

// ---- The disk cache ----

constexpr const char* cached_source =
    "template <int N> __global__ void kernel(int* out) { *out = N; }";

class EmulatedCacheDeathTest : public EmulatedFailureDeathTest {
 protected:
  // Runs a kernel from the cache and ends the process: with 0 if its result is right.
  [[noreturn]] void run_cached() const {
    flags().cuda_cache = cache_;
    const Function& kernel = *load_function(cached_source, "kernel<12>");
    DeviceArray<int> result(1);
    launch(0, kernel, LaunchShape{}, result.data());
    std::_Exit(result.values()[0] == 12 ? 0 : 1);
  }
  std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> found;
    if (!std::filesystem::exists(cache_)) return found;
    for (const auto& entry : std::filesystem::directory_iterator(cache_)) {
      found.push_back(entry.path());
    }
    return found;
  }

  TemporaryFolder folder_;
  const std::string cache_ = folder_.file("cache");
};

TEST_F(EmulatedCacheDeathTest, keepsOneFileAProgramAndUsesIt) {
  EXPECT_EXIT(run_cached(), ::testing::ExitedWithCode(0), "");
  ASSERT_EQ(files().size(), 1u);
  auto before = std::filesystem::last_write_time(files()[0]);
  std::string content = content_of(files()[0]);
  EXPECT_EXIT(run_cached(), ::testing::ExitedWithCode(0), "");
  ASSERT_EQ(files().size(), 1u);
  EXPECT_EQ(std::filesystem::last_write_time(files()[0]), before);
  EXPECT_EQ(content_of(files()[0]), content);
}

TEST_F(EmulatedCacheDeathTest, compilesAgainWhatIsDamaged) {
  EXPECT_EXIT(run_cached(), ::testing::ExitedWithCode(0), "");
  ASSERT_EQ(files().size(), 1u);
  std::string content = content_of(files()[0]);
  for (size_t length : {content.size() / 2, size_t{3}, size_t{0}}) {
    std::filesystem::resize_file(files()[0], length);
    EXPECT_EXIT(run_cached(), ::testing::ExitedWithCode(0), "");
    ASSERT_EQ(content_of(files()[0]).size(), content.size());
  }
  std::string damaged = content_of(files()[0]);
  damaged[damaged.size() / 2] ^= 1;
  std::ofstream(files()[0], std::ios::binary) << damaged;
  EXPECT_EXIT(run_cached(), ::testing::ExitedWithCode(0), "");
  EXPECT_NE(content_of(files()[0]), damaged);
}

TEST_F(EmulatedCacheDeathTest, isNotUsedWhereOthersMayWrite) {
  std::filesystem::create_directory(cache_);
  ASSERT_EQ(::chmod(cache_.c_str(), 0777), 0);
  EXPECT_EXIT(run_cached(), ::testing::ExitedWithCode(0), "");
  EXPECT_EQ(files().size(), 0u);
}

}  // namespace
}  // namespace lazuli::cuda
