#include <algorithm>

#include "backends/cuda/kernels/attention.h"
#include "backends/cuda/kernels/instances.h"

namespace lazuli::cuda {
namespace {

constexpr int sizes[] = {64, 96, 128, 192, 256};  // of heads that there are instances for
constexpr int64_t axis_max = 65535;

const Function& instance(Dtype::Val dtype, size_t size, int tiles) {
  static Instances<std::size(sizes) * 4> instances;
  size_t index = size * 4 + (dtype == Dtype::Val::bfloat16 ? 2 : 0) + (tiles == 2);
  return instances.get(index, "attention_prefill.cu", [&] {
    return std::string("attention_prefill<") + device_type(dtype) + ", " +
           std::to_string(sizes[size]) + ", " + std::to_string(tiles) + ">";
  });
}

}  // namespace

bool attend_many(const AttentionCall& call) {
  const Attention& a = call.a;
  int wanted = std::max(a.size, a.value_size);
  bool fits = call.has_aligned_halves() && wanted <= sizes[std::size(sizes) - 1] &&
              a.heads <= axis_max && call.batch <= axis_max;
  if (!fits) return false;
  size_t size = 0;
  while (sizes[size] < wanted) ++size;
  // Larger blocks reuse more of what lies in shared memory, where they keep all multiprocessors
  // busy.
  int64_t large = ceil_div(a.queries, 128) * a.heads * call.batch;
  int tiles = sizes[size] <= 128 && large >= 2 * gpu().multiprocessors ? 2 : 1;
  int stride = static_cast<int>(ceil_div(sizes[size], 64) * 64);
  auto shared_bytes = static_cast<unsigned>((64 * tiles + 2 * 64) * stride * 2);
  launch(call.stream, instance(call.out, size, tiles),
         {{static_cast<unsigned>(ceil_div(a.queries, 64 * tiles)), static_cast<unsigned>(a.heads),
           static_cast<unsigned>(call.batch)},
          {128},
          shared_bytes},
         a);
  return true;
}

}  // namespace lazuli::cuda
