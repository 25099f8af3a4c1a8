#include <algorithm>

#include "backends/cuda/kernels/attention/attention.h"

namespace lazuli::cuda {
namespace {

constexpr int sizes[] = {64, 96, 128, 192, 256};  // of heads that there are instances for
constexpr int64_t axis_max = 65535;

// Two tiles a block for heads of up to this size.
constexpr int two_tiles_max = 128;

FunctionTable<std::size(sizes) * 4> functions("attention_prefill.cu", [](size_t slot) {
  const int size = sizes[slot / 4], tiles = slot % 2 ? 2 : 1;
  if (tiles == 2 && size > two_tiles_max) return std::string();
  return instance_name("attention_prefill", {slot & 2 ? "bfloat_t" : "half_t", std::to_string(size),
                                             std::to_string(tiles)});
});

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
  int tiles = sizes[size] <= two_tiles_max && large >= 2 * gpu().multiprocessors ? 2 : 1;
  int stride = static_cast<int>(ceil_div(sizes[size], 64) * 64);
  auto shared_bytes = static_cast<unsigned>((64 * tiles + 2 * 64) * stride * 2);
  size_t slot = size * 4 + (call.out == Dtype::Val::bfloat16 ? 2 : 0) + (tiles == 2);
  launch(call.stream, functions.at(slot),
         {{static_cast<unsigned>(ceil_div(a.queries, 64 * tiles)), static_cast<unsigned>(a.heads),
           static_cast<unsigned>(call.batch)},
          {128},
          shared_bytes},
         a);
  return true;
}

}  // namespace lazuli::cuda
