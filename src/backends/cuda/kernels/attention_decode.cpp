#include <algorithm>
#include <optional>

#include "backends/cuda/kernels/attention.h"
#include "backends/cuda/kernels/instances.h"

namespace lazuli::cuda {
namespace {

constexpr int queries_max = 8, size_max = 256;
constexpr int64_t keys_each_min = 128, keys_step = 64;

// A kernel for `rows` rows of heads of up to `size`, and the one that joins its parts.
struct Pair {
  const Function &attend, &join;
  int size, rows;
};

size_t float_slot(Dtype::Val dtype) {
  return dtype == Dtype::Val::float32 ? 0 : dtype == Dtype::Val::float16 ? 1 : 2;
}

std::string numbers(int size, int rows) {
  return ", " + std::to_string(size) + ", " + std::to_string(rows);
}

// On tensor cores.
Pair half_kernels(const AttentionCall& call) {
  static Instances<64> instances;
  int size = static_cast<int>(ceil_div(std::max(call.a.size, call.a.value_size), 64) * 64);
  int rows = call.rows() > 8 && size <= 128 ? 16 : 8;
  std::string type = device_type(call.out);
  size_t index = (call.out == Dtype::Val::bfloat16 ? 2 : 0) + (rows == 16 ? 4 : 0) +
                 static_cast<size_t>(size / 64 - 1) * 8;
  return {instances.get(index, "attention_decode.cu",
                        [&] { return "attention_decode<" + type + numbers(size, rows) + ">"; }),
          instances.get(index + 1, "attention_decode.cu",
                        [&] {
                          return "attention_join<" + type + numbers(size, rows) + ", TilePlaces<" +
                                 std::to_string(rows) + ">>";
                        }),
          size, rows};
}

// In float32.
Pair float_kernels(const AttentionCall& call) {
  static Instances<27 * 8> instances;
  int size = std::max(call.a.size, call.a.value_size) > 128 ? 256 : 128;
  int rows = call.rows() > 4 ? 8 : 4;
  std::string out = device_type(call.out);
  size_t types = (float_slot(call.q) * 3 + float_slot(call.k)) * 3 + float_slot(call.v);
  size_t index = types * 8 + (size == 256 ? 2 : 0) + (rows == 8 ? 4 : 0);
  return {instances.get(index, "attention_floats.cu",
                        [&] {
                          return std::string("attention_floats<") + device_type(call.q) + ", " +
                                 device_type(call.k) + ", " + device_type(call.v) + ", " + out +
                                 numbers(size, rows) + ">";
                        }),
          instances.get(index + 1, "attention_floats.cu",
                        [&] {
                          return "attention_join<" + out + numbers(size, rows) + ", RowPlaces<" +
                                 std::to_string(size) + ">>";
                        }),
          size, rows};
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
  bool halves = call.has_aligned_halves();
  if (!halves && !call.has_aligned_fours()) return false;
  Pair kernels = halves ? half_kernels(call) : float_kernels(call);
  int size = kernels.size, rows = kernels.rows;
  int64_t blocks = call.key_heads() * ceil_div(call.rows(), rows);
  int64_t each = keys_each(blocks, a.keys), stretches = ceil_div(a.keys, each);
  int64_t sums = blocks * stretches * size * rows, softmaxes = blocks * stretches * rows * 2;
  std::optional<Scratch> scratch;
  if (stretches > 1) scratch.emplace(call.stream, static_cast<size_t>(sums + softmaxes) * 4);
  float* parts = scratch ? scratch->data<float>() : nullptr;
  float* rest = parts ? parts + sums : nullptr;
  auto x = static_cast<unsigned>(blocks);
  launch(call.stream, kernels.attend,
         {{x, static_cast<unsigned>(stretches)}, {128}, static_cast<unsigned>(4 * size * rows * 4)},
         a, static_cast<int>(each), parts, rest);
  if (stretches == 1) return true;
  launch(call.stream, kernels.join, {{x, static_cast<unsigned>(size * rows / 128)}, {128}}, a,
         static_cast<int>(stretches), parts, rest);
  return true;
}

}  // namespace lazuli::cuda
