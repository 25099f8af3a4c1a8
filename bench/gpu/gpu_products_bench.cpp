// Products on the GPU: plain, quantised and packed ones, and attention. Weights rotate, so that
// none is found in the cache. gpu_products_bench [PART]: rows whose names contain it.
#include "gpu/timing.h"
#include "lazuli/packed.h"

namespace lazuli::bench {
namespace {

constexpr size_t rotated_bytes = size_t{512} << 20;  // several times the cache

std::string wanted;

// A large product has its algorithms timed after 128 uses (backends/cuda/blas.cpp).
template <class Work>
double settled_seconds_of(Work work) {
  return seconds_of(work, 140);
}

template <class Make>
auto rotated(size_t bytes, Make make) {
  std::vector<decltype(make(uint64_t{0}))> all;
  size_t count = std::clamp<size_t>(rotated_bytes / bytes, 1, 16);
  for (size_t k = 0; k < count; ++k) all.push_back(make(100 + k));
  return all;
}

// Of left operands there are as many as are evaluated together: products of one x would become one
// launch.
std::vector<array> several(const Shape& shape) {
  std::vector<array> all;
  for (uint64_t seed = 0; seed < 16; ++seed) all.push_back(random_values(shape, bfloat16, seed));
  return all;
}

bool skips(const std::string& name) { return name.find(wanted) == std::string::npos; }

void square_products() {
  for (Dtype dtype : {bfloat16, float16, float32}) {
    for (int n : {4096, 8192}) {
      std::string name = "matmul_" + std::to_string(n);
      if (skips(name)) continue;
      array x = random_values({n, n}, dtype, 1), y = random_values({n, n}, dtype, 2);
      row(name, short_name(dtype), settled_seconds_of([&] { return matmul(x, y); }),
          2.0 * n * n * n, "TFLOP/s");
    }
  }
}

void few_rows() {
  for (auto [n, k] :
       {std::pair{4096, 4096}, {1024, 4096}, {14336, 4096}, {4096, 14336}, {128256, 4096}}) {
    for (int m : {1, 8}) {
      std::string name = fmt::format("rows{}_{}x{}", m, n, k);
      if (skips(name)) continue;
      auto weights = rotated(static_cast<size_t>(n) * k * 2,
                             [&](uint64_t seed) { return random_values({n, k}, bfloat16, seed); });
      std::vector<array> x = several({m, k});
      size_t turn = 0;
      double s = short_seconds_of([&] {
        ++turn;
        return matmul(x[turn % x.size()], transpose(weights[turn % weights.size()]));
      });
      row(name, "bf16", s, 2.0 * n * k, "TB/s");
    }
  }
}

void quantised() {
  for (auto [n, k] : {std::pair{4096, 4096}, {14336, 4096}, {4096, 14336}}) {
    for (int m : {1, 2, 4, 8, 16, 32, 64, 2048}) {
      std::string name = fmt::format("affine4_m{}_{}x{}", m, n, k);
      if (skips(name)) continue;
      size_t bytes = static_cast<size_t>(n) * k * 9 / 16;
      auto weights = rotated(bytes, [&](uint64_t seed) {
        std::vector<array> parts = quantize(random_values({n, k}, bfloat16, seed), 64, 4);
        eval(parts);
        return parts;
      });
      std::vector<array> x = several({m, k});
      size_t turn = 0;
      auto work = [&] {
        const std::vector<array>& w = weights[++turn % weights.size()];
        return quantized_matmul(x[turn % x.size()], w[0], w[1], w[2], true, 64, 4);
      };
      double s = m < 128 ? short_seconds_of(work) : settled_seconds_of(work);
      if (m < 128) row(name, "bf16", s, static_cast<double>(bytes), "TB/s");
      else row(name, "bf16", s, 2.0 * m * n * k, "TFLOP/s");
    }
  }
}

void packed() {
  struct Case {
    PackedFormat format;
    const char* label;
    std::vector<std::pair<int, int>> shapes;
    std::vector<int> rows;
  };
  const std::vector<std::pair<int, int>> large{{4096, 4096}, {14336, 4096}};
  for (const Case& c :
       {Case{PackedFormat::q4_k, "q4_k", large, {1, 16, 64}},
        {PackedFormat::q8_0, "q8_0", large, {1, 2, 4, 8, 16, 64}},
        {PackedFormat::q8_0, "q8_0", {{4096, 14336}, {2048, 640}, {262144, 640}}, {1}},
        {PackedFormat::q6_k,
         "q6_k",
         {{4096, 4096}, {14336, 4096}, {4096, 14336}, {128256, 4096}},
         {1}},
        {PackedFormat::q5_0, "q5_0", {{640, 2048}, {2048, 640}, {14336, 4096}}, {1}},
        {PackedFormat::q4_0, "q4_0", large, {1}}}) {
    const PackedFormatInfo& info = packed_format_info(c.format);
    for (auto [n, k] : c.shapes) {
      int64_t row_bytes = k / info.block_elements * info.block_bytes;
      for (int m : c.rows) {
        std::string name = fmt::format("{}_m{}_{}x{}", c.label, m, n, k);
        if (skips(name)) continue;
        auto weights = rotated(static_cast<size_t>(n * row_bytes), [&, n = n](uint64_t seed) {
          array w =
              random::randint(0, 60, {n, static_cast<int>(row_bytes)}, uint8, random::key(seed));
          w.eval();
          return w;
        });
        std::vector<array> x = several({m, k});
        size_t turn = 0;
        double s = short_seconds_of([&] {
          ++turn;
          return packed_matmul(x[turn % x.size()], weights[turn % weights.size()], c.format,
                               Precision::reduced);
        });
        row(name, "bf16", s, static_cast<double>(n * row_bytes), "TB/s");
      }
    }
  }
}

void attention() {
  for (int head : {64, 128, 256}) {
    std::string name = fmt::format("prefill_causal_4096_d{}", head);
    if (!skips(name)) {
      int heads = 4096 / head;
      array q = random_values({4, heads, 4096, head}, bfloat16, 1);
      array k = random_values({4, heads, 4096, head}, bfloat16, 2);
      array v = random_values({4, heads, 4096, head}, bfloat16, 3);
      float scale = 1.0f / std::sqrt(static_cast<float>(head));
      double s =
          seconds_of([&] { return fast::scaled_dot_product_attention(q, k, v, scale, "causal"); });
      row(name, "bf16", s, 4.0 * 4 * heads * 4096.0 * 4096 * head / 2, "TFLOP/s");
    }
  }
}

void decoding() {
  for (int head : {64, 128, 256}) {
    for (auto [length, batch] : {std::pair{512, 1}, {512, 8}, {4096, 1}, {32768, 1}}) {
      std::string name = fmt::format("decode_{}_d{}", length, head);
      if (batch > 1) name += fmt::format("_b{}", batch);
      if (skips(name) || (length == 512 && head != 128)) continue;
      size_t bytes = size_t{2} * 8 * static_cast<size_t>(batch * length * head) * 2;
      auto caches = rotated(bytes, [&, length = length, batch = batch](uint64_t seed) {
        return std::pair(random_values({batch, 8, length, head}, bfloat16, seed),
                         random_values({batch, 8, length, head}, bfloat16, seed + 50));
      });
      std::vector<array> q = several({batch, 32, 1, head});
      size_t turn = 0;
      float scale = 1.0f / std::sqrt(static_cast<float>(head));
      double s = short_seconds_of([&] {
        const auto& [keys, values] = caches[++turn % caches.size()];
        return fast::scaled_dot_product_attention(q[turn % q.size()], keys, values, scale);
      });
      row(name, "bf16", s, static_cast<double>(bytes), "TB/s");
    }
  }
}

}  // namespace
}  // namespace lazuli::bench

int main(int count, char** arguments) {
  using namespace lazuli;
  if (count > 1) bench::wanted = arguments[1];
  set_default_device(Device::gpu);
  for (auto part : {bench::square_products, bench::few_rows, bench::quantised, bench::packed,
                    bench::attention, bench::decoding}) {
    try {
      part();
    } catch (const std::exception& error) {
      fmt::print("stopped: {}\n", error.what());
    }
  }
}
