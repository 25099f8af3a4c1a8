// The fused rows beside what memory allows at the same moment: each call is followed by the plain
// move of as many bytes (peer "floor"), so that neighbours slow both alike. The floor is the better
// of two ways to deal the bytes to the threads, prefetched and stored past the caches.
// Arguments: parts of the names, such as softmax or chain_8/bf16; none: every row.
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/mman.h>

#include "base/thread_pool.h"
#include "rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fused_floor_bench.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::bench {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Reads one or two arrays, writes one or two: floats [begin, end), a multiple of four vectors.
template <int reads, int writes>
void Move(float* const* arrays, size_t begin, size_t end) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  const float *a = arrays[0], *b = arrays[1];
  float *to = arrays[2], *other = arrays[3];
  for (size_t i = begin; i < end; i += 4 * lanes) {
    for (size_t line = 0; line < 4 * lanes; line += 16) {
      hwy::Prefetch(a + i + 512 + line);
      if (reads == 2) hwy::Prefetch(b + i + 512 + line);
    }
    auto v0 = hn::Load(d, a + i), v1 = hn::Load(d, a + i + lanes);
    auto v2 = hn::Load(d, a + i + 2 * lanes), v3 = hn::Load(d, a + i + 3 * lanes);
    if constexpr (reads == 2) {
      v0 = hn::Add(v0, hn::Load(d, b + i));
      v1 = hn::Add(v1, hn::Load(d, b + i + lanes));
      v2 = hn::Add(v2, hn::Load(d, b + i + 2 * lanes));
      v3 = hn::Add(v3, hn::Load(d, b + i + 3 * lanes));
    }
    for (float* p : {to + i, other + i}) {
      if (writes == 1 && p == other + i) continue;
      hn::Stream(v0, d, p), hn::Stream(v1, d, p + lanes);
      hn::Stream(v2, d, p + 2 * lanes), hn::Stream(v3, d, p + 3 * lanes);
    }
  }
  hwy::FlushStream();
}
void Move11(float* const* arrays, size_t begin, size_t end) { Move<1, 1>(arrays, begin, end); }
void Move21(float* const* arrays, size_t begin, size_t end) { Move<2, 1>(arrays, begin, end); }
void Move22(float* const* arrays, size_t begin, size_t end) { Move<2, 2>(arrays, begin, end); }

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "chains.h"

namespace lazuli::bench {

HWY_EXPORT(Move11);
HWY_EXPORT(Move21);
HWY_EXPORT(Move22);

namespace {

using MoveFunction = void (*)(float* const*, size_t, size_t);

// Four arrays of 2^24 floats on huge pages, touched once, with room for prefetches beyond the end.
struct Arrays {
  float* data[4];
  Arrays() {
    size_t bytes = (elements * sizeof(float) + (size_t{4} << 20)) >> 21 << 21;
    for (float*& array : data) {
      array = static_cast<float*>(std::aligned_alloc(1 << 21, bytes));
      madvise(array, bytes, MADV_HUGEPAGE);
      std::fill_n(array, bytes / sizeof(float), 1.0f);
    }
  }
  ~Arrays() {
    for (float* array : data) std::free(array);
  }
};

class Rows {
 public:
  Rows(int count, char** arguments) : wanted_(arguments + 1, arguments + count) {}

  void measure(const std::string& name, const NamedDtype& kind, MoveFunction move,
               const std::function<void()>& call) {
    std::string full = name + "/" + kind.name;
    bool wanted = wanted_.empty();
    for (const std::string& part : wanted_) wanted |= full.find(part) != std::string::npos;
    if (!wanted) return;
    size_t floats = static_cast<size_t>(elements) * kind.dtype.size() / sizeof(float);
    std::vector<double> times, shares, halves;
    for (int i = 0; i < 3; ++i) call();
    for (int i = 0; i < 41; ++i) {
      times.push_back(timed(call));
      shares.push_back(timed([&] { move_all(move, floats, size_t{1} << 15); }));
      halves.push_back(timed([&] { move_all(move, floats, floats / 2); }));
    }
    report(name, "lazuli", kind.name, elements, times);
    report(name, "floor", kind.name, elements, median(shares) < median(halves) ? shares : halves);
  }

 private:
  static double timed(const std::function<void()>& call) {
    double before = now_ms();
    call();
    return now_ms() - before;
  }
  void move_all(MoveFunction move, size_t floats, size_t share) {
    ThreadPool::instance().run(static_cast<int64_t>(floats / share), [&](int64_t task) {
      size_t begin = static_cast<size_t>(task) * share;
      move(arrays_.data, begin, begin + share);
    });
  }

  std::vector<std::string> wanted_;
  Arrays arrays_;
};

void measure_dtype(Rows& rows, const NamedDtype& kind) {
  MoveFunction r1w1 = HWY_DYNAMIC_POINTER(Move11), r2w1 = HWY_DYNAMIC_POINTER(Move21);
  MoveFunction r2w2 = HWY_DYNAMIC_POINTER(Move22);
  array a = random_array({elements}, kind.dtype, 0), b = random_array({elements}, kind.dtype, 1);
  array x = reshape(a, {side, side});
  std::vector<std::pair<array, array>> inputs;  // of other sizes, a little smaller
  for (int64_t i = 0; i < 5; ++i) {
    Shape shape{elements - i * 4099};
    inputs.emplace_back(random_array(shape, kind.dtype, 0), random_array(shape, kind.dtype, 1));
  }
  size_t turn = 0;
  rows.measure("add", kind, r2w1, [&] { (a + b).eval(); });
  rows.measure("chain_8", kind, r2w1, [&] { chain_8(a, b).eval(); });
  rows.measure("chain_8_held", kind, r2w2, [&] {
    array kept = (maximum((a + b) * a, b) + a) * b;
    array y = (maximum(kept, a) + b) * a;
    eval(y, kept);
  });
  rows.measure("chain_8_sizes", kind, r2w1, [&] {
    const auto& [p, q] = inputs[turn++ % inputs.size()];
    chain_8(p, q).eval();
  });
  rows.measure("chain_tanh", kind, r2w1, [&] { chain_tanh(a, b).eval(); });
  rows.measure("chain_tanh_held", kind, r2w2, [&] {
    array kept = tanh(a * b + a);
    array y = kept * sigmoid(b) - a * one_half(a) + b;
    eval(y, kept);
  });
  rows.measure("chain_tanh_sizes", kind, r2w1, [&] {
    const auto& [p, q] = inputs[turn++ % inputs.size()];
    chain_tanh(p, q).eval();
  });
  rows.measure("exp", kind, r1w1, [&] { exp(a).eval(); });
  rows.measure("sigmoid", kind, r1w1, [&] { sigmoid(a).eval(); });
  rows.measure("tanh", kind, r1w1, [&] { tanh(a).eval(); });
  rows.measure("softmax", kind, r1w1, [&] { softmax(x, -1).eval(); });
  rows.measure("rms_norm", kind, r1w1, [&] { fast::rms_norm(x, std::nullopt, 1e-5f).eval(); });
}

}  // namespace
}  // namespace lazuli::bench

int main(int count, char** arguments) {
  lazuli::bench::Rows rows(count, arguments);
  for (const auto& kind : lazuli::bench::float_dtypes) lazuli::bench::measure_dtype(rows, kind);
}
#endif  // HWY_ONCE
