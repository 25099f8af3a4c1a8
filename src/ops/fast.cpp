// Building blocks of models as compositions. The planner turns the norms into row programs.
#include "lazuli/fast.h"

#include <cmath>
#include <limits>

#include "lazuli/ops.h"
#include "ops/record.h"

namespace lazuli::fast {
namespace {

void check_vector(const char* op, const char* what, const std::optional<array>& v, const array& x) {
  if (v && (v->ndim() != 1 || v->shape(0) != x.shape(-1))) {
    throw ArgumentError("[" + std::string(op) + "] " + what + " " + describe(*v) +
                        " does not fit the last axis of " + describe(x) + ".");
  }
}

Dtype norm_dtype(const char* op, const array& x, const std::optional<array>& weight) {
  if (x.ndim() == 0) {
    throw ArgumentError("[" + std::string(op) + "] At least one dimension is needed.");
  }
  Dtype dtype = weight ? promote_types(x.dtype(), weight->dtype()) : x.dtype();
  if (!issubdtype(dtype, floating)) {
    throw TypeError("[" + std::string(op) + "] Floats are needed, not " + describe(x) + ".");
  }
  return dtype;
}

Dtype at_least_float32(Dtype dtype) { return dtype.size() < 4 ? float32 : dtype; }

// cos and sin of the angles [..., T, dims / 2] of each position and frequency.
struct Angles {
  array cosine, sine;
};

Angles rope_angles(const array& x, int dims, std::optional<float> base, float scale,
                   const array& offset, const std::optional<array>& freqs, StreamOrDevice s) {
  int64_t half = dims / 2;
  array t = arange(0.0, static_cast<double>(x.shape(-2)), 1.0, float32, s);
  array start = astype(offset, float32, s);
  // One offset for each example: [B, 1, ..., 1, T, 1].
  if (offset.size() > 1) {
    Shape shape(x.ndim(), 1);
    shape[0] = static_cast<int64_t>(offset.size());
    start = reshape(start, shape, s);
  } else {
    start = reshape(start, {}, s);
  }
  array position = multiply(add(expand_dims(t, 1, s), start, s), array(scale), s);
  array inverse = freqs ? divide(array(1.0f), astype(*freqs, float32, s), s)
                        : exp(multiply(arange(0.0, static_cast<double>(half), 1.0, float32, s),
                                       array(-2.0 * std::log(*base) / dims), s),
                              s);
  array angle = multiply(position, inverse, s);
  return {cos(angle, s), sin(angle, s)};
}

array part(const array& x, int64_t start, int64_t stop, StreamOrDevice s, int64_t step = 1) {
  Shape from(x.ndim(), 0), to = x.shape(), steps(x.ndim(), 1);
  from.back() = start;
  to.back() = stop;
  steps.back() = step;
  return slice(x, from, to, steps, s);
}

}  // namespace

array rms_norm(const array& x, const std::optional<array>& weight, float eps, StreamOrDevice s) {
  Dtype dtype = norm_dtype("rms_norm", x, weight);
  check_vector("rms_norm", "weight", weight, x);
  array wide = astype(x, at_least_float32(dtype), s);
  array scale = rsqrt(add(mean(square(wide, s), -1, true, s), scalar_like(wide, eps), s), s);
  array normal = multiply(wide, scale, s);
  if (weight) normal = multiply(normal, astype(*weight, wide.dtype(), s), s);
  return astype(normal, dtype, s);
}

array layer_norm(const array& x, const std::optional<array>& weight,
                 const std::optional<array>& bias, float eps, StreamOrDevice s) {
  Dtype dtype = norm_dtype("layer_norm", x, weight);
  check_vector("layer_norm", "weight", weight, x);
  check_vector("layer_norm", "bias", bias, x);
  array wide = astype(x, at_least_float32(dtype), s);
  array centered = subtract(wide, mean(wide, -1, true, s), s);
  array variance = mean(square(centered, s), -1, true, s);
  array normal = multiply(centered, rsqrt(add(variance, scalar_like(wide, eps), s), s), s);
  if (weight) normal = multiply(normal, astype(*weight, wide.dtype(), s), s);
  if (bias) normal = add(normal, astype(*bias, wide.dtype(), s), s);
  return astype(normal, dtype, s);
}

array rope(const array& x, int dims, bool traditional, std::optional<float> base, float scale,
           const array& offset, const std::optional<array>& freqs, StreamOrDevice s) {
  if (x.ndim() < 3 || dims <= 0 || dims % 2 || dims > x.shape(-1)) {
    throw ArgumentError("[rope] " + std::to_string(dims) + " features of " + describe(x) +
                        " cannot be rotated: at least 3 dimensions and an even count are needed.");
  }
  if (base.has_value() == freqs.has_value()) {
    throw ArgumentError("[rope] Exactly one of base and freqs must be given.");
  }
  if (freqs && (freqs->ndim() != 1 || freqs->shape(0) != dims / 2)) {
    throw ArgumentError("[rope] freqs " + describe(*freqs) + " must hold dims / 2 values.");
  }
  if (offset.size() != 1 && (offset.ndim() != 1 || offset.shape(0) != x.shape(0))) {
    throw ArgumentError("[rope] offset " + describe(offset) +
                        " is neither one value nor one for each example.");
  }
  Angles angles = rope_angles(x, dims, base, scale, offset, freqs, s);
  Dtype dtype = x.dtype();
  array wide = astype(x, at_least_float32(dtype), s);
  int64_t half = dims / 2, all = x.shape(-1);
  array first = traditional ? part(wide, 0, dims, s, 2) : part(wide, 0, half, s);
  array second = traditional ? part(wide, 1, dims, s, 2) : part(wide, half, dims, s);
  array a = subtract(multiply(first, angles.cosine, s), multiply(second, angles.sine, s), s);
  array b = add(multiply(first, angles.sine, s), multiply(second, angles.cosine, s), s);
  std::vector<array> parts;
  if (traditional) {
    Shape shape = x.shape();
    shape.back() = dims;
    parts.push_back(reshape(stack({a, b}, -1, s), shape, s));
  } else {
    parts = {a, b};
  }
  if (dims < all) parts.push_back(part(wide, dims, all, s));
  return astype(concatenate(parts, -1, s), dtype, s);
}

array rope(const array& x, int dims, bool traditional, std::optional<float> base, float scale,
           int offset, const std::optional<array>& freqs, StreamOrDevice s) {
  return rope(x, dims, traditional, base, scale, array(offset), freqs, s);
}

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
    return where(m, scores, scalar_like(scores, -std::numeric_limits<float>::infinity()), s);
  }
  return add(scores, astype(m, scores.dtype(), s), s);
}

array causal_mask(int64_t queries, int64_t keys, StreamOrDevice s) {
  array row = arange(static_cast<double>(keys - queries), static_cast<double>(keys), 1.0, int32, s);
  array column = arange(0.0, static_cast<double>(keys), 1.0, int32, s);
  return greater_equal(expand_dims(row, 1, s), column, s);
}

}  // namespace

array scaled_dot_product_attention(const array& queries, const array& keys, const array& values,
                                   const float scale, const std::string& mask_mode,
                                   std::optional<array> mask_arr, const std::optional<array>& sinks,
                                   bool, StreamOrDevice s) {
  check_attention(queries, keys, values);
  if (mask_mode != "" && mask_mode != "causal" && mask_mode != "array") {
    throw ArgumentError(
        "[scaled_dot_product_attention] mask_mode is '', 'causal' or 'array', not '" + mask_mode +
        "'.");
  }
  Dtype dtype = promote_types(promote_types(queries.dtype(), keys.dtype()), values.dtype());
  int64_t groups = keys.shape(1);
  array q = unflatten(astype(queries, float32, s), 1, {groups, -1}, s);
  array k = expand_dims(astype(keys, float32, s), 2, s);
  array v = expand_dims(astype(values, float32, s), 2, s);
  array scores = matmul(multiply(q, array(scale), s), swapaxes(k, -1, -2, s), s);
  if (mask_mode == "causal") {
    scores = masked(scores, causal_mask(queries.shape(2), keys.shape(2), s), groups, s);
  } else if (mask_arr) {
    scores = masked(scores, *mask_arr, groups, s);
  }
  array peak = max(scores, -1, true, s);
  if (sinks) {
    array sink = reshape(astype(*sinks, float32, s), {1, groups, -1, 1, 1}, s);
    peak = maximum(peak, sink, s);
    array e = exp(subtract(scores, peak, s), s);
    array total = add(sum(e, -1, true, s), exp(subtract(sink, peak, s), s), s);
    scores = divide(e, total, s);
  } else {
    scores = softmax(scores, -1, false, s);
  }
  return astype(flatten(matmul(scores, v, s), 1, 2, s), dtype, s);
}

}  // namespace lazuli::fast
