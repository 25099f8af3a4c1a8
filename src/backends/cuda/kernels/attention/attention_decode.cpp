#include <algorithm>
#include <optional>

#include "backends/cuda/kernels/attention/attention.h"

namespace lazuli::cuda {
namespace {

constexpr int queries_max = 8, size_max = 256;
constexpr int64_t keys_step = 64, stretches_max = 512;

// A kernel for `rows` rows of heads of up to `size`; its blocks, of which a multiprocessor runs
// some at a time.
struct Kernel {
  const Function& function;
  int size, rows, warps;
  int64_t ring_bytes;  // of a warp
  int blocks;
};

// Of halves: sizes 64 to 256; rows of larger heads than 128 come by eights alone.
FunctionTable<2 * 4 * 2> half_attends("attention_decode.cu", [](size_t slot) {
  size_t size = (slot / 2 % 4 + 1) * 64, rows = slot % 2 ? 16 : 8;
  if (size > 128 && rows > 8) return std::string();
  return instance_name("attention_decode", {slot / 8 ? "bfloat_t" : "half_t", std::to_string(size),
                                            std::to_string(rows)});
});

// In float32: sizes 128 and 256, rows 4 and 8.
FunctionTable<attention_types * 4> float_attends("attention_floats.cu", [](size_t slot) {
  const size_t types = slot / 4;
  const Dtype::Val q = float_types[types / 9], k = float_types[types / 3 % 3],
                   v = float_types[types % 3];
  return instance_name("attention_floats", {device_type(q), device_type(k), device_type(v),
                                            device_type(attention_dtype(q, k, v)),
                                            slot / 2 % 2 ? "256" : "128", slot % 2 ? "8" : "4"});
});

// On tensor cores.
Kernel half_kernel(const AttentionCall& call) {
  int size = static_cast<int>(ceil_div(std::max(call.a.size, call.a.value_size), 64) * 64);
  int rows = call.rows() > 8 && size <= 128 ? 16 : 8;
  size_t slot = (call.out == Dtype::Val::bfloat16 ? 8 : 0) +
                static_cast<size_t>(size / 64 - 1) * 2 + (rows == 16);
  // As attention_decode.cu has it.
  int capability = gpu().capability;
  bool small = capability == 86 || capability == 89 || capability >= 120;
  return {half_attends.at(slot), size, rows, 8, (small ? 8 : 16) << 10, 1};
}

// In float32.
Kernel float_kernel(const AttentionCall& call) {
  int size = std::max(call.a.size, call.a.value_size) > 128 ? 256 : 128;
  int rows = call.rows() > 4 ? 8 : 4;
  size_t form = (size == 256 ? 2 : 0) + (rows == 8);
  return {float_attends.at(call.types_slot() * 4 + form), size, rows, 4, 0, 4};
}

// As in attention_parts.cuh.
struct Parts {
  float *sums, *softmaxes;
  uint32_t* counters;
};

// How many keys each block takes: as many blocks as run at a time, if there are enough keys.
int64_t keys_each(const Kernel& kernel, int64_t blocks, int64_t keys) {
  if (blocks > counters_max) return std::max<int64_t>(keys, 1);
  int64_t wanted = kernel.blocks * gpu().multiprocessors / blocks;
  int64_t most = std::max<int64_t>(1, keys / (kernel.warps * 16));
  int64_t stretches = std::clamp<int64_t>(wanted, 1, std::min<int64_t>(most, stretches_max));
  return ceil_div(ceil_div(keys, stretches), keys_step) * keys_step;
}

}  // namespace

bool attend_few(const AttentionCall& call) {
  const Attention& a = call.a;
  if (a.queries > queries_max || std::max(a.size, a.value_size) > size_max) return false;
  bool halves = call.has_aligned_halves();
  if (!halves && !call.has_aligned_fours()) return false;
  Kernel kernel = halves ? half_kernel(call) : float_kernel(call);
  int64_t count = int64_t{kernel.size} * kernel.rows;
  int64_t blocks = call.key_heads() * ceil_div(call.rows(), kernel.rows);
  int64_t each = keys_each(kernel, blocks, a.keys), stretches = ceil_div(a.keys, each);
  std::optional<Scratch> scratch;
  Parts parts{};
  if (stretches > 1) {
    int64_t sums = blocks * stretches * count, softmaxes = blocks * stretches * kernel.rows * 2;
    scratch.emplace(call.stream, static_cast<size_t>(sums + softmaxes) * 4);
    parts = {scratch->data<float>(), scratch->data<float>() + sums, counters_of(call.stream)};
  }
  // Sums and the softmaxes of stretches lie where rings were.
  int64_t bytes = std::max({kernel.warps * kernel.ring_bytes, kernel.warps * count * 4,
                            stretches * kernel.rows * 8 + kernel.warps * 32 * 16});
  launch(call.stream, kernel.function,
         {{static_cast<unsigned>(blocks), static_cast<unsigned>(stretches)},
          {static_cast<unsigned>(kernel.warps * 32)},
          static_cast<unsigned>(bytes)},
         a, static_cast<int>(each), parts);
  return true;
}

}  // namespace lazuli::cuda
