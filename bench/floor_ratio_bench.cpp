// The rows of elementwise_bench and rows_bench beside what memory allows at the same moment: each row
// is timed in turn with the move of as many bytes (best of the ways of memory_floor_bench), so that
// neighbours slow both. Prints one line a row. Arguments: parts of names to be measured.
#include <fmt/core.h>

#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <immintrin.h>
#include <sys/mman.h>

#include "base/thread_pool.h"
#include "chains.h"
#include "rows.h"

namespace lazuli::bench {
namespace {
struct Arena {
  char* data;
  explicit Arena(size_t bytes) {
    bytes = (bytes + (1 << 16) + (1 << 21) - 1) >> 21 << 21;
    data = static_cast<char*>(std::aligned_alloc(1 << 21, bytes));
    madvise(data, bytes, MADV_HUGEPAGE);
    std::fill(data, data + bytes, 0);
  }
};
char *A, *B, *C, *E;
__attribute__((target("avx512f"))) void move(int r, int w, size_t begin, size_t end) {
  for (size_t i = begin; i < end; i += 256) {
    __m512 v[4];
    for (int k = 0; k < 4; ++k) {
      _mm_prefetch(A + i + 2048 + 64 * k, _MM_HINT_T0);
      if (r > 1) _mm_prefetch(B + i + 2048 + 64 * k, _MM_HINT_T0);
      v[k] = _mm512_load_ps(A + i + 64 * k);
      if (r > 1) v[k] = _mm512_add_ps(v[k], _mm512_load_ps(B + i + 64 * k));
    }
    for (int k = 0; k < 4; ++k) _mm512_stream_ps((float*)(C + i + 64 * k), v[k]);
    if (w > 1)
      for (int k = 0; k < 4; ++k) _mm512_stream_ps((float*)(E + i + 64 * k), v[k]);
  }
  _mm_sfence();
}
void floor_move(int r, int w, size_t bytes, size_t share) {
  ThreadPool::instance().run(static_cast<int64_t>((bytes + share - 1) / share), [&](int64_t t) {
    size_t begin = static_cast<size_t>(t) * share;
    move(r, w, begin, std::min(begin + share, bytes));
  });
}
int arg_count;
char** args;
void row(const std::string& name, const NamedDtype& kind, int r, int w,
         const std::function<void()>& call) {
  std::string full = name + "_" + kind.name;
  bool wanted = arg_count < 2;
  for (int i = 1; i < arg_count; ++i) wanted |= full.find(args[i]) != std::string::npos;
  if (!wanted) return;
  size_t bytes = static_cast<size_t>(elements) * kind.dtype.size();
  std::vector<double> times, floors[2];
  for (int i = 0; i < 3; ++i) call();
  for (int i = 0; i < 41; ++i) {
    double t0 = now_ms();
    call();
    double t1 = now_ms();
    floor_move(r, w, bytes, size_t{1} << 17);
    double t2 = now_ms();
    floor_move(r, w, bytes, bytes / 2);
    double t3 = now_ms();
    times.push_back(t1 - t0), floors[0].push_back(t2 - t1), floors[1].push_back(t3 - t2);
  }
  double f = std::min(median(floors[0]), median(floors[1]));
  double m = median(times);
  double fm = std::min(*std::min_element(floors[0].begin(), floors[0].end()),
                       *std::min_element(floors[1].begin(), floors[1].end()));
  double mm = *std::min_element(times.begin(), times.end());
  fmt::print("{:18s} {:5s} {:7.3f} ms  floor {:6.3f}  ratio {:5.2f}   (min {:7.3f} / {:6.3f} = {:5.2f})\n", name, kind.name, m, f,
             m / f, mm, fm, mm / fm);
}
void run() {
  size_t bytes = static_cast<size_t>(elements) * 4;
  A = Arena(bytes).data, B = Arena(bytes).data, C = Arena(bytes).data, E = Arena(bytes).data;
  for (const NamedDtype& kind : float_dtypes) {
    array a = random_array({elements}, kind.dtype, 0), b = random_array({elements}, kind.dtype, 1);
    array x = random_array({side, side}, kind.dtype, 0);
    std::vector<std::pair<array, array>> inputs;
    for (int64_t i = 0; i < 5; ++i) {
      Shape shape{elements - i * 4099};
      inputs.emplace_back(random_array(shape, kind.dtype, 0), random_array(shape, kind.dtype, 1));
    }
    size_t turn = 0;
    row("add", kind, 2, 1, [&] { (a + b).eval(); });
    row("chain_8", kind, 2, 1, [&] { chain_8(a, b).eval(); });
    row("chain_8_held", kind, 2, 2, [&] {
      array kept = (maximum((a + b) * a, b) + a) * b;
      array z = (maximum(kept, a) + b) * a;
      eval(z, kept);
    });
    row("two", kind, 2, 2, [&] { array y = a + b, z = a * b; eval(y, z); });
    row("two_dep", kind, 2, 2, [&] { array y = a + b, z = y * b; eval(y, z); });
    row("chain_8_sizes", kind, 2, 1, [&] {
      const auto& [p, q] = inputs[turn++ % inputs.size()];
      chain_8(p, q).eval();
    });
    row("chain_tanh", kind, 2, 1, [&] { chain_tanh(a, b).eval(); });
    row("chain_tanh_held", kind, 2, 2, [&] {
      array kept = tanh(a * b + a);
      array y = kept * sigmoid(b) - a * one_half(a) + b;
      eval(y, kept);
    });
    row("chain_tanh_sizes", kind, 2, 1, [&] {
      const auto& [p, q] = inputs[turn++ % inputs.size()];
      chain_tanh(p, q).eval();
    });
    row("softmax", kind, 1, 1, [&] { softmax(x, -1).eval(); });
    row("rms_norm", kind, 1, 1, [&] { fast::rms_norm(x, std::nullopt, 1e-5f).eval(); });
    row("exp", kind, 1, 1, [&] { exp(x).eval(); });
    row("tanh", kind, 1, 1, [&] { tanh(x).eval(); });
    row("sigmoid", kind, 1, 1, [&] { sigmoid(x).eval(); });
  }
}
}  // namespace
}  // namespace lazuli::bench
int main(int n, char** a) {
  lazuli::bench::arg_count = n, lazuli::bench::args = a;
  lazuli::bench::run();
}
