// Affine quantisation: groups of weights as scale * level + bias, the levels packed into uint32.
#include "lazuli/ops.h"
#include "ops/record.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

struct Affine {
  int group, bits;
};

Affine check_affine(const char* op, std::optional<int> group_size, std::optional<int> bits,
                    const std::string& mode) {
  Affine a{group_size.value_or(64), bits.value_or(4)};
  std::string name = "[" + std::string(op) + "] ";
  if (mode != "affine") {
    throw ArgumentError(name + "The mode '" + mode + "' is not supported; 'affine' is.");
  }
  if (a.group != 32 && a.group != 64 && a.group != 128) {
    throw ArgumentError(name + "The group size " + std::to_string(a.group) +
                        " is not supported; 32, 64 and 128 are.");
  }
  if (a.bits < 2 || a.bits > 8 || a.bits == 7) {
    throw ArgumentError(name + std::to_string(a.bits) +
                        " bits are not supported; 2, 3, 4, 5, 6 and 8 are.");
  }
  return a;
}

void check_half_or_float(const char* op, const array& a) {
  if (a.dtype() != float32 && a.dtype() != float16 && a.dtype() != bfloat16) {
    throw TypeError("[" + std::string(op) + "] float32, float16 or bfloat16 is needed, not " +
                    describe(a) + ".");
  }
}

// Columns of the matrix the levels stand for; checks that scales and biases belong to them.
int64_t check_levels(const char* op, const array& w, const array& scales,
                     const std::optional<array>& biases, const Affine& a) {
  std::string name = "[" + std::string(op) + "] ";
  if (!biases) throw ArgumentError(name + "Affine quantisation needs biases.");
  if (w.dtype() != uint32 || w.ndim() < 2) {
    throw ArgumentError(name + "The weights must be a uint32 matrix, not " + describe(w) + ".");
  }
  check_half_or_float(op, scales);
  int64_t columns = w.shape(-1) * 32 / a.bits;
  Shape wanted = w.shape();
  wanted.back() = columns / a.group;
  bool fits = columns % a.group == 0 && w.shape(-1) * 32 % a.bits == 0 &&
              scales.shape() == wanted && biases->shape() == wanted;
  if (!fits) {
    throw ArgumentError(name + "scales " + describe(scales) + " and biases " + describe(*biases) +
                        " do not fit weights " + describe(w) + " of " + std::to_string(a.bits) +
                        " bits in groups of " + std::to_string(a.group) + ".");
  }
  return columns;
}

}  // namespace

std::vector<array> quantize(const array& w, std::optional<int> group_size, std::optional<int> bits,
                            const std::string& mode, StreamOrDevice s) {
  Affine a = check_affine("quantize", group_size, bits, mode);
  check_half_or_float("quantize", w);
  if (w.ndim() < 2 || w.shape(-1) % a.group) {
    throw ArgumentError("[quantize] The last axis of " + describe(w) +
                        " does not hold whole groups of " + std::to_string(a.group) + ".");
  }
  Shape levels = w.shape(), groups = w.shape();
  levels.back() = w.shape(-1) * a.bits / 32;
  groups.back() = w.shape(-1) / a.group;
  std::vector<array> parts;
  for (int part = 0; part < 3; ++part) {
    parts.push_back(record(Op::affine_quantize, part == 0 ? uint32 : w.dtype(),
                           part == 0 ? levels : groups, {&w},
                           encode(AffineQuantizeParams{part, a.group, a.bits}), to_stream(s)));
  }
  return parts;
}

array dequantize(const array& w, const array& scales, const std::optional<array>& biases,
                 std::optional<int> group_size, std::optional<int> bits, const std::string& mode,
                 StreamOrDevice s) {
  Affine a = check_affine("dequantize", group_size, bits, mode);
  Shape shape = w.shape();
  shape.back() = check_levels("dequantize", w, scales, biases, a);
  array b = astype(*biases, scales.dtype(), s);
  return record(Op::affine_dequantize, scales.dtype(), std::move(shape), {&w, &scales, &b},
                encode(AffineDequantizeParams{a.group, a.bits}), to_stream(s));
}

array quantized_matmul(const array& x, const array& w, const array& scales,
                       const std::optional<array>& biases, bool transpose,
                       std::optional<int> group_size, std::optional<int> bits,
                       const std::string& mode, StreamOrDevice s) {
  Affine a = check_affine("quantized_matmul", group_size, bits, mode);
  int64_t columns = check_levels("quantized_matmul", w, scales, biases, a);
  check_half_or_float("quantized_matmul", x);
  int64_t inner = transpose ? columns : w.shape(0);
  if (w.ndim() != 2 || x.ndim() == 0 || x.shape(-1) != inner) {
    throw ArgumentError("[quantized_matmul] " + describe(x) + " does not fit weights of " +
                        std::to_string(w.shape(0)) + " rows and " + std::to_string(columns) +
                        " columns with transpose = " + (transpose ? "true" : "false") + ".");
  }
  Dtype dtype = promote_types(x.dtype(), scales.dtype());
  array from = astype(x, dtype, s), scale = astype(scales, dtype, s);
  array bias = astype(*biases, dtype, s);
  Shape shape = x.shape();
  shape.back() = transpose ? w.shape(0) : columns;
  return record(Op::quantized_matmul, dtype, std::move(shape), {&from, &w, &scale, &bias},
                encode(QuantizedMatmulParams{a.group, a.bits, transpose}), to_stream(s));
}

}  // namespace lazuli
