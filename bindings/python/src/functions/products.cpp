// Products, quantisation, and the building blocks of models in `fast`.
#include "array/casters.h"
#include "lazuli/fast.h"
#include "lazuli/ops.h"
#include "registry.h"

namespace lazuli::python {
namespace {

using Product = array (*)(const array&, const array&, StreamOrDevice);
constexpr std::pair<const char*, Product> products[] = {
    {"matmul", &matmul}, {"outer", &outer}, {"inner", &inner}};

nb::tuple quantize_tuple(const array& w, std::optional<int> group_size, std::optional<int> bits,
                         const std::string& mode, StreamOrDevice s) {
  nb::list parts = nb::cast<nb::list>(nb::cast(quantize(w, group_size, bits, mode, s)));
  return nb::tuple(parts);
}

array dequantize_as(const array& w, const array& scales, const std::optional<array>& biases,
                    std::optional<int> group_size, std::optional<int> bits, const std::string& mode,
                    std::optional<Dtype> dtype, StreamOrDevice s) {
  array result = dequantize(w, scales, biases, group_size, bits, mode, s);
  return dtype ? astype(result, *dtype, s) : result;
}

array rotate(const array& a, int dims, bool traditional, std::optional<float> base, float scale,
             nb::handle offset, const std::optional<array>& freqs, StreamOrDevice s) {
  if (is_array(offset.ptr())) {
    return fast::rope(a, dims, traditional, base, scale, value_of(offset.ptr()), freqs, s);
  }
  return fast::rope(a, dims, traditional, base, scale, load_argument<int>(offset, "rope", "offset"),
                    freqs, s);
}

array attend(const array& q, const array& k, const array& v, float scale, nb::handle mask,
             const std::optional<array>& sinks, bool force_fused, StreamOrDevice s) {
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

}  // namespace

void register_products(nb::module_& m) {
  auto stream = nb::arg("stream") = nb::none();
  for (const auto& [name, function] : products) {
    m.def(name, function, nb::arg("a"), nb::arg("b"), nb::kw_only(), stream);
  }
  m.def("addmm", &addmm, nb::arg("c"), nb::arg("a"), nb::arg("b"), nb::arg("alpha") = 1.0f,
        nb::arg("beta") = 1.0f, nb::kw_only(), stream, "alpha * (a @ b) + beta * c.");
  auto size = nb::arg("group_size") = nb::none(), bits = nb::arg("bits") = nb::none();
  auto mode = nb::arg("mode") = "affine";
  m.def("quantize", &quantize_tuple, nb::arg("w"), size, bits, mode, nb::kw_only(), stream,
        "Packed integers, scales and biases of groups along the last axis.");
  m.def("dequantize", &dequantize_as, nb::arg("w"), nb::arg("scales"),
        nb::arg("biases") = nb::none(), size, bits, mode, nb::arg("dtype") = nb::none(),
        nb::kw_only(), stream);
  m.def("quantized_matmul", &quantized_matmul, nb::arg("x"), nb::arg("w"), nb::arg("scales"),
        nb::arg("biases") = nb::none(), nb::arg("transpose") = true, size, bits, mode,
        nb::kw_only(), stream);
}

void register_fast(nb::module_& module) {
  nb::module_ m = module.def_submodule("fast", "Building blocks of models.");
  auto stream = nb::arg("stream") = nb::none();
  m.def("rms_norm", &fast::rms_norm, nb::arg("x"), nb::arg("weight").none(), nb::arg("eps"),
        nb::kw_only(), stream, "x / sqrt(mean(x^2) + eps) * weight along the last axis.");
  m.def("layer_norm", &fast::layer_norm, nb::arg("x"), nb::arg("weight").none(),
        nb::arg("bias").none(), nb::arg("eps"), nb::kw_only(), stream);
  m.def("rope", &rotate, nb::arg("a"), nb::arg("dims"), nb::kw_only(), nb::arg("traditional"),
        nb::arg("base").none(), nb::arg("scale"), nb::arg("offset"), nb::arg("freqs") = nb::none(),
        stream, "Rotary position encoding.");
  m.def("scaled_dot_product_attention", &attend, nb::arg("q"), nb::arg("k"), nb::arg("v"),
        nb::kw_only(), nb::arg("scale"), nb::arg("mask") = nb::none(),
        nb::arg("sinks") = nb::none(), nb::arg("force_fused") = false, stream,
        "softmax(q k^T * scale + mask) v.");
}

}  // namespace lazuli::python
