// Products with packed weights against plain reads and integer peaks, all in turn in one run.
//
//   packed_matmul_bench [FORMAT] [seconds a row]
//
// For one row of x: GB/s of w and the fraction of a plain read of the same bytes by the same
// threads. For many rows: GFLOP/s. The working set rotates through 400 MB of copies, so that weights
// come from memory as in a model's step, except in rows marked "hot".
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "backends/cpu/kernels/packed_matmul.h"
#include "base/thread_pool.h"

namespace lazuli {
namespace {

double seconds_now() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

uint64_t read_sum;  // keeps the plain read alive

// A read of `bytes` bytes by all threads, in the shares of 64 KiB that a product uses.
void plain_read(const std::byte* p, int64_t bytes) {
  constexpr int64_t share = 1 << 16;
  ThreadPool::instance().run((bytes + share - 1) / share, [&](int64_t task) {
    const auto* from = reinterpret_cast<const uint64_t*>(p + task * share);
    int64_t words = std::min(share, bytes - task * share) / 8;
    uint64_t sums[32] = {};
    int64_t i = 0;
    for (; i + 32 <= words; i += 32) {
      for (int j = 0; j < 32; ++j) sums[j] ^= from[i + j];
    }
    for (; i < words; ++i) sums[0] ^= from[i];
    for (uint64_t sum : sums) __atomic_fetch_xor(&read_sum, sum, __ATOMIC_RELAXED);
  });
}

struct Weights {
  PackedFormat format;
  int64_t n, k, bytes, copies;
  std::vector<std::byte> all;

  Weights(PackedFormat f, int64_t rows, int64_t columns, int64_t budget)
      : format(f), n(rows), k(columns), bytes(n * packed_row_bytes(f, k)) {
    copies = std::max<int64_t>(1, budget / bytes);
    all.resize(static_cast<size_t>(bytes * copies));
    std::mt19937 random(1);
    for (int64_t i = 0; i < bytes; i += 4) {
      uint32_t word = random() & 0x3fff3fff;  // every f16 in it is finite
      std::memcpy(all.data() + i, &word, static_cast<size_t>(std::min<int64_t>(4, bytes - i)));
    }
    for (int64_t c = 1; c < copies; ++c) {
      std::memcpy(all.data() + c * bytes, all.data(), static_cast<size_t>(bytes));
    }
  }
  const std::byte* copy(int64_t i) const { return all.data() + i % copies * bytes; }
};

struct Row {
  double product;  // seconds a call
  double read;
};

// Calls of the product and plain reads in turn, in batches of at least 2 ms.
Row measure(const Weights& w, int64_t m, double budget) {
  std::vector<float> x(static_cast<size_t>(m * w.k), 0.5f);
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  for (float& v : x) v = normal(random);
  std::vector<float> out(static_cast<size_t>(m * w.n));
  auto product = [&](int64_t i) {
    cpu::packed_matmul(
        {x.data(), float32, w.k, m, w.n, w.k, w.copy(i), w.format, out.data(), float32, w.n});
  };
  auto read = [&](int64_t i) { plain_read(w.copy(i), w.bytes); };
  product(0);
  double start = seconds_now();
  product(1);
  int64_t batch = std::max<int64_t>(1, static_cast<int64_t>(0.002 / (seconds_now() - start)));
  std::vector<double> products, reads;
  int64_t at = 0;
  auto timed = [&](auto& call) {
    double from = seconds_now();
    for (int64_t i = 0; i < batch; ++i) call(at++);
    return (seconds_now() - from) / static_cast<double>(batch);
  };
  for (double end = seconds_now() + budget; seconds_now() < end || products.size() < 5;) {
    products.push_back(timed(product));
    reads.push_back(timed(read));
  }
  return {median(products), median(reads)};
}

struct Shape {
  int64_t m, n, k;
  bool hot;
};

void print(PackedFormat format, const Shape& s, double budget) {
  Weights w(format, s.n, s.k, s.hot ? 0 : int64_t{400} << 20);
  Row row = measure(w, s.m, budget);
  double flops = 2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * s.k;
  fmt::print(
      "{:5} {:4} x {:6} x {:4}{} {:9.1f} us {:6.1f} GB/s {:5.2f} of a read ({:6.1f} us) "
      "{:7.1f} GFLOP/s\n",
      packed_format_info(format).name, s.m, s.n, s.k, s.hot ? " hot" : "    ", row.product * 1e6,
      w.bytes / row.product * 1e-9, row.read / row.product, row.read * 1e6,
      flops / row.product * 1e-9);
}

int run(int argc, char** argv) {
  std::string only = argc > 1 ? argv[1] : "";
  double budget = argc > 2 ? std::stod(argv[2]) : 0.4;
  fmt::print("{} threads\n", ThreadPool::instance().threads());
  for (int i = 0; i < packed_format_count; ++i) {
    PackedFormat format = packed_format_info(static_cast<PackedFormat>(i)).format;
    if (!only.empty() && only != "all" && only != packed_format_info(format).name) continue;
    bool blocks_of_32 = packed_format_info(format).block_elements == 32;
    int64_t hidden = blocks_of_32 ? 640 : 768;
    if (format == PackedFormat::q8_0) print(format, {1, 262144, 640, true}, budget);
    for (Shape s : {Shape{1, 2048, hidden, false}, Shape{1, 2048, hidden, true},
                    Shape{1, 1024, hidden, false}, Shape{1, 640, 2048, false},
                    Shape{1, 640, 2048, true}, Shape{4, 2048, hidden, false},
                    Shape{16, 2048, hidden, false}, Shape{64, 2048, hidden, true},
                    Shape{512, 2048, hidden, true}, Shape{512, 640, 2048, true}}) {
      print(format, s, budget);
    }
  }
  return 0;
}

}  // namespace
}  // namespace lazuli

int main(int argc, char** argv) { return lazuli::run(argc, argv); }
