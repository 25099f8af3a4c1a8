// What memory allows on this machine at this moment: the time to read and write so many bytes with
// every thread of the pool and nothing else to do. Rows are named for their streams (r2w1: two
// arrays read, one written) and sized in bytes a stream; a table divides the rows of operations by
// them. Each floor is the best of several ways to move the same bytes.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include <sys/mman.h>

#include "base/thread_pool.h"
#include "rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "memory_floor_bench.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::bench {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;

// Moves elements [begin, end) of up to two sources into the target; `ahead` floats are prefetched.
// The sum keeps a plain read alive.
template <int reads, bool writes, bool streams>
float Move(const float* a, const float* b, float* to, size_t begin, size_t end, size_t ahead) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  auto sum0 = hn::Zero(d), sum1 = hn::Zero(d), sum2 = hn::Zero(d), sum3 = hn::Zero(d);
  for (size_t i = begin; i + 4 * lanes <= end; i += 4 * lanes) {
    if (ahead != 0) {
      for (size_t line = 0; line < 4 * lanes; line += 16) {
        hwy::Prefetch(a + i + ahead + line);
        if (reads == 2) hwy::Prefetch(b + i + ahead + line);
      }
    }
    auto v0 = hn::Load(d, a + i), v1 = hn::Load(d, a + i + lanes);
    auto v2 = hn::Load(d, a + i + 2 * lanes), v3 = hn::Load(d, a + i + 3 * lanes);
    if constexpr (reads == 2) {
      v0 = hn::Add(v0, hn::Load(d, b + i));
      v1 = hn::Add(v1, hn::Load(d, b + i + lanes));
      v2 = hn::Add(v2, hn::Load(d, b + i + 2 * lanes));
      v3 = hn::Add(v3, hn::Load(d, b + i + 3 * lanes));
    }
    if constexpr (!writes) {
      sum0 = hn::Add(sum0, v0), sum1 = hn::Add(sum1, v1);
      sum2 = hn::Add(sum2, v2), sum3 = hn::Add(sum3, v3);
    } else if constexpr (streams) {
      hn::Stream(v0, d, to + i), hn::Stream(v1, d, to + i + lanes);
      hn::Stream(v2, d, to + i + 2 * lanes), hn::Stream(v3, d, to + i + 3 * lanes);
    } else {
      hn::Store(v0, d, to + i), hn::Store(v1, d, to + i + lanes);
      hn::Store(v2, d, to + i + 2 * lanes), hn::Store(v3, d, to + i + 3 * lanes);
    }
  }
  if (streams) hwy::FlushStream();
  return hn::ReduceSum(d, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3)));
}

float Read1(const float* a, const float* b, float* to, size_t begin, size_t end, size_t ahead) {
  return Move<1, false, false>(a, b, to, begin, end, ahead);
}
float Copy(const float* a, const float* b, float* to, size_t begin, size_t end, size_t ahead) {
  return Move<1, true, false>(a, b, to, begin, end, ahead);
}
float CopyStream(const float* a, const float* b, float* to, size_t begin, size_t end,
                 size_t ahead) {
  return Move<1, true, true>(a, b, to, begin, end, ahead);
}
float Triad(const float* a, const float* b, float* to, size_t begin, size_t end, size_t ahead) {
  return Move<2, true, false>(a, b, to, begin, end, ahead);
}
float TriadStream(const float* a, const float* b, float* to, size_t begin, size_t end,
                  size_t ahead) {
  return Move<2, true, true>(a, b, to, begin, end, ahead);
}

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::bench {

HWY_EXPORT(Read1);
HWY_EXPORT(Copy);
HWY_EXPORT(CopyStream);
HWY_EXPORT(Triad);
HWY_EXPORT(TriadStream);

namespace {

using MoveFunction = float (*)(const float*, const float*, float*, size_t, size_t, size_t);

constexpr size_t margin = 1 << 14;  // prefetches reach past the end

// Floats on huge pages, touched once.
struct Floats {
  float* data;
  explicit Floats(size_t count) {
    size_t bytes = ((count + margin) * sizeof(float) + (1 << 21) - 1) >> 21 << 21;
    data = static_cast<float*>(std::aligned_alloc(1 << 21, bytes));
    madvise(data, bytes, MADV_HUGEPAGE);
    std::fill(data, data + count + margin, 1.0f);
  }
  ~Floats() { std::free(data); }
};

volatile float sink;

// The times of the way with the best median, among shares of the work and prefetch distances.
std::vector<double> best_of(const std::vector<MoveFunction>& functions, const float* a,
                            const float* b, float* to, size_t count) {
  std::vector<double> best;
  ThreadPool& pool = ThreadPool::instance();
  size_t threads = static_cast<size_t>(pool.threads());
  for (MoveFunction function : functions) {
    for (size_t share : {size_t{1} << 15, count / threads}) {
      for (size_t ahead : {size_t{0}, size_t{512}, size_t{2048}}) {
        auto call = [&] {
          pool.run(static_cast<int64_t>((count + share - 1) / share), [&](int64_t task) {
            size_t begin = static_cast<size_t>(task) * share;
            sink = function(a, b, to, begin, std::min(begin + share, count), ahead);
          });
        };
        std::vector<double> times = measured(call, 100, 7);
        if (best.empty() || median(times) < median(best)) best = times;
      }
    }
  }
  return best;
}

void run(size_t bytes) {
  size_t count = bytes / sizeof(float);
  Floats a(count), b(count), to(count);
  auto show = [&](const char* name, const std::vector<MoveFunction>& functions) {
    report(name, "floor", "bytes", static_cast<int64_t>(bytes),
           best_of(functions, a.data, b.data, to.data, count));
  };
  show("r1w0", {HWY_DYNAMIC_POINTER(Read1)});
  show("r1w1", {HWY_DYNAMIC_POINTER(Copy), HWY_DYNAMIC_POINTER(CopyStream)});
  show("r2w1", {HWY_DYNAMIC_POINTER(Triad), HWY_DYNAMIC_POINTER(TriadStream)});
}

}  // namespace
}  // namespace lazuli::bench

// Arguments: bytes a stream; by default 2^24 floats and 2^24 halves.
int main(int count, char** arguments) {
  std::vector<size_t> sizes;
  for (int i = 1; i < count; ++i) sizes.push_back(std::strtoull(arguments[i], nullptr, 10));
  if (sizes.empty()) sizes = {size_t{4} << 24, size_t{2} << 24};
  for (size_t bytes : sizes) lazuli::bench::run(bytes);
}
#endif  // HWY_ONCE
