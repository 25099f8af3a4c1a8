// Products with packed weights against plain reads and integer peaks, all in turn in one run.
//
//   packed_matmul_bench [FORMAT | affine4 | affine8 | all] [seconds a row]
//
// For one row of x: GB/s of w and the fraction of a plain read of the same bytes by the same
// threads. For many rows: GFLOP/s. The working set rotates through 400 MB of copies, so that weights
// come from memory as in a model's step, except in rows marked "hot".
#include <fmt/core.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "backends/cpu/kernels/packed/packed_matmul.h"
#include "backends/cpu/kernels/quantized/quantized_matmul.h"
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

// A read of `bytes` bytes by all threads, a stretch each.
void plain_read(const std::byte* p, int64_t bytes) {
  const int64_t threads = ThreadPool::instance().threads();
  const int64_t share = (bytes / threads + 63) / 64 * 64;
  ThreadPool::instance().run(threads, [&](int64_t task) {
    const auto* from = reinterpret_cast<const uint64_t*>(p + task * share);
    int64_t words = std::max<int64_t>(0, std::min(share, bytes - task * share)) / 8;
    uint64_t sums[32] = {};
    int64_t i = 0;
    for (; i + 32 <= words; i += 32) {
      for (int j = 0; j < 32; ++j) sums[j] ^= from[i + j];
    }
    for (; i < words; ++i) sums[0] ^= from[i];
    for (uint64_t sum : sums) __atomic_fetch_xor(&read_sum, sum, __ATOMIC_RELAXED);
  });
}

constexpr size_t huge_page = size_t{2} << 20;

// Weights of one kind, as many copies as the budget holds.
struct Weights {
  std::string name;
  int64_t n, k, bytes, copies;
  std::byte* all;  // in huge pages, as the page cache gives them to a large file

  Weights(const std::string& kind, int64_t rows, int64_t columns, int64_t size, int64_t budget)
      : name(kind), n(rows), k(columns), bytes(size) {
    copies = std::max<int64_t>(1, budget / bytes);
    auto whole = (static_cast<size_t>(bytes * copies) + huge_page - 1) / huge_page * huge_page;
    all = static_cast<std::byte*>(std::aligned_alloc(huge_page, whole));
    madvise(all, whole, MADV_HUGEPAGE);
    std::mt19937 random(1);
    for (int64_t i = 0; i < bytes; i += 4) {
      // Every f16 and bf16 in it is an everyday number.
      uint32_t word = (random() & 0x07ff07ff) | 0x38003800;
      std::memcpy(all + i, &word, static_cast<size_t>(std::min<int64_t>(4, bytes - i)));
    }
    for (int64_t c = 1; c < copies; ++c) {
      std::memcpy(all + c * bytes, all, static_cast<size_t>(bytes));
    }
  }
  Weights(const Weights&) = delete;
  Weights& operator=(const Weights&) = delete;
  ~Weights() { std::free(all); }
  const std::byte* copy(int64_t i) const { return all + i % copies * bytes; }
};

struct Row {
  double product;  // seconds a call
  double read;
};

// Calls of the product and plain reads in turn, in batches of at least 2 ms.
Row measure(const Weights& w, const std::function<void(const std::byte*)>& product, double budget) {
  auto multiply = [&](int64_t i) { product(w.copy(i)); };
  auto read = [&](int64_t i) { plain_read(w.copy(i), w.bytes); };
  multiply(0);
  double start = seconds_now();
  multiply(1);
  int64_t batch = std::max<int64_t>(1, static_cast<int64_t>(0.002 / (seconds_now() - start)));
  std::vector<double> products, reads;
  int64_t at = 0;
  auto timed = [&](auto& call) {
    double from = seconds_now();
    for (int64_t i = 0; i < batch; ++i) call(at++);
    return (seconds_now() - from) / static_cast<double>(batch);
  };
  for (double end = seconds_now() + budget; seconds_now() < end || products.size() < 5;) {
    products.push_back(timed(multiply));
    reads.push_back(timed(read));
  }
  return {median(products), median(reads)};
}

struct Shape {
  int64_t m, n, k;
  bool hot;
};

void print(const Weights& w, const Shape& s, const Row& row) {
  double flops = 2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * s.k;
  fmt::print(
      "{:12} {:4} x {:6} x {:4}{} {:9.1f} us {:6.1f} GB/s {:5.2f} of a read ({:6.1f} us) "
      "{:7.1f} GFLOP/s\n",
      w.name, s.m, s.n, s.k, s.hot ? " hot" : "    ", row.product * 1e6,
      w.bytes / row.product * 1e-9, row.read / row.product, row.read * 1e6,
      flops / row.product * 1e-9);
}

std::vector<float> normal_floats(int64_t count) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = normal(random);
  return values;
}

constexpr int64_t cold_bytes = int64_t{400} << 20;

void packed_row(PackedFormat format, const Shape& s, double budget) {
  Weights w(packed_format_info(format).name, s.n, s.k, s.n * packed_row_bytes(format, s.k),
            s.hot ? 0 : cold_bytes);
  std::vector<float> x = normal_floats(s.m * s.k), out(static_cast<size_t>(s.m * s.n));
  print(w, s,
        measure(
            w,
            [&](const std::byte* weights) {
              cpu::packed_matmul({x.data(), float32, s.k, s.m, s.n, s.k, weights, format,
                                  out.data(), float32, s.n});
            },
            budget));
}

// x @ w.T, or x @ w, with w of affine form in groups of 64 with bfloat16 scales.
void quantized_row(int bits, bool transpose, const Shape& s, double budget) {
  int64_t rows = transpose ? s.n : s.k, columns = transpose ? s.k : s.n;
  int64_t level_bytes = rows * columns * bits / 8, scale_bytes = rows * columns / 64 * 2;
  Weights w(fmt::format("affine{}{}", bits, transpose ? "" : " plain"), s.n, s.k,
            level_bytes + 2 * scale_bytes, s.hot ? 0 : cold_bytes);
  std::vector<float> x = normal_floats(s.m * s.k), out(static_cast<size_t>(s.m * s.n));
  print(w, s,
        measure(
            w,
            [&](const std::byte* p) {
              cpu::QuantizedMatrix matrix{reinterpret_cast<const uint32_t*>(p),
                                          p + level_bytes,
                                          p + level_bytes + scale_bytes,
                                          bfloat16,
                                          rows,
                                          columns,
                                          64,
                                          bits};
              cpu::quantized_matmul(
                  {x.data(), float32, s.k, s.m, matrix, transpose, out.data(), float32, s.n});
            },
            budget));
}

int run(int argc, char** argv) {
  std::string only = argc > 1 ? argv[1] : "all";
  double budget = argc > 2 ? std::stod(argv[2]) : 0.4;
  auto wanted = [&](const std::string& name) { return only == "all" || only == name; };
  auto shapes = [](int64_t hidden) {
    return std::vector<Shape>{{1, 2048, hidden, false},  {1, 2048, hidden, true},
                              {1, 1024, hidden, false},  {1, 640, 2048, false},
                              {1, 640, 2048, true},      {4, 2048, hidden, false},
                              {16, 2048, hidden, true},  {64, 2048, hidden, true},
                              {512, 2048, hidden, true}, {512, 640, 2048, true}};
  };
  fmt::print("{} threads\n", ThreadPool::instance().threads());
  for (int i = 0; i < packed_format_count; ++i) {
    const PackedFormatInfo& info = packed_format_info(static_cast<PackedFormat>(i));
    if (!wanted(info.name)) continue;
    if (info.format == PackedFormat::q8_0) packed_row(info.format, {1, 262144, 640, true}, budget);
    for (const Shape& s : shapes(info.block_elements == 32 ? 640 : 768)) {
      packed_row(info.format, s, budget);
    }
  }
  for (int bits : {4, 8}) {
    for (bool transpose : {true, false}) {
      if (!wanted(fmt::format("affine{}", bits))) continue;
      for (const Shape& s : shapes(640)) quantized_row(bits, transpose, s, budget);
    }
  }
  return 0;
}

}  // namespace
}  // namespace lazuli

int main(int argc, char** argv) { return lazuli::run(argc, argv); }
