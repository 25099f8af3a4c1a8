// Rotary positions: one node where the backend has a kernel, else the composition below.
#include <cmath>

#include "lazuli/fast.h"
#include "lazuli/ops.h"
#include "ops/compositions.h"
#include "ops/record.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

// cos and sin of the angles [..., T, dims / 2] of each position and frequency.
struct Angles {
  array cosine, sine;
};

Angles rope_angles(const array& x, int64_t dims, double base, double scale, const array& offset,
                   const std::optional<array>& freqs, StreamOrDevice s) {
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
  array position =
      multiply(add(expand_dims(t, 1, s), start, s), array(static_cast<float>(scale)), s);
  array inverse = freqs ? divide(array(1.0f), astype(*freqs, float32, s), s)
                        : exp(multiply(arange(0.0, static_cast<double>(half), 1.0, float32, s),
                                       array(-2.0 * std::log(base) / static_cast<double>(dims)), s),
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

array rotate(const array& wide, int64_t dims, bool traditional, const Angles& angles,
             const Stream& s) {
  int64_t half = dims / 2, all = wide.shape(-1);
  array first = traditional ? part(wide, 0, dims, s, 2) : part(wide, 0, half, s);
  array second = traditional ? part(wide, 1, dims, s, 2) : part(wide, half, dims, s);
  array a = subtract(multiply(first, angles.cosine, s), multiply(second, angles.sine, s), s);
  array b = add(multiply(first, angles.sine, s), multiply(second, angles.cosine, s), s);
  std::vector<array> parts;
  if (traditional) {
    Shape shape = wide.shape();
    shape.back() = dims;
    parts.push_back(reshape(stack({a, b}, -1, s), shape, s));
  } else {
    parts = {a, b};
  }
  if (dims < all) parts.push_back(part(wide, dims, all, s));
  return concatenate(parts, -1, s);
}

// inputs: x, offset and, instead of a base, freqs.
array composed(const RopeParams& params, const std::vector<array>& inputs, const Stream& s) {
  const array& x = inputs[0];
  std::optional<array> freqs;
  if (inputs.size() > 2) freqs = inputs[2];
  Angles angles = rope_angles(x, params.dims, params.base, params.scale, inputs[1], freqs, s);
  array wide = astype(x, x.dtype().size() < 4 ? float32 : x.dtype(), s);
  return astype(rotate(wide, params.dims, params.traditional, angles, s), x.dtype(), s);
}

void check_rope(const array& x, int dims, bool has_base, const array& offset,
                const std::optional<array>& freqs) {
  if (x.ndim() < 3 || dims <= 0 || dims % 2 || dims > x.shape(-1)) {
    throw ArgumentError("[rope] " + std::to_string(dims) + " features of " + describe(x) +
                        " cannot be rotated: at least 3 dimensions and an even count are needed.");
  }
  if (!issubdtype(x.dtype(), floating)) {
    throw ArgumentError("[rope] The array must be floating, not " + describe(x) + ".");
  }
  if (!issubdtype(offset.dtype(), integer)) {
    throw ArgumentError("[rope] offset must hold integers, not " + describe(offset) + ".");
  }
  if (has_base == freqs.has_value()) {
    throw ArgumentError("[rope] Exactly one of base and freqs must be given.");
  }
  if (freqs && (freqs->ndim() != 1 || freqs->shape(0) != dims / 2)) {
    throw ArgumentError("[rope] freqs " + describe(*freqs) + " must hold dims / 2 values.");
  }
  if (offset.size() != 1 && (offset.ndim() != 1 || offset.shape(0) != x.shape(0))) {
    throw ArgumentError("[rope] offset " + describe(offset) +
                        " is neither one value nor one for each example.");
  }
}

}  // namespace

array compose_rope(const Node* node, const std::vector<array>& inputs, const Stream& s) {
  return composed(params<RopeParams>(node), inputs, s);
}

namespace fast {

array rope(const array& x, int dims, bool traditional, std::optional<float> base, float scale,
           const array& offset, const std::optional<array>& freqs, StreamOrDevice s) {
  check_rope(x, dims, base.has_value(), offset, freqs);
  RopeParams params{dims, traditional, scale, base.value_or(0.0f)};
  std::vector<array> inputs = {x, offset};
  if (freqs) inputs.push_back(*freqs);
  if (!records_kernel(Op::rope, x.dtype(), to_stream(s)))
    return composed(params, inputs, to_stream(s));
  bool narrow_integer = offset.dtype() == int32 || offset.dtype() == int64;
  if (!narrow_integer) inputs[1] = astype(offset, float32, s);
  if (freqs) inputs[2] = astype(*freqs, float32, s);
  return record(Op::rope, x.dtype(), x.shape(), inputs, encode(params), to_stream(s));
}

array rope(const array& x, int dims, bool traditional, std::optional<float> base, float scale,
           int offset, const std::optional<array>& freqs, StreamOrDevice s) {
  return rope(x, dims, traditional, base, scale, array(offset), freqs, s);
}

}  // namespace fast
}  // namespace lazuli
