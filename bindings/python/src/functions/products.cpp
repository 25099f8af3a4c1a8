// Products, norms, quantisation, and the building blocks of models in `fast`.
#include "functions/adapters.h"
#include "functions/sequences.h"
#include "lazuli/fast.h"
#include "lazuli/linalg.h"
#include "lazuli/ops.h"

namespace lazuli::python::adapters {

array tensordot(const array& a, const array& b, nb::handle axes, StreamOrDevice s) {
  int count = 0;
  if (nb::try_cast(axes, count)) return lazuli::tensordot(a, b, count, s);
  auto pair = load_argument<std::vector<std::vector<int>>>(axes, "tensordot", "axes");
  if (pair.size() != 2) {
    throw ArgumentError("[tensordot] Axes are a number or two lists, not " +
                        std::to_string(pair.size()) + ".");
  }
  return lazuli::tensordot(a, b, pair[0], pair[1], s);
}

array einsum(const std::string& subscripts, const nb::args& operands, StreamOrDevice s) {
  std::vector<array> values;
  for (nb::handle operand : operands) {
    values.push_back(load_operand(operand, "einsum", "operands"));
  }
  return lazuli::einsum(subscripts, values, s);
}

array trace(const array& a, int offset, int axis1, int axis2, OptionalDtype dtype,
            StreamOrDevice s) {
  return lazuli::trace(a, offset, axis1, axis2, dtype.value_or(a.dtype()), s);
}

array norm(const array& a, nb::handle ord, const Axes& axes, bool keepdims, StreamOrDevice s) {
  std::optional<std::vector<int>> over;
  if (!axes.all) over = axes.list;
  if (ord.is_none()) return linalg::norm(a, over, keepdims, s);
  if (PyUnicode_Check(ord.ptr())) {
    return linalg::norm(a, nb::cast<std::string>(ord), over, keepdims, s);
  }
  return linalg::norm(a, load_argument<double>(ord, "linalg::norm", "ord"), over, keepdims, s);
}

nb::tuple quantize(const array& w, std::optional<int> group_size, std::optional<int> bits,
                   const std::string& mode, StreamOrDevice s) {
  return as_tuple(lazuli::quantize(w, group_size, bits, mode, s));
}

array dequantize(const array& w, const array& scales, const std::optional<array>& biases,
                 std::optional<int> group_size, std::optional<int> bits, const std::string& mode,
                 OptionalDtype dtype, StreamOrDevice s) {
  array result = lazuli::dequantize(w, scales, biases, group_size, bits, mode, s);
  return dtype ? astype(result, *dtype, s) : result;
}

array rope(const array& a, int dims, bool traditional, std::optional<float> base, float scale,
           nb::handle offset, const std::optional<array>& freqs, StreamOrDevice s) {
  if (is_array(offset.ptr())) {
    return fast::rope(a, dims, traditional, base, scale, value_of(offset.ptr()), freqs, s);
  }
  return fast::rope(a, dims, traditional, base, scale, load_argument<int>(offset, "rope", "offset"),
                    freqs, s);
}

array scaled_dot_product_attention(const array& q, const array& k, const array& v, float scale,
                                   nb::handle mask, const std::optional<array>& sinks,
                                   bool force_fused, StreamOrDevice s) {
  std::string mode;
  std::optional<array> values;
  if (is_array(mask.ptr())) {
    values = value_of(mask.ptr());
    mode = "array";
  } else if (PyUnicode_Check(mask.ptr())) {
    mode = nb::cast<std::string>(mask);
    if (mode != "causal") {
      throw ArgumentError("[scaled_dot_product_attention] The mask '" + mode +
                          "' is neither 'causal' nor an array.");
    }
  } else if (!mask.is_none()) {
    raise(PyExc_TypeError, "[scaled_dot_product_attention] A mask is None, 'causal' or an array.");
  }
  return fast::scaled_dot_product_attention(q, k, v, scale, mode, values, sinks, force_fused, s);
}

}  // namespace lazuli::python::adapters
