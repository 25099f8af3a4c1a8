// Attention: one node where the backend has a kernel, else the composition below.
#include <limits>

#include "lazuli/fast.h"
#include "lazuli/ops.h"
#include "ops/compositions.h"
#include "ops/record.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

void check_attention(const array& q, const array& k, const array& v) {
  bool fits = q.ndim() == 4 && k.ndim() == 4 && v.ndim() == 4 && q.shape(0) == k.shape(0) &&
              q.shape(0) == v.shape(0) && q.shape(-1) == k.shape(-1) && k.shape(2) == v.shape(2) &&
              k.shape(1) == v.shape(1) && k.shape(1) > 0 && q.shape(1) % k.shape(1) == 0;
  if (!fits) {
    throw ArgumentError("[scaled_dot_product_attention] queries " + describe(q) + ", keys " +
                        describe(k) + " and values " + describe(v) + " do not fit together.");
  }
}

void check_promotes(const char* what, const std::optional<array>& a, Dtype dtype) {
  if (!a || promote_types(a->dtype(), dtype) == dtype) return;
  throw ArgumentError("[scaled_dot_product_attention] The " + std::string(what) + " " +
                      describe(*a) + " would widen the result, which is " + dtype_name(dtype) +
                      ".");
}

// Scores [B, M, N / M, T, S] with the mask applied.
array masked(const array& scores, const array& mask, int64_t groups, StreamOrDevice s) {
  array m = mask;
  while (m.ndim() < 4) m = expand_dims(m, 0, s);
  // The heads axis splits as the scores' does, unless it broadcasts.
  if (m.shape(1) == 1) {
    m = expand_dims(m, 1, s);
  } else {
    m = unflatten(m, 1, {groups, -1}, s);
  }
  if (m.dtype() == bool_) {
    // Finite, so that a row without any key weighs all of them alike.
    return where(m, scores, scalar_like(scores, -std::numeric_limits<float>::max()), s);
  }
  return add(scores, astype(m, scores.dtype(), s), s);
}

array causal_mask(int64_t queries, int64_t keys, StreamOrDevice s) {
  array row = arange(static_cast<double>(keys - queries), static_cast<double>(keys), 1.0, int32, s);
  array column = arange(0.0, static_cast<double>(keys), 1.0, int32, s);
  return greater_equal(expand_dims(row, 1, s), column, s);
}

// Inputs: queries, keys, values, the mask of the kinds boolean and additive, the sinks.
array composed(const AttentionParams& params, const std::vector<array>& inputs, const Stream& s) {
  const array &queries = inputs[0], &keys = inputs[1], &values = inputs[2];
  Dtype dtype = promote_types(promote_types(queries.dtype(), keys.dtype()), values.dtype());
  Dtype inner = dtype == float64 ? float64 : float32;
  int64_t groups = keys.shape(1);
  array q = unflatten(astype(queries, inner, s), 1, {groups, -1}, s);
  array k = expand_dims(astype(keys, inner, s), 2, s);
  array v = expand_dims(astype(values, inner, s), 2, s);
  array scores = matmul(multiply(q, scalar_like(q, params.scale), s), swapaxes(k, -1, -2, s), s);
  if (params.mask == MaskKind::causal) {
    scores = masked(scores, causal_mask(queries.shape(2), keys.shape(2), s), groups, s);
  } else if (params.has_array()) {
    scores = masked(scores, inputs[3], groups, s);
  }
  if (params.sinks) {
    array sink = reshape(astype(inputs.back(), inner, s), {1, groups, -1, 1, 1}, s);
    array peak = maximum(max(scores, -1, true, s), sink, s);
    array e = exp(subtract(scores, peak, s), s);
    array total = add(sum(e, -1, true, s), exp(subtract(sink, peak, s), s), s);
    scores = divide(e, total, s);
  } else {
    scores = softmax(scores, -1, false, s);
  }
  return astype(flatten(matmul(scores, v, s), 1, 2, s), dtype, s);
}

MaskKind kind_of(const std::string& mode, const std::optional<array>& mask, const array& q,
                 const array& k) {
  if (mode != "" && mode != "causal" && mode != "array") {
    throw ArgumentError(
        "[scaled_dot_product_attention] mask_mode is '', 'causal' or 'array', not '" + mode + "'.");
  }
  if (mode == "causal") return MaskKind::causal;
  if (!mask) return MaskKind::none;
  Shape scores = {q.shape(0), q.shape(1), q.shape(2), k.shape(2)};
  if (mask->ndim() > 4 ||
      broadcast_shapes("scaled_dot_product_attention", mask->shape(), scores) != scores) {
    throw ArgumentError("[scaled_dot_product_attention] The mask " + describe(*mask) +
                        " cannot be broadcast to the scores " + describe(scores) + ".");
  }
  return mask->dtype() == bool_ ? MaskKind::boolean : MaskKind::additive;
}

}  // namespace

array compose_attention(const Node* node, const std::vector<array>& inputs, const Stream& s) {
  return composed(params<AttentionParams>(node), inputs, s);
}

namespace fast {

array scaled_dot_product_attention(const array& queries, const array& keys, const array& values,
                                   const float scale, const std::string& mask_mode,
                                   std::optional<array> mask_arr, const std::optional<array>& sinks,
                                   bool, StreamOrDevice s) {
  check_attention(queries, keys, values);
  AttentionParams params{kind_of(mask_mode, mask_arr, queries, keys), sinks.has_value(), scale};
  if (sinks && sinks->shape() != Shape{queries.shape(1)}) {
    throw ArgumentError("[scaled_dot_product_attention] sinks " + describe(*sinks) +
                        " must hold one value for each head of " + describe(queries) + ".");
  }
  Dtype dtype = promote_types(promote_types(queries.dtype(), keys.dtype()), values.dtype());
  check_promotes("mask", params.has_array() ? mask_arr : std::nullopt, dtype);
  check_promotes("sinks", sinks, dtype);
  std::vector<array> inputs = {queries, keys, values};
  bool as_node = records_kernel(Op::attention, dtype, to_stream(s)) && keys.shape(2) > 0;
  bool additive = params.mask == MaskKind::additive;
  if (params.has_array()) {
    inputs.push_back(as_node && additive ? astype(*mask_arr, float32, s) : *mask_arr);
  }
  if (sinks) inputs.push_back(as_node ? astype(*sinks, float32, s) : *sinks);
  if (!as_node) return composed(params, inputs, to_stream(s));
  Shape shape = queries.shape();
  shape.back() = values.shape(3);
  return record(Op::attention, dtype, std::move(shape), inputs, encode(params), to_stream(s));
}

}  // namespace fast
}  // namespace lazuli
