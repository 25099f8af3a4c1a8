#include "backends/cuda/kernels/attention/attention.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "backends/cuda/kernel_table.h"
#include "backends/cuda/kernels/moves/dense_copy.h"
#include "lazuli/error.h"
#include "ops/table/params.h"

namespace lazuli::cuda {
namespace {

constexpr int boolean_mask = 2, additive_mask = 3;

// The strides of an operand [.., .., .., size] with its last axis together, in `copy` if it does
// not lie so, and where it lies.
const void* place(int stream, const Operand& operand, std::optional<Scratch>& copy,
                  int64_t (&to)[3]) {
  const Shape& shape = *operand.shape;
  Strides strides = strides_of(operand);
  const void* data = device_data(operand);
  if (shape[3] != 1 && strides[3] != 1) {
    int64_t item = dtype_of(operand.dtype).size();
    copy.emplace(stream, static_cast<size_t>(operand.size() * item));
    copy_dense(stream, shape, strides, item, data, copy->data());
    data = copy->data();
    strides = dense_strides(shape);
  }
  for (size_t d = 0; d < 3; ++d) to[d] = shape[d] == 1 ? 0 : strides[d];
  return data;
}

void place_mask(const Operand& mask, Attention& a) {
  const Shape& shape = *mask.shape;
  Strides strides = strides_of(mask);
  for (size_t d = 0; d < shape.size(); ++d) {
    a.mask_strides[4 - shape.size() + d] = shape[d] == 1 ? 0 : strides[d];
  }
  a.mask = device_data(mask);
}

int extent(const Operand& operand, int axis) {
  int64_t value = operand.extent(axis);
  if (value > std::numeric_limits<int>::max()) {
    throw ArgumentError("[scaled_dot_product_attention] An extent of " + std::to_string(value) +
                        " is more than the GPU's kernels take.");
  }
  return static_cast<int>(value);
}

FunctionTable<attention_types> plain("attention.cu", [](size_t slot) {
  const Dtype::Val q = float_types[slot / 9], k = float_types[slot / 3 % 3],
                   v = float_types[slot % 3];
  return instance_name("attention", {device_type(q), device_type(k), device_type(v),
                                     device_type(attention_dtype(q, k, v))});
});

// Everything.
void attend_plainly(const AttentionCall& call) {
  auto blocks = static_cast<unsigned>(call.key_heads() * ceil_div(call.rows(), 16));
  launch(call.stream, plain.at(call.types_slot()),
         {{blocks, static_cast<unsigned>(ceil_div(call.a.value_size, 256))}, {128}}, call.a);
}

}  // namespace

bool AttentionCall::has_aligned_halves() const {
  if (q != out || k != out || v != out || out == Dtype::Val::float32) return false;
  uintptr_t bits = reinterpret_cast<uintptr_t>(a.q) | reinterpret_cast<uintptr_t>(a.k) |
                   reinterpret_cast<uintptr_t>(a.v);
  for (int i = 0; i < 3; ++i) {
    bits |= static_cast<uintptr_t>((a.q_strides[i] | a.k_strides[i] | a.v_strides[i]) * 2);
  }
  return bits % 16 == 0 && a.size % 8 == 0 && a.value_size % 8 == 0;
}

bool AttentionCall::has_aligned_fours() const {
  auto fits = [](const void* data, const int64_t (&strides)[3], Dtype::Val dtype) {
    int64_t item = dtype_of(dtype).size();
    uintptr_t bits = reinterpret_cast<uintptr_t>(data);
    for (int64_t stride : strides) bits |= static_cast<uintptr_t>(stride * item);
    return bits % static_cast<uintptr_t>(4 * item) == 0;
  };
  return a.size % 4 == 0 && a.value_size % 4 == 0 && fits(a.k, a.k_strides, k) &&
         fits(a.v, a.v_strides, v);
}

// Inputs: queries, keys, values; a mask (boolean or float32) of the kinds that have one; sinks
// (float32).
void kernel_attention(const KernelCall& call) {
  const auto given = params<AttentionParams>(call.node);
  const Operand &q = call.inputs[0], &k = call.inputs[1], &v = call.inputs[2];
  std::optional<Scratch> copies[3];
  AttentionCall attention{{},      call.stream, q.extent(0),      q.dtype,
                          k.dtype, v.dtype,     call.output.dtype};
  Attention& a = attention.a;
  a.q = place(call.stream, q, copies[0], a.q_strides);
  a.k = place(call.stream, k, copies[1], a.k_strides);
  a.v = place(call.stream, v, copies[2], a.v_strides);
  a.kind = static_cast<int>(given.mask);
  if (given.has_array()) place_mask(call.inputs[3], a);
  if (given.sinks) {
    const Operand& sinks = call.inputs.back();
    a.sinks = device_data<float>(sinks);
    a.sinks_stride = strides_of(sinks)[0];
  }
  a.out = device_data(call.output);
  a.scale = static_cast<float>(given.scale);
  a.heads = extent(q, 1);
  a.group = extent(q, 1) / extent(k, 1);
  a.queries = extent(q, 2);
  a.keys = extent(k, 2);
  a.size = extent(q, 3);
  a.value_size = extent(v, 3);
  a.settled = !copies[1] && !copies[2] && is_settled(k) && is_settled(v);
  if (attend_few(attention) || attend_by_dnn(attention) || attend_many(attention)) return;
  attend_plainly(attention);
}

}  // namespace lazuli::cuda
