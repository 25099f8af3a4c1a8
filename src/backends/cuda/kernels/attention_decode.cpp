#include <algorithm>
#include <optional>

#include "backends/cuda/kernels/attention.h"
#include "backends/cuda/kernels/function_table.h"
#include "backends/cuda/kernels/instances.h"

namespace lazuli::cuda {
namespace {

constexpr int queries_max = 8, size_max = 256;
// The factors of so many stretches have room in shared memory.
constexpr int64_t keys_each_min = 128, keys_step = 64, stretches_max = 256;

// A kernel for `rows` rows of heads of up to `size`.
struct Kernel {
  const Function& function;
  int size, rows;
  unsigned threads, shared_bytes;
  int64_t resident;  // blocks that a multiprocessor runs
};

// As in attention_parts.cuh.
struct Parts {
  float *sums, *softmaxes;
  uint32_t* counters;
};

size_t float_slot(Dtype::Val dtype) {
  return dtype == Dtype::Val::float32 ? 0 : dtype == Dtype::Val::float16 ? 1 : 2;
}

std::string numbers(int size, int rows) {
  return ", " + std::to_string(size) + ", " + std::to_string(rows);
}

// As many slots of 16 keys for each of 8 warps as shared memory has room for, beside 2 KiB that the
// kernel has anyway.
int slots_of(int size) { return std::clamp((gpu().shared_bytes_max - 2048) / (size * 256), 1, 8); }

// On tensor cores.
Kernel half_kernel(const AttentionCall& call) {
  static Instances<16> instances;
  int size = static_cast<int>(ceil_div(std::max(call.a.size, call.a.value_size), 64) * 64);
  int rows = call.rows() > 8 && size <= 128 ? 16 : 8, slots = slots_of(size);
  size_t index = static_cast<size_t>(size / 64 - 1) * 4 + (rows == 16 ? 2 : 0) +
                 (call.out == Dtype::Val::bfloat16 ? 1 : 0);
  const Function& function = instances.get(index, "attention_decode.cu", [&] {
    return std::string("attention_decode<") + device_type(call.out) + numbers(size, rows) + ", " +
           std::to_string(slots) + ">";
  });
  return {function, size, rows, 256, static_cast<unsigned>(slots * size * 256), 1};
}

// In float32.
Kernel float_kernel(const AttentionCall& call) {
  static Instances<27 * 4> instances;
  int size = std::max(call.a.size, call.a.value_size) > 128 ? 256 : 128;
  int rows = call.rows() > 4 ? 8 : 4;
  size_t types = (float_slot(call.q) * 3 + float_slot(call.k)) * 3 + float_slot(call.v);
  size_t index = types * 4 + (size == 256 ? 1 : 0) + (rows == 8 ? 2 : 0);
  const Function& function = instances.get(index, "attention_floats.cu", [&] {
    return std::string("attention_floats<") + device_type(call.q) + ", " + device_type(call.k) +
           ", " + device_type(call.v) + ", " + device_type(call.out) + numbers(size, rows) + ">";
  });
  return {function, size, rows, 128, static_cast<unsigned>(4 * size * rows * 4), 4};
}

// How many keys each block takes: enough blocks for all multiprocessors, if there are enough keys,
// and no few of them that everybody waits for.
int64_t keys_each(int64_t blocks, int64_t keys, int64_t resident) {
  int64_t most = std::clamp<int64_t>(keys / keys_each_min, 1, stretches_max);
  int64_t places = gpu().multiprocessors * resident, stretches = std::min(most, places / blocks);
  if (blocks * 8 > places) {
    auto rounds = [&](int64_t count) { return ceil_div(blocks * count, places); };
    stretches = 1;
    for (int64_t count = 2; count <= std::min<int64_t>(8, most); ++count) {
      if (rounds(count) * stretches * 20 < rounds(stretches) * count * 19) stretches = count;
    }
  }
  if (blocks > counters_max) stretches = 1;
  return ceil_div(ceil_div(keys, stretches), keys_step) * keys_step;
}

}  // namespace

bool attend_few(const AttentionCall& call) {
  const Attention& a = call.a;
  if (a.queries > queries_max || std::max(a.size, a.value_size) > size_max) return false;
  bool halves = call.has_aligned_halves();
  if (!halves && !call.has_aligned_fours()) return false;
  Kernel kernel = halves ? half_kernel(call) : float_kernel(call);
  int size = kernel.size, rows = kernel.rows;
  int64_t blocks = call.key_heads() * ceil_div(call.rows(), rows);
  int64_t each = keys_each(blocks, a.keys, kernel.resident), stretches = ceil_div(a.keys, each);
  int64_t sums = blocks * stretches * size * rows, softmaxes = blocks * stretches * rows * 2;
  std::optional<Scratch> scratch;
  Parts parts{};
  if (stretches > 1) {
    scratch.emplace(call.stream, static_cast<size_t>(sums + softmaxes) * 4);
    parts = {scratch->data<float>(), scratch->data<float>() + sums, counters_of(call.stream)};
  }
  launch(call.stream, kernel.function,
         {{static_cast<unsigned>(blocks), static_cast<unsigned>(stretches)},
          {kernel.threads},
          kernel.shared_bytes},
         a, static_cast<int>(each), parts);
  return true;
}

}  // namespace lazuli::cuda
