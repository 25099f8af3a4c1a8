// Arrays on their way between host and GPU: 4 GiB in each direction and from a file, and whether a
// product of arrays that were built on the host costs more than one of arrays built on the GPU,
// once they have moved.
#include <filesystem>

#include "gpu/timing.h"

namespace lazuli::bench {
namespace {

using Clock = std::chrono::steady_clock;

template <class Work>
double once(Work work) {
  synchronize();
  Clock::time_point start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void transfers() {
  for (int64_t mib : {64, 1024, 4096}) {
    int64_t count = (mib << 20) / 4;
    std::vector<float> values(static_cast<size_t>(count), 0.5f);
    array host(values.data(), {count}, float32);
    double bytes = static_cast<double>(count) * 4;
    // The sum reads what has arrived; its own time is small beside the way.
    double up = once([&] { sum(host).eval(); });
    array there = host + 1.0f;
    there.eval();
    double down = once([&] { there.data<float>(); });
    fmt::print("{:5} MiB  to the GPU {:6.1f} GB/s  to the host {:6.1f} GB/s\n", mib,
               bytes / up / 1e9, bytes / down / 1e9);
    std::fflush(stdout);
  }
}

// 4 GiB of weights in a file that the host has in its cache, as 64 arrays.
void file_of_weights() {
  std::filesystem::path file = std::filesystem::temp_directory_path() / "lazuli_transfer_bench";
  file += ".safetensors";
  constexpr int count = 64, rows = 8192, columns = 4096;  // 64 MiB of bfloat16
  {
    std::unordered_map<std::string, array> weights;
    for (int k = 0; k < count; ++k) {
      array w = random_values({rows, columns}, bfloat16, static_cast<uint64_t>(k));
      weights.insert({"w" + std::to_string(k), w});
    }
    save_safetensors(file.string(), weights);
  }
  for (const char* which : {"first", "again"}) {
    std::vector<array> weights;
    size_t heard = 0;
    double seconds = once([&] {
      for (auto& [name, w] : load_safetensors(file.string()).first) weights.push_back(w);
      prefetch(weights, Device::gpu, [&](size_t, size_t) { ++heard; });
    });
    double bytes = 2.0 * count * rows * columns;
    fmt::print("4 GiB of weights from a file, {}: {:.1f} GB/s, {} times progress\n", which,
               bytes / seconds / 1e9, heard);
    std::fflush(stdout);
  }
  std::filesystem::remove(file);
}

void products() {
  constexpr int n = 4096;
  std::vector<float> values(static_cast<size_t>(n) * n);
  for (size_t k = 0; k < values.size(); ++k) values[k] = static_cast<float>(k % 1000) * 1e-3f;
  array a(values.data(), {n, n}, float32), b(values.data(), {n, n}, float32);
  double first = once([&] { matmul(a, b).eval(); });
  double second = 1, built = 1;
  array x = random_values({n, n}, float32, 1), y = random_values({n, n}, float32, 2);
  matmul(x, y).eval();
  for (int k = 0; k < 10; ++k) {
    second = std::min(second, once([&] { matmul(a, b).eval(); }));
    built = std::min(built, once([&] { matmul(x, y).eval(); }));
  }
  fmt::print("matmul 4096 f32: host-built first {:.2f} ms, again {:.3f} ms; GPU-built {:.3f} ms\n",
             first * 1e3, second * 1e3, built * 1e3);
}

}  // namespace
}  // namespace lazuli::bench

int main() {
  lazuli::set_default_device(lazuli::Device::gpu);
  lazuli::bench::transfers();
  lazuli::bench::file_of_weights();
  lazuli::bench::products();
}
