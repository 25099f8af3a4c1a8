#include "backends/cpu/cpu_backend.h"

#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <numeric>
#include <vector>

#include "base/thread_pool.h"
#include "lazuli/error.h"

namespace lazuli {
namespace {

constexpr size_t huge_page = size_t{2} << 20;

// Bytes a second that all threads read of memory that no cache holds; the best of a few times.
double measured_bandwidth() {
  using Clock = std::chrono::steady_clock;
  constexpr size_t words_each = size_t{4} << 20;
  ThreadPool& pool = ThreadPool::instance();
  std::vector<uint64_t> words(words_each * static_cast<size_t>(pool.threads()), 1);
  std::atomic<uint64_t> total{0};
  double best = 0;
  for (int round = 0; round < 8; ++round) {
    Clock::time_point start = Clock::now();
    pool.run(pool.threads(), [&](int64_t thread) {
      const uint64_t* first = words.data() + static_cast<size_t>(thread) * words_each;
      total += std::accumulate(first, first + words_each, uint64_t{0});
    });
    double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, static_cast<double>(words.size() * sizeof(uint64_t)) / seconds);
  }
  return best;
}

class CpuBackend : public Backend {
 public:
  CpuBackend() : Backend(Device(Device::cpu), true) {}

  std::string name() const override {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
      size_t colon = line.find(": ");
      if (line.starts_with("model name") && colon != std::string::npos)
        return line.substr(colon + 2);
    }
    return "CPU";
  }
  std::string architecture() const override {
    utsname names;
    return uname(&names) == 0 ? names.machine : "unknown";
  }

  // What the machine has, or the control group allows.
  size_t memory_bytes() const override {
    size_t total =
        static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGE_SIZE));
    std::ifstream cgroup("/sys/fs/cgroup/memory.max");
    size_t limit = 0;
    return cgroup >> limit ? std::min(total, limit) : total;
  }

  void* allocate(size_t bytes) override {
    if (bytes < huge_page) return std::aligned_alloc(64, bytes);
    void* block = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) return nullptr;
    madvise(block, bytes, MADV_HUGEPAGE);
    return block;
  }
  void free(void* block, size_t bytes) noexcept override {
    if (bytes < huge_page) {
      std::free(block);
    } else {
      munmap(block, bytes);
    }
  }
  void upload(void* device, const void* host, size_t bytes, int) override {
    std::memcpy(device, host, bytes);
  }
  void download(void* host, const void* device, size_t bytes, Work) override {
    std::memcpy(host, device, bytes);
  }

  // Reading is measured once; what products reach depends on the kernel.
  Peak peak(bool, Dtype::Val) override {
    static const double bytes = measured_bandwidth();
    return {bytes, 0};
  }

  bool has_kernel(Op op) const override { return find_kernel(op) != nullptr; }
  void run_kernel(const KernelCall& call) override {
    Kernel kernel = find_kernel(call.node->op);
    if (!kernel) {
      throw RuntimeError("[" + std::string(op_info(call.node->op).name) +
                         "] The CPU has no kernel.");
    }
    kernel(call);
  }

  std::unique_ptr<CompiledStep> compile(const FusedStep& step) override {
    return compile_fused(step);
  }
  void run_fused(const FusedStep& step, const CompiledStep& compiled,
                 const FusedBinding& binding) override {
    lazuli::run_fused(step, compiled, binding);
  }
  bool may_take_over(const CompiledStep& compiled, uint16_t in, uint16_t out) const override {
    return lazuli::may_take_over(compiled, in, out);
  }
};

}  // namespace

Backend& cpu_backend() {
  static Backend* backend = new CpuBackend;
  return *backend;
}

}  // namespace lazuli
