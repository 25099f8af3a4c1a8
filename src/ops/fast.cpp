// Norms as compositions: the planner turns them into row programs.
#include "lazuli/fast.h"

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

}  // namespace lazuli::fast
