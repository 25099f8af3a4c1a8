#include <algorithm>
#include <optional>

#include "backends/cuda/kernels/attention.h"

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

// A kernel of a table: its dtypes' slot, the size of heads that it takes, and its rows.
struct Slot {
  size_t types;
  int size, rows;
  std::string size_text() const { return std::to_string(size); }
  std::string rows_text() const { return std::to_string(rows); }
};

// Of halves: sizes 64 to 256; rows of larger heads than 128 come by eights alone.
constexpr size_t half_slots = 2 * 4 * 2;
Slot half_slot(size_t slot) {
  return {slot / 8, static_cast<int>(slot / 2 % 4 + 1) * 64, slot % 2 ? 16 : 8};
}

// As many slots of 16 keys for each of 8 warps as shared memory has room for, beside 2 KiB that the
// kernel has anyway.
constexpr int ring_max = 8;
int ring_of(int size, int shared_bytes) {
  return std::clamp((shared_bytes - 2048) / (size * 256), 1, ring_max);
}
// Of the architectures there are, in bytes.
constexpr int shared_capacities[] = {101376, 166912, 232448};

FunctionTable<half_slots * ring_max> half_attends("attention_decode.cu", [](size_t slot) {
  const Slot s = half_slot(slot / ring_max);
  const int slots = static_cast<int>(slot % ring_max) + 1;
  auto has_it = [&](int bytes) { return ring_of(s.size, bytes) == slots; };
  if ((s.size > 128 && s.rows > 8) || std::ranges::none_of(shared_capacities, has_it)) {
    return std::string();
  }
  return instance_name("attention_decode", {s.types ? "bfloat_t" : "half_t", s.size_text(),
                                            s.rows_text(), std::to_string(slots)});
});

// In float32: sizes 128 and 256, rows 4 and 8.
Slot float_kernel_slot(size_t slot) {
  return {slot / 4, slot / 2 % 2 ? 256 : 128, slot % 2 ? 8 : 4};
}
FunctionTable<attention_types * 4> float_attends("attention_floats.cu", [](size_t slot) {
  const Slot s = float_kernel_slot(slot);
  const Dtype::Val q = float_types[s.types / 9], k = float_types[s.types / 3 % 3],
                   v = float_types[s.types % 3];
  return instance_name("attention_floats",
                       {device_type(q), device_type(k), device_type(v),
                        device_type(attention_dtype(q, k, v)), s.size_text(), s.rows_text()});
});

// On tensor cores.
Kernel half_kernel(const AttentionCall& call) {
  int size = static_cast<int>(ceil_div(std::max(call.a.size, call.a.value_size), 64) * 64);
  int rows = call.rows() > 8 && size <= 128 ? 16 : 8;
  int slots = ring_of(size, gpu().shared_bytes_max);
  size_t slot = (call.out == Dtype::Val::bfloat16 ? 8 : 0) +
                static_cast<size_t>(size / 64 - 1) * 2 + (rows == 16);
  return {half_attends.at(slot * ring_max + static_cast<size_t>(slots - 1)), size, rows, 256,
          static_cast<unsigned>(slots * size * 256), 1};
}

// In float32.
Kernel float_kernel(const AttentionCall& call) {
  int size = std::max(call.a.size, call.a.value_size) > 128 ? 256 : 128;
  int rows = call.rows() > 4 ? 8 : 4;
  size_t form = (size == 256 ? 2 : 0) + (rows == 8);
  return {float_attends.at(call.types_slot() * 4 + form), size, rows, 128,
          static_cast<unsigned>(4 * size * rows * 4), 4};
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
