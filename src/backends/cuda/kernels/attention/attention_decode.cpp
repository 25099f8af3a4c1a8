#include <algorithm>
#include <optional>

#include "backends/cuda/kernels/attention/attention.h"

namespace lazuli::cuda {
namespace {

constexpr int queries_max = 8, size_max = 256;
constexpr int64_t keys_step = 64, stretches_max = 512;
constexpr int cluster_sizes[] = {1, 2, 8};
// As in attention_ring.cuh.
constexpr int64_t slots_max = 12;

// A kernel for heads of up to `size` and what its blocks take.
struct Kernel {
  const Function& function;
  int size;
  unsigned threads;
  int64_t shared_bytes;
  int slots;  // of the ring; 0 where there is none
};

// The stretches of one row of blocks, of `each` keys; their blocks may be a cluster, of a size of
// `cluster_sizes`.
struct Stretches {
  int64_t each, count;
  size_t cluster = 0;
};

// Of halves, by dtype, size (64 to 256), and rows.
std::string half_name(size_t slot, int cluster) {
  size_t size = (slot / 2 % 4 + 1) * 64, rows = slot % 2 ? 16 : 8;
  if (rows > 8 && (size > 128 || cluster > 1)) return "";
  return instance_name("attention_decode", {slot / 8 ? "bfloat_t" : "half_t", std::to_string(size),
                                            std::to_string(rows), std::to_string(cluster)});
}
FunctionTable<16> half_attends("attention_decode.cu",
                               [](size_t slot) { return half_name(slot, 1); });
// Of clusters, each of whose blocks has a multiprocessor: little shared memory is soon there.
FunctionTable<16 * 2> cluster_attends(
    "attention_decode.cu",
    [](size_t slot) { return half_name(slot % 16, cluster_sizes[1 + slot / 16]); }, 28);

// In float32: sizes 128 and 256, rows 4 and 8.
FunctionTable<attention_types * 4> float_attends("attention_floats.cu", [](size_t slot) {
  const size_t types = slot / 4;
  const Dtype::Val q = float_types[types / 9], k = float_types[types / 3 % 3],
                   v = float_types[types % 3];
  return instance_name("attention_floats", {device_type(q), device_type(k), device_type(v),
                                            device_type(attention_dtype(q, k, v)),
                                            slot / 2 % 2 ? "256" : "128", slot % 2 ? "8" : "4"});
});

// Chips for desktops have half of the others' shared memory.
bool has_little_shared_memory() {
  int capability = gpu().capability;
  return capability == 86 || capability == 89 || capability >= 120;
}

int padded_size(const AttentionCall& call) {
  return static_cast<int>(ceil_div(std::max(call.a.size, call.a.value_size), 64) * 64);
}

// Of keys and values.
int64_t bytes_of(const AttentionCall& call, int64_t keys) {
  return keys * (call.a.size + call.a.value_size) * 2;
}

// Bytes from which on a stretch is long: its ring is as large as can be, so that a kernel that has
// to wait has as much as possible on its way. Two blocks of shorter ones share a multiprocessor.
constexpr int64_t long_bytes = 128 << 10;

// On tensor cores.
Kernel half_kernel(const AttentionCall& call, int rows, const Stretches& stretches) {
  int size = padded_size(call);
  size_t slot = (call.out == Dtype::Val::bfloat16 ? 8 : 0) +
                static_cast<size_t>(size / 64 - 1) * 2 + (rows == 16);
  // As attention_ring.cuh has it.
  int warps = size > (stretches.cluster ? 64 : 128) ? 4 : 8;
  int64_t tile_bytes = int64_t{warps} * 32 * size + 128;
  bool is_long = bytes_of(call, stretches.each) > long_bytes && gpu().capability >= 90;
  int64_t room = has_little_shared_memory() ? 72 << 10 : is_long ? 200 << 10 : 100 << 10;
  int64_t tiles = 2 * ceil_div(stretches.each, int64_t{warps} * 16);
  int64_t slots = std::min({room / tile_bytes, slots_max, tiles});
  // The ring, where sums lie in the end, and parts that blocks of a cluster send.
  int64_t sums = int64_t{warps} * rows * (size + 8) * 4;
  int64_t parts = stretches.cluster ? int64_t{rows} * size * 4 + stretches.count * 16 : 0;
  unsigned threads = static_cast<unsigned>(warps + 1) * 32;
  int64_t bytes = std::max(std::max(slots * tile_bytes, sums) + parts, int64_t{32} * threads);
  const Function& function = stretches.cluster
                                 ? cluster_attends.at((stretches.cluster - 1) * 16 + slot)
                                 : half_attends.at(slot);
  return {function, size, threads, bytes, static_cast<int>(slots)};
}

// In float32.
Kernel float_kernel(const AttentionCall& call, int rows) {
  int size = std::max(call.a.size, call.a.value_size) > 128 ? 256 : 128;
  size_t form = (size == 256 ? 2 : 0) + (rows == 8);
  // The sums of four warps.
  return {float_attends.at(call.types_slot() * 4 + form), size, 128, int64_t{16} * size * rows, 0};
}

// As in attention_parts.cuh.
struct Parts {
  float *sums, *softmaxes;
  uint32_t* counters;
};

// As many blocks as run at a time, if there are enough keys.
Stretches spread(int64_t running, int64_t blocks, int64_t keys) {
  if (blocks > counters_max) return {std::max<int64_t>(keys, 1), 1};
  int64_t most = std::clamp<int64_t>(keys / keys_step, 1, stretches_max);
  int64_t stretches = std::clamp<int64_t>(running / blocks, 1, most);
  int64_t each = ceil_div(ceil_div(keys, stretches), keys_step) * keys_step;
  return {each, ceil_div(keys, each)};
}

// Clusters come together in a third of the time that others take; but they are small, and those of
// two launches share multiprocessors unevenly, so long stretches are slower in them.
Stretches half_stretches(const AttentionCall& call, int rows, int64_t blocks) {
  int64_t keys = call.a.keys, multiprocessors = gpu().multiprocessors;
  size_t cluster = gpu().capability >= 90 && rows == 8 ? std::size(cluster_sizes) - 1 : 0;
  for (; cluster > 0; --cluster) {
    int64_t count = cluster_sizes[cluster], running = blocks * count;
    int64_t each = ceil_div(ceil_div(keys, count), 16) * 16;
    int64_t bytes_max = running > multiprocessors / 2 ? long_bytes : 4 * long_bytes;
    bool fits = running <= multiprocessors && keys >= count * 32;
    if (fits && bytes_of(call, each) <= bytes_max) return {each, count, cluster};
  }
  return spread(multiprocessors, blocks, keys);
}

}  // namespace

bool attend_few(const AttentionCall& call) {
  Attention a = call.a;
  if (a.queries > queries_max || std::max(a.size, a.value_size) > size_max) return false;
  bool halves = call.has_aligned_halves();
  if (!halves && !call.has_aligned_fours()) return false;
  // One query sees all keys.
  if (a.kind == 1 && a.queries == 1) a.kind = 0;
  int few = halves ? 8 : 4;
  int rows = call.rows() > few && !(halves && padded_size(call) > 128) ? 2 * few : few;
  int64_t blocks = call.key_heads() * ceil_div(call.rows(), rows);
  Stretches stretches = halves ? half_stretches(call, rows, blocks)
                               : spread(4 * gpu().multiprocessors, blocks, a.keys);
  Kernel kernel = halves ? half_kernel(call, rows, stretches) : float_kernel(call, rows);
  std::optional<Scratch> scratch;
  Parts parts{};
  if (stretches.count > 1) {
    // Those of a cluster too meet here where there are no clusters.
    int64_t rows_of_all = blocks * stretches.count * rows, sums = rows_of_all * kernel.size;
    scratch.emplace(call.stream, static_cast<size_t>(sums + rows_of_all * 2) * 4);
    parts = {scratch->data<float>(), scratch->data<float>() + sums, counters_of(call.stream)};
  }
  LaunchShape shape{{static_cast<unsigned>(blocks), static_cast<unsigned>(stretches.count)},
                    {kernel.threads},
                    static_cast<unsigned>(kernel.shared_bytes)};
  int each = static_cast<int>(stretches.each);
  if (halves) launch(call.stream, kernel.function, shape, a, each, kernel.slots, parts);
  else launch(call.stream, kernel.function, shape, a, each, parts);
  return true;
}

}  // namespace lazuli::cuda
