#include <algorithm>
#include <optional>

#include "backends/cuda/kernels/attention/attention.h"

namespace lazuli::cuda {
namespace {

constexpr int queries_max = 8, size_max = 256;
constexpr int64_t keys_each_min = 128, keys_step = 64;

// A kernel for `rows` rows of heads of up to `size`, and the one that joins its parts.
struct Pair {
  const Function &attend, &join;
  int size, rows;
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
template <bool Joins>
std::string half_instance(size_t slot) {
  const Slot s = half_slot(slot);
  if (s.size > 128 && s.rows > 8) return "";
  const char* type = s.types ? "bfloat_t" : "half_t";
  if (!Joins) return instance_name("attention_decode", {type, s.size_text(), s.rows_text()});
  return instance_name("attention_join", {type, s.size_text(), s.rows_text(),
                                          instance_name("TilePlaces", {s.rows_text()})});
}
FunctionTable<half_slots> half_attends("attention_decode.cu", half_instance<false>);
FunctionTable<half_slots> half_joins("attention_decode.cu", half_instance<true>);

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
FunctionTable<float_count * 4> float_joins("attention_floats.cu", [](size_t slot) {
  const Slot s = float_kernel_slot(slot);
  return instance_name("attention_join",
                       {device_type(float_types[s.types]), s.size_text(), s.rows_text(),
                        instance_name("RowPlaces", {s.size_text()})});
});

// On tensor cores.
Pair half_kernels(const AttentionCall& call) {
  int size = static_cast<int>(ceil_div(std::max(call.a.size, call.a.value_size), 64) * 64);
  int rows = call.rows() > 8 && size <= 128 ? 16 : 8;
  size_t slot = (call.out == Dtype::Val::bfloat16 ? 8 : 0) +
                static_cast<size_t>(size / 64 - 1) * 2 + (rows == 16);
  return {half_attends.at(slot), half_joins.at(slot), size, rows};
}

// In float32.
Pair float_kernels(const AttentionCall& call) {
  int size = std::max(call.a.size, call.a.value_size) > 128 ? 256 : 128;
  int rows = call.rows() > 4 ? 8 : 4;
  size_t form = (size == 256 ? 2 : 0) + (rows == 8);
  return {float_attends.at(call.types_slot() * 4 + form),
          float_joins.at(float_slot(call.out) * 4 + form), size, rows};
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
