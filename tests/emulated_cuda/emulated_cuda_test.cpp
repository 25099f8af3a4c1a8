// The emulated driver and compiler, driven as the backend drives NVIDIA's.
#include <chrono>
#include <cstring>
#include <thread>

#include "emulated_cuda/device_arrays.h"
#include "lazuli/error.h"
#include "support/temporary_folder.h"

namespace lazuli::cuda {
namespace {

using testing::message_of;

TEST(EmulatedDevice, tellsWhatItIs) {
  ASSERT_TRUE(find_driver()) << missing_driver();
  EXPECT_EQ(gpu().name, "emulated GPU");
  EXPECT_EQ(gpu().architecture, "sm_99a");
  EXPECT_EQ(gpu().multiprocessors, 4);
  EXPECT_EQ(gpu().memory_bytes, size_t{2048} << 20);
  EXPECT_EQ(missing_compiler(), "");
}

TEST(EmulatedKernel, addsVectors) {
  const Function& add = compiled(
      R"(extern "C" __global__ void add(const float* a, const float* b, float* c, int count) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < count) c[i] = a[i] + b[i];
      })",
      "add");
  int count = 1000;
  std::vector<float> a(count), b(count), sum(count);
  for (int i = 0; i < count; ++i) a[i] = i, b[i] = 0.5f * i, sum[i] = 1.5f * i;
  DeviceArray<float> device_a(a), device_b(b), device_c(count);
  launch(0, add, LaunchShape{{8, 1, 1}, {128, 1, 1}}, device_a.data(), device_b.data(),
         device_c.data(), count);
  EXPECT_EQ(device_c.values(), sum);
}

TEST(EmulatedKernel, knowsBlocksAndThreadsOfThreeDimensions) {
  const Function& where = compiled(
      R"(__global__ void where(int* out) {
        int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
        int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
        int threads = blockDim.x * blockDim.y * blockDim.z;
        out[block * threads + thread] = block * 1000 + thread;
      })",
      "where");
  DeviceArray<int> out(2 * 3 * 4 * 5 * 3 * 2);
  launch(0, where, LaunchShape{{2, 3, 4}, {5, 3, 2}}, out.data());
  std::vector<int> values = out.values();
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(values[i], static_cast<int>(i / 30 * 1000 + i % 30)) << i;
  }
}

TEST(EmulatedKernel, reducesBlocksOfManySizes) {
  const Function& total = compiled(
      R"(#include "math.cuh"
      template <class Join, class T> __global__ void total(T* out) {
        T once = block_reduce<Join>(T(threadIdx.x));
        out[threadIdx.x] = block_reduce<Join>(once);
      })",
      "total<op::Sum, int>");
  for (int threads : {32, 64, 96, 1024}) {
    int sum = threads * (threads - 1) / 2 * threads;
    EXPECT_EQ(run_block<int>(total, threads), std::vector<int>(threads, sum)) << threads;
  }
}

TEST(EmulatedKernel, shufflesInEveryDirection) {
  const char* source = R"(
      template <class T, int How> __global__ void shuffled(T* out) {
        T value = T(threadIdx.x * 3);
        if (How == 0) value = __shfl_sync(~0u, value, 5);
        if (How == 1) value = __shfl_up_sync(~0u, value, 2);
        if (How == 2) value = __shfl_down_sync(~0u, value, 2, 8);
        if (How == 3) value = __shfl_xor_sync(~0u, value, 17);
        out[threadIdx.x] = value;
      })";
  auto expected = [](auto source_lane) {
    std::vector<double> values;
    for (int i = 0; i < 64; ++i) values.push_back((i / 32 * 32 + source_lane(i % 32)) * 3);
    return values;
  };
  EXPECT_EQ(run_block<double>(compiled(source, "shuffled<double, 0>"), 64),
            expected([](int) { return 5; }));
  EXPECT_EQ(run_block<double>(compiled(source, "shuffled<double, 1>"), 64),
            expected([](int lane) { return lane < 2 ? lane : lane - 2; }));
  EXPECT_EQ(run_block<double>(compiled(source, "shuffled<double, 2>"), 64),
            expected([](int lane) { return lane % 8 < 6 ? lane + 2 : lane; }));
  EXPECT_EQ(run_block<double>(compiled(source, "shuffled<double, 3>"), 64),
            expected([](int lane) { return lane ^ 17; }));
}

TEST(EmulatedKernel, votesMatchesAndReducesInParts) {
  const Function& votes = compiled(
      R"(__global__ void votes(unsigned* out) {
        unsigned lane = threadIdx.x % 32, half = lane < 16 ? 0xffffu : 0xffff0000u;
        if (lane < 16) out[lane] = __ballot_sync(half, lane % 3 == 0);
        else out[lane] = __match_any_sync(half, lane / 4);
        if (lane == 20) return;  // lanes that have returned are not waited for
        out[lane + 32] = __reduce_add_sync(~0u, lane);
        out[lane + 64] = __any_sync(half, lane == 3) + 2 * __all_sync(half, lane < 16);
        out[lane + 96] = __reduce_max_sync(half, lane);
      })",
      "votes");
  DeviceArray<unsigned> out(128);
  launch(0, votes, LaunchShape{{1, 1, 1}, {32, 1, 1}}, out.data());
  std::vector<unsigned> values = out.values();
  for (unsigned lane = 0; lane < 32; ++lane) {
    bool low = lane < 16;
    ASSERT_EQ(values[lane], low ? 0x9249u : 0xfu << (lane / 4 * 4)) << lane;
    if (lane == 20) continue;
    ASSERT_EQ(values[lane + 32], 31u * 16 - 20) << lane;
    ASSERT_EQ(values[lane + 64], low ? 3u : 0u) << lane;
    ASSERT_EQ(values[lane + 96], low ? 15u : 31u) << lane;
  }
}

TEST(EmulatedKernel, hasDynamicSharedMemory) {
  const Function& reversed = compiled(
      R"(#include "types.cuh"
      template <class T, int Lead> __global__ void reversed(T* out) {
        extern __shared__ alignas(16) T tile[];
        tile[Lead + threadIdx.x] = T(threadIdx.x);
        __syncthreads();
        out[threadIdx.x] = tile[Lead + blockDim.x - 1 - threadIdx.x];
      })",
      "reversed<uint16_t, 50000>");
  DeviceArray<uint16_t> out(256);
  launch(0, reversed, LaunchShape{{1, 1, 1}, {256, 1, 1}, 2 * 50256}, out.data());
  std::vector<uint16_t> values = out.values();
  for (int i = 0; i < 256; ++i) ASSERT_EQ(values[i], 255 - i);
}

TEST(EmulatedKernel, takesDynamicSharedMemoryInEveryForm) {
  const Function& forms = compiled(
      R"(#include "types.cuh"
      template <class T> struct Traits { typedef T type; };
      template <class T> __global__ void forms(T* out) {
        extern __shared__ __align__(1024) unsigned char bytes[];
        extern __shared__
            float4 quads[];
        extern __shared__ alignas(sizeof(T) * 4) Vector<T, 4> vectors[];
        extern __shared__ typename Traits<T>::type plain [ ] ;
        plain[0] = 1, plain[1] = 2, plain[2] = 3, plain[3] = 4;
        out[0] = quads[0].x + vectors[0][1] + plain[2];
        out[1] = (unsigned long long)bytes % 1024 + bytes[3];
      })",
      "forms<float>");
  DeviceArray<float> out(2);
  launch(0, forms, LaunchShape{{1, 1, 1}, {1, 1, 1}, 16}, out.data());
  EXPECT_EQ(out.values(), (std::vector<float>{6, 0x3f}));
}

TEST(EmulatedKernel, findsSharedMemoryThatWasNotWritten) {
  const Function& unwritten = compiled(
      R"(__global__ void unwritten(int* out) {
        __shared__ int slots[64];
        slots[threadIdx.x] = threadIdx.x;  // and no barrier
        out[threadIdx.x] = slots[63 - threadIdx.x];
      })",
      "unwritten");
  int poison = static_cast<int>(0xA5A5A5A5);
  std::vector<int> values = run_block<int>(unwritten, 64);
  EXPECT_EQ(values[0], poison);
  EXPECT_EQ(values[63], 0);
}

TEST(EmulatedKernel, hasAtomics) {
  const Function& count = compiled(
      R"(__global__ void count(int* sum, float* floats, unsigned* bits, unsigned long long* most,
                               unsigned* swapped) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        atomicAdd(sum, i);
        atomicAdd(floats, 0.5f);
        atomicOr(bits, 1u << (i % 32));
        atomicMax(most, (unsigned long long)i);
        atomicCAS(swapped, 7u, i + 100u);
      })",
      "count");
  DeviceArray<int> sum(std::vector<int>{0});
  DeviceArray<float> floats(std::vector<float>{0});
  DeviceArray<unsigned> bits(std::vector<unsigned>{0}), swapped(std::vector<unsigned>{7});
  DeviceArray<unsigned long long> most(std::vector<unsigned long long>{0});
  launch(0, count, LaunchShape{{10, 1, 1}, {100, 1, 1}}, sum.data(), floats.data(), bits.data(),
         most.data(), swapped.data());
  EXPECT_EQ(sum.values()[0], 999 * 500);
  EXPECT_EQ(floats.values()[0], 500);
  EXPECT_EQ(bits.values()[0], 0xffffffffu);
  EXPECT_EQ(most.values()[0], 999u);
  EXPECT_EQ(swapped.values()[0], 100u);
}

TEST(EmulatedKernel, countsAtBarriers) {
  const Function& counts = compiled(
      R"(__global__ void counts(int* out) {
        int t = threadIdx.x;
        if (t >= 90) return;
        int a = __syncthreads_count(t % 2), b = __syncthreads_or(t == 80),
            c = __syncthreads_and(t < 90), d = __syncthreads_and(t < 80);
        out[t] = a * 1000 + b * 100 + c * 10 + d;
      })",
      "counts");
  std::vector<int> values = run_block<int>(counts, 100);
  for (int t = 0; t < 90; ++t) ASSERT_EQ(values[t], 45110);
}

TEST(EmulatedKernel, exchangesValuesAndMeetsAtNamedBarriers) {
  const Function& parts = compiled(
      R"(__global__ void parts(int* out) {
        __shared__ int filled[32];
        int t = threadIdx.x;
        struct Pair { int a; double b; };
        if (t < 32) {
          auto lanes = emulated::exchange(~0u, Pair{t, t * 0.5});
          filled[t] = lanes[31 - t].a + int(lanes[2].b);
          emulated::named_arrive(1, 64);
        } else {
          emulated::named_barrier(1, 64);
          out[t - 32] = filled[t - 32];
        }
      })",
      "parts");
  std::vector<int> values = run_block<int>(parts, 64);
  for (int t = 0; t < 32; ++t) ASSERT_EQ(values[t], 32 - t);
}

TEST(EmulatedKernel, takesStructsByValueAtTheLaunch) {
  const Function& sum = compiled(
      R"(struct Sizes { long long size[3]; char kind; };
      __global__ void sum(int* out, const __grid_constant__ Sizes sizes, double scale) {
        out[threadIdx.x] = int((sizes.size[0] + sizes.size[2] + sizes.kind) * scale);
      })",
      "sum");
  struct Sizes {
    long long size[3];
    char kind;
  } sizes{{1, 2, 3}, 4};
  DeviceArray<int> out(1);
  double scale = 2.5;
  launch(0, sum, LaunchShape{}, out.data(), sizes, scale);
  sizes.size[0] = 100, scale = 0;
  EXPECT_EQ(out.values()[0], 20);
}

TEST(EmulatedKernel, refusesLaunchesThatDoNotFit) {
  const Function& none = compiled("__global__ void none() {}", "none");
  auto result = [&](const LaunchShape& shape) {
    return message_of<DeviceError>([&] {
      launch(0, none, shape);
      queue_of(0).stream();  // launches are kept back until they are needed
    });
  };
  EXPECT_EQ(result({{1, 1, 1}, {1024, 1, 1}}), "no error");
  EXPECT_EQ(result({{1, 1, 1}, {1025, 1, 1}}),
            "[cuda] cuLaunchKernelEx: CUDA_ERROR_INVALID_VALUE, invalid argument.");
  EXPECT_NE(result({{1, 65536, 1}, {1, 1, 1}}), "no error");
  EXPECT_NE(result({{1, 1, 1}, {1, 1, 1}, 228 << 10}), "no error");
  EXPECT_EQ(none.blocks_per_multiprocessor(256, 0), 8);
  EXPECT_EQ(none.blocks_per_multiprocessor(32, 100 << 10), 2);
}

TEST(EmulatedCompiler, tellsWhatDoesNotCompile) {
  std::string message = message_of<DeviceError>([] {
    compile_program("__global__ void wrong(int* p) {\n  *p = missing;\n}", "wrong", "sm_90a");
  });
  EXPECT_NE(message.find("Device code does not compile (wrong, sm_90a)"), std::string::npos);
  EXPECT_NE(message.find("lazuli.cu:2"), std::string::npos) << message;
  EXPECT_NE(message.find("missing"), std::string::npos) << message;
  message = message_of<DeviceError>(
      [] { compile_program("__global__ void here() {}", "elsewhere<3>", "sm_90a"); });
  EXPECT_NE(message.find("elsewhere"), std::string::npos) << message;
}

TEST(EmulatedStream, runsBesideTheHostAndOtherStreams) {
  const char* source = R"(
      __global__ void wait(volatile int* flag, int* out) {
        while (*flag == 0) __nanosleep(100);
        *out = *flag;
      })";
  const Function& wait = compiled(source, "wait");
  void* pinned = nullptr;
  gpu();
  LAZULI_CUDA(cuMemHostAlloc, &pinned, 64, 0u);
  auto* flag = static_cast<volatile int*>(pinned);
  *flag = 0;
  DeviceArray<int> first(1), second(1);
  launch(1, wait, LaunchShape{}, pinned, first.data());
  CUevent event = nullptr;
  LAZULI_CUDA(cuEventCreate, &event, event_without_timing);
  LAZULI_CUDA(cuEventRecord, event, stream_handle(1));
  LAZULI_CUDA(cuStreamWaitEvent, stream_handle(2), event, 0u);
  LAZULI_CUDA(cuMemcpyDtoDAsync, reinterpret_cast<CUdeviceptr>(second.data()),
              reinterpret_cast<CUdeviceptr>(first.data()), sizeof(int), stream_handle(2));
  EXPECT_EQ(driver().cuEventQuery(event), cuda_error_not_ready);
  EXPECT_EQ(driver().cuStreamSynchronize(stream_handle(3)), cuda_success);
  *flag = 42;
  EXPECT_EQ(second.values(2)[0], 42);
  EXPECT_EQ(driver().cuEventQuery(event), cuda_success);
  LAZULI_CUDA(cuEventDestroy, event);
  EXPECT_EQ(driver().cuEventQuery(event), 400);
  LAZULI_CUDA(cuMemFreeHost, pinned);
}

TEST(EmulatedStream, keepsTheOrderThatEventsGive) {
  const Function& step = compiled(
      "__global__ void step(long long* at, int factor, int more) { *at = *at * factor + more; }",
      "step");
  DeviceArray<long long> number(std::vector<long long>{1}, 1);
  CUevent event = nullptr;
  LAZULI_CUDA(cuEventCreate, &event, event_without_timing);
  long long expected = 1;
  for (int round = 0; round < 30; ++round) {
    int stream = 1 + round % 2, factor = round % 2 ? 1 : 3, more = round % 2 ? round : 0;
    launch(stream, step, LaunchShape{}, number.data(), factor, more);
    expected = expected * factor + more;
    LAZULI_CUDA(cuEventRecord, event, stream_handle(stream));
    LAZULI_CUDA(cuStreamWaitEvent, stream_handle(3 - stream), event, 0u);
  }
  EXPECT_EQ(number.values(1)[0], expected);
  LAZULI_CUDA(cuEventDestroy, event);
}

TEST(EmulatedStream, copiesPinnedMemoryWhenItComesToIt) {
  const Function& wait = compiled(
      "__global__ void wait(volatile int* flag) { while (*flag == 0) __nanosleep(100); }", "wait");
  void* pinned = nullptr;
  gpu();
  LAZULI_CUDA(cuMemHostAlloc, &pinned, 64, 0u);
  auto* words = static_cast<int*>(pinned);
  words[0] = 0, words[1] = 1;
  int pageable = 1;
  DeviceArray<int> late(1), early(1);
  launch(1, wait, LaunchShape{}, pinned);
  LAZULI_CUDA(cuMemcpyHtoDAsync, reinterpret_cast<CUdeviceptr>(late.data()), words + 1, sizeof(int),
              stream_handle(1));
  LAZULI_CUDA(cuMemcpyHtoDAsync, reinterpret_cast<CUdeviceptr>(early.data()), &pageable,
              sizeof(int), stream_handle(1));
  words[1] = pageable = 2;
  *static_cast<volatile int*>(words) = 1;
  EXPECT_EQ(late.values(1)[0], 2);
  EXPECT_EQ(early.values(1)[0], 1);
  LAZULI_CUDA(cuMemFreeHost, pinned);
}

TEST(EmulatedStream, measuresTimeBetweenEvents) {
  gpu();
  CUevent start = nullptr, end = nullptr;
  LAZULI_CUDA(cuEventCreate, &start, 0u);
  LAZULI_CUDA(cuEventCreate, &end, 0u);
  LAZULI_CUDA(cuEventRecord, start, stream_handle(0));
  wait_for_stream(0);
  std::this_thread::sleep_for(std::chrono::milliseconds(3));
  LAZULI_CUDA(cuEventRecord, end, stream_handle(0));
  LAZULI_CUDA(cuEventSynchronize, end);
  float milliseconds = 0;
  LAZULI_CUDA(cuEventElapsedTime, &milliseconds, start, end);
  EXPECT_GE(milliseconds, 3);
}

TEST(EmulatedMemory, isLimitedAndCounted) {
  gpu();
  size_t before = 0, during = 0, after = 0, total = 0;
  LAZULI_CUDA(cuMemGetInfo, &before, &total);
  CUdeviceptr place = 0;
  EXPECT_NE(message_of<MemoryError>([&] {
              LAZULI_CUDA(cuMemAlloc, &place, size_t{3} << 30);
            }).find("CUDA_ERROR_OUT_OF_MEMORY"),
            std::string::npos);
  LAZULI_CUDA(cuMemAlloc, &place, 1 << 20);
  LAZULI_CUDA(cuMemGetInfo, &during, &total);
  LAZULI_CUDA(cuMemFree, place);
  LAZULI_CUDA(cuMemGetInfo, &after, &total);
  EXPECT_EQ(before - during, size_t{1} << 20);
  EXPECT_EQ(before, after);
  EXPECT_EQ(driver().cuMemFree(place), 1);
}

TEST(EmulatedMemory, refusesCopiesBeyondAnAllocation) {
  DeviceArray<int> three(std::vector<int>{1, 2, 3});
  int host[4];
  CUdeviceptr start = reinterpret_cast<CUdeviceptr>(three.data());
  EXPECT_EQ(driver().cuMemcpyDtoHAsync(host, start, sizeof host, stream_handle(0)), 1);
  EXPECT_EQ(driver().cuMemsetD8Async(start + 1, 0, 12, stream_handle(0)), 1);
  EXPECT_EQ(driver().cuMemsetD8Async(start + 4, 0, 8, stream_handle(0)), 0);
  EXPECT_EQ(three.values(), (std::vector<int>{1, 0, 0}));
}

TEST(EmulatedMemory, isNotUsableWithoutAContext) {
  gpu();
  int result = 0;
  std::thread([&] {
    CUdeviceptr place = 0;
    result = driver().cuMemAlloc(&place, 16);
  }).join();
  EXPECT_EQ(result, 201);
}

}  // namespace
}  // namespace lazuli::cuda
