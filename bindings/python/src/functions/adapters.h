// Functions that rows of src/ops/signatures name with @adapter: what their types alone do not say.
// Each is bound as it stands; errors are those of the function it is named after.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "array/casters.h"
#include "functions/number.h"

namespace lazuli::python::adapters {

using OptionalDtype = std::optional<Dtype>;

// creation.cpp
array arange(Number start, Number stop, std::optional<Number> step, OptionalDtype dtype,
             StreamOrDevice s);
array arange_to(Number stop, std::optional<Number> step, OptionalDtype dtype, StreamOrDevice s);
array linspace(Number start, Number stop, std::optional<int> num, bool endpoint,
               OptionalDtype dtype, StreamOrDevice s);
array full(const Extents& shape, const Operand& values, OptionalDtype dtype, StreamOrDevice s);
array full_like(const array& a, const Operand& values, OptionalDtype dtype, StreamOrDevice s);
array zeros_like(const array& a, OptionalDtype dtype, StreamOrDevice s);
array ones_like(const array& a, OptionalDtype dtype, StreamOrDevice s);
array eye(int n, std::optional<int> m, int k, OptionalDtype dtype, StreamOrDevice s);
array tri(int n, std::optional<int> m, int k, OptionalDtype dtype, StreamOrDevice s);

// choosing.cpp
array where(const Operand& condition, const Operand& x, const Operand& y, StreamOrDevice s);
array clip(const array& a, std::optional<Operand> low, std::optional<Operand> high,
           StreamOrDevice s);
array array_equal(const Operand& a, const Operand& b, bool equal_nan, StreamOrDevice s);
array put_along_axis(const array& a, const array& indices, const array& values,
                     std::optional<int> axis, StreamOrDevice s);

// shaping.cpp
array reshape_to(const array& a, const nb::args& shape, StreamOrDevice s);
array transpose_to(const array& a, const nb::args& axes, StreamOrDevice s);
array matrix_transpose(const array& a, StreamOrDevice s);
std::vector<array> broadcast_arrays(const nb::args& arrays, StreamOrDevice s);
Shape broadcast_shapes(const nb::args& shapes);
array as_strided(const array& a, std::optional<Shape> shape, std::optional<Shape> strides,
                 size_t offset, StreamOrDevice s);

// parts.cpp
array concatenate(std::vector<array> arrays, std::optional<int> axis, StreamOrDevice s);
std::vector<array> split(const array& a, const nb::object& sections, int axis, StreamOrDevice s);
nb::tuple unstack(const array& x, int axis, StreamOrDevice s);
array repeat(const array& a, int repeats, std::optional<int> axis, StreamOrDevice s);
array tile(const array& a, const Extents& repeats, StreamOrDevice s);
array roll(const array& a, const Extents& shift, const Axes& axes, StreamOrDevice s);
array pad(const array& a, nb::handle widths, const std::string& mode, const Operand& value,
          StreamOrDevice s);
nb::tuple meshgrid(const nb::args& arrays, std::optional<bool> sparse,
                   std::optional<std::string> indexing, StreamOrDevice s);
nb::object atleast_1d(const nb::args& arrays, StreamOrDevice s);
nb::object atleast_2d(const nb::args& arrays, StreamOrDevice s);
nb::object atleast_3d(const nb::args& arrays, StreamOrDevice s);
nb::object depends(nb::handle inputs, nb::handle dependencies);

// products.cpp
array tensordot(const array& a, const array& b, nb::handle axes, StreamOrDevice s);
array einsum(const std::string& subscripts, const nb::args& operands, StreamOrDevice s);
array trace(const array& a, int offset, int axis1, int axis2, OptionalDtype dtype,
            StreamOrDevice s);
array norm(const array& a, nb::handle ord, const Axes& axes, bool keepdims, StreamOrDevice s);
nb::tuple quantize(const array& w, std::optional<int> group_size, std::optional<int> bits,
                   const std::string& mode, StreamOrDevice s);
array dequantize(const array& w, const array& scales, const std::optional<array>& biases,
                 std::optional<int> group_size, std::optional<int> bits, const std::string& mode,
                 OptionalDtype dtype, StreamOrDevice s);
array rope(const array& a, int dims, bool traditional, std::optional<float> base, float scale,
           nb::handle offset, const std::optional<array>& freqs, StreamOrDevice s);
array scaled_dot_product_attention(const array& q, const array& k, const array& v, float scale,
                                   nb::handle mask, const std::optional<array>& sinks,
                                   bool force_fused, StreamOrDevice s);

// random.cpp
using Key = std::optional<array>;
array truncated_normal(const Operand& lower, const Operand& upper, std::optional<Shape> shape,
                       OptionalDtype dtype, const Key& key, StreamOrDevice s);
array bernoulli(const Operand& p, std::optional<Shape> shape, const Key& key, StreamOrDevice s);
array categorical(const array& logits, int axis, std::optional<Shape> shape,
                  std::optional<int> num_samples, const Key& key, StreamOrDevice s);
array permutation(nb::handle x, int axis, const Key& key, StreamOrDevice s);

}  // namespace lazuli::python::adapters
