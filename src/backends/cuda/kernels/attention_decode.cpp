#include <algorithm>
#include <optional>

#include "backends/cuda/kernels/attention.h"
#include "backends/cuda/kernels/instances.h"

namespace lazuli::cuda {
namespace {

constexpr int queries_max = 8, size_max = 256;
constexpr int64_t keys_each_min = 128, keys_step = 64;

// A kernel for heads of up to `size` and so many rows a block; [decode, join].
const Function& instance(bool join, Dtype::Val dtype, int size, int rows) {
  static Instances<64> instances;
  size_t index = static_cast<size_t>(join) + (dtype == Dtype::Val::bfloat16 ? 2 : 0) +
                 (rows == 16 ? 4 : 0) + static_cast<size_t>(size / 64 - 1) * 8;
  return instances.get(index, "attention_decode.cu", [&] {
    return std::string(join ? "attention_join<" : "attention_decode<") + device_type(dtype) + ", " +
           std::to_string(size) + ", " + std::to_string(rows) + ">";
  });
}

// How many keys each block takes: enough blocks for all multiprocessors, if there are enough keys.
int64_t keys_each(int64_t blocks, int64_t keys) {
  int64_t wanted = ceil_div(4 * gpu().multiprocessors, blocks);
  int64_t stretches = std::clamp<int64_t>(wanted, 1, std::max<int64_t>(1, keys / keys_each_min));
  return ceil_div(ceil_div(keys, stretches), keys_step) * keys_step;
}

}  // namespace

bool attend_few(const AttentionCall& call) {
  const Attention& a = call.a;
  if (a.queries > queries_max || std::max(a.size, a.value_size) > size_max) return false;
  if (!call.has_aligned_halves()) return false;
  int size = static_cast<int>(ceil_div(std::max(a.size, a.value_size), 64) * 64);
  int rows = call.rows() > 8 && size <= 128 ? 16 : 8;
  int64_t blocks = call.key_heads() * ceil_div(call.rows(), rows);
  int64_t each = keys_each(blocks, a.keys), stretches = ceil_div(a.keys, each);
  int64_t sums = blocks * stretches * size * rows, softmaxes = blocks * stretches * rows * 2;
  std::optional<Scratch> scratch;
  if (stretches > 1) scratch.emplace(call.stream, static_cast<size_t>(sums + softmaxes) * 4);
  float* parts = scratch ? scratch->data<float>() : nullptr;
  float* rest = parts ? parts + sums : nullptr;
  auto x = static_cast<unsigned>(blocks);
  launch(call.stream, instance(false, call.out, size, rows),
         {{x, static_cast<unsigned>(stretches)}, {128}, static_cast<unsigned>(4 * size * rows * 4)},
         a, static_cast<int>(each), parts, rest);
  if (stretches == 1) return true;
  launch(call.stream, instance(true, call.out, size, rows),
         {{x, static_cast<unsigned>(size * rows / 128)}, {128}}, a, static_cast<int>(stretches),
         parts, rest);
  return true;
}

}  // namespace lazuli::cuda
