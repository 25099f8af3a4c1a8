// Operations on arrays. Each records one or a few nodes and returns at once; shapes and dtypes are
// checked here, at the caller's line. Binary operations broadcast as NumPy does and promote dtypes
// with `promote_types`. Negative axes count from the end.
//
// Errors: ArgumentError for shapes and values that do not fit, IndexError for axes out of range.
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lazuli/array.h"
#include "lazuli/elementwise.h"
#include "lazuli/ops/order.h"
#include "lazuli/ops/reductions.h"

namespace lazuli {

// ---- Making arrays ------------------------------------------------------------------------------
array arange(double start, double stop, double step, Dtype dtype, StreamOrDevice s = {});
array arange(double start, double stop, double step, StreamOrDevice s = {});
array arange(double start, double stop, Dtype dtype, StreamOrDevice s = {});
array arange(double start, double stop, StreamOrDevice s = {});
array arange(double stop, Dtype dtype, StreamOrDevice s = {});
array arange(double stop, StreamOrDevice s = {});
array arange(int start, int stop, int step, StreamOrDevice s = {});
array arange(int start, int stop, StreamOrDevice s = {});
array arange(int stop, StreamOrDevice s = {});
// Of integers, exact in 64 bits.
__extension__ typedef __int128 int128;
array integer_range(int128 start, int128 stop, int128 step, Dtype dtype, StreamOrDevice s = {});
template <std::integral A, std::integral B, std::integral C>
array arange(A start, B stop, C step, Dtype dtype, StreamOrDevice s = {}) {
  return integer_range(start, stop, step, dtype, s);
}
template <std::integral A, std::integral B>
array arange(A start, B stop, Dtype dtype, StreamOrDevice s = {}) {
  return integer_range(start, stop, 1, dtype, s);
}
template <std::integral B>
array arange(B stop, Dtype dtype, StreamOrDevice s = {}) {
  return integer_range(0, stop, 1, dtype, s);
}
array linspace(double start, double stop, int num = 50, Dtype dtype = float32,
               StreamOrDevice s = {});
array full(Shape shape, array values, Dtype dtype, StreamOrDevice s = {});
array full(Shape shape, array values, StreamOrDevice s = {});
template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
array full(Shape shape, T value, Dtype dtype, StreamOrDevice s = {}) {
  return full(std::move(shape), array(value, dtype), s);
}
template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
array full(Shape shape, T value, StreamOrDevice s = {}) {
  return full(std::move(shape), array(value), s);
}
array zeros(const Shape& shape, Dtype dtype = float32, StreamOrDevice s = {});
array zeros_like(const array& a, StreamOrDevice s = {});
array ones(const Shape& shape, Dtype dtype = float32, StreamOrDevice s = {});
array ones_like(const array& a, StreamOrDevice s = {});
array full_like(const array& a, array values, StreamOrDevice s = {});
array eye(int n, int m, int k, Dtype dtype, StreamOrDevice s = {});
array eye(int n, StreamOrDevice s = {});
array identity(int n, Dtype dtype = float32, StreamOrDevice s = {});
// Windows of `size` elements, float32, symmetric.
array hanning(int size, StreamOrDevice s = {});
array hamming(int size, StreamOrDevice s = {});
array blackman(int size, StreamOrDevice s = {});
array bartlett(int size, StreamOrDevice s = {});
array tri(int n, int m, int k, Dtype dtype, StreamOrDevice s = {});
array tril(array x, int k = 0, StreamOrDevice s = {});
array triu(array x, int k = 0, StreamOrDevice s = {});

// ---- Dtype and copies ---------------------------------------------------------------------------
array astype(array a, Dtype dtype, StreamOrDevice s = {});
array copy(array a, StreamOrDevice s = {});
array contiguous(const array& a, bool allow_col_major = false, StreamOrDevice s = {});
array stop_gradient(const array& a, StreamOrDevice s = {});

// ---- Shape --------------------------------------------------------------------------------------
array reshape(const array& a, Shape shape, StreamOrDevice s = {});
array flatten(const array& a, int start_axis, int end_axis = -1, StreamOrDevice s = {});
array flatten(const array& a, StreamOrDevice s = {});
array unflatten(const array& a, int axis, Shape shape, StreamOrDevice s = {});
array squeeze(const array& a, const std::vector<int>& axes, StreamOrDevice s = {});
array squeeze(const array& a, int axis, StreamOrDevice s = {});
array squeeze(const array& a, StreamOrDevice s = {});
array expand_dims(const array& a, const std::vector<int>& axes, StreamOrDevice s = {});
array expand_dims(const array& a, int axis, StreamOrDevice s = {});
array transpose(const array& a, std::vector<int> axes, StreamOrDevice s = {});
array transpose(const array& a, StreamOrDevice s = {});
array swapaxes(const array& a, int axis1, int axis2, StreamOrDevice s = {});
array moveaxis(const array& a, int source, int destination, StreamOrDevice s = {});
array broadcast_to(const array& a, const Shape& shape, StreamOrDevice s = {});
std::vector<array> broadcast_arrays(const std::vector<array>& inputs, StreamOrDevice s = {});
Shape broadcast_shapes(const Shape& a, const Shape& b);
array as_strided(array a, Shape shape, Strides strides, size_t offset, StreamOrDevice s = {});
array flip(const array& a, const std::vector<int>& axes, StreamOrDevice s = {});
array flip(const array& a, int axis, StreamOrDevice s = {});
array flip(const array& a, StreamOrDevice s = {});
array slice(const array& a, Shape start, Shape stop, Shape strides, StreamOrDevice s = {});
array slice(const array& a, Shape start, Shape stop, StreamOrDevice s = {});
// `src` with the slice replaced by `update`, which broadcasts to the slice's shape.
array slice_update(const array& src, const array& update, Shape start, Shape stop, Shape strides,
                   StreamOrDevice s = {});
array slice_update(const array& src, const array& update, Shape start, Shape stop,
                   StreamOrDevice s = {});
array concatenate(std::vector<array> arrays, int axis = 0, StreamOrDevice s = {});
array stack(const std::vector<array>& arrays, int axis = 0, StreamOrDevice s = {});
std::vector<array> split(const array& a, int num_splits, int axis = 0, StreamOrDevice s = {});
std::vector<array> split(const array& a, const Shape& indices, int axis = 0, StreamOrDevice s = {});
std::vector<array> unstack(const array& a, int axis = 0, StreamOrDevice s = {});
// With axes of extent 1 in front, and one behind for three.
array atleast_1d(const array& a, StreamOrDevice s = {});
array atleast_2d(const array& a, StreamOrDevice s = {});
array atleast_3d(const array& a, StreamOrDevice s = {});
std::vector<array> atleast_1d(const std::vector<array>& a, StreamOrDevice s = {});
std::vector<array> atleast_2d(const std::vector<array>& a, StreamOrDevice s = {});
std::vector<array> atleast_3d(const std::vector<array>& a, StreamOrDevice s = {});
array repeat(const array& a, int repeats, int axis, StreamOrDevice s = {});
array repeat(const array& a, int repeats, StreamOrDevice s = {});
array tile(const array& a, std::vector<int> reps, StreamOrDevice s = {});
array roll(const array& a, const Shape& shift, const std::vector<int>& axes, StreamOrDevice s = {});
array roll(const array& a, int shift, int axis, StreamOrDevice s = {});
array pad(const array& a, const std::vector<int>& axes, const Shape& low, const Shape& high,
          const array& value = array(0), const std::string& mode = "constant",
          StreamOrDevice s = {});
array pad(const array& a, const std::vector<std::pair<int, int>>& widths,
          const array& value = array(0), const std::string& mode = "constant",
          StreamOrDevice s = {});
std::vector<array> meshgrid(const std::vector<array>& arrays, bool sparse = false,
                            const std::string& indexing = "xy", StreamOrDevice s = {});
array diagonal(const array& a, int offset = 0, int axis1 = 0, int axis2 = 1, StreamOrDevice s = {});
array diag(const array& a, int k = 0, StreamOrDevice s = {});

// ---- Choosing and comparing ---------------------------------------------------------------------
array where(const array& condition, const array& x, const array& y, StreamOrDevice s = {});
array clip(const array& a, const std::optional<array>& low = std::nullopt,
           const std::optional<array>& high = std::nullopt, StreamOrDevice s = {});
array nan_to_num(const array& a, double nan = 0.0, std::optional<double> posinf = std::nullopt,
                 std::optional<double> neginf = std::nullopt, StreamOrDevice s = {});
array isclose(const array& a, const array& b, double rtol = 1e-5, double atol = 1e-8,
              bool equal_nan = false, StreamOrDevice s = {});
array allclose(const array& a, const array& b, double rtol = 1e-5, double atol = 1e-8,
               bool equal_nan = false, StreamOrDevice s = {});
array array_equal(const array& a, const array& b, bool equal_nan = false, StreamOrDevice s = {});

// Differences of neighbours along an axis, n times; of booleans, whether they differ.
array diff(const array& a, int n = 1, int axis = -1, StreamOrDevice s = {});
// The middle element, or the mean of the two; NaN where there is one. In floats.
array median(const array& a, const std::vector<int>& axes, bool keepdims = false,
             StreamOrDevice s = {});
array median(const array& a, bool keepdims = false, StreamOrDevice s = {});

// ---- Indexing by arrays -------------------------------------------------------------------------
array gather(const array& a, const std::vector<array>& indices, const std::vector<int>& axes,
             const Shape& slice_sizes, StreamOrDevice s = {});
array take(const array& a, const array& indices, int axis, StreamOrDevice s = {});
array take(const array& a, const array& indices, StreamOrDevice s = {});
array take_along_axis(const array& a, const array& indices, int axis, StreamOrDevice s = {});
array put_along_axis(const array& a, const array& indices, const array& values, int axis,
                     StreamOrDevice s = {});
array scatter_add_axis(const array& a, const array& indices, const array& values, int axis,
                       StreamOrDevice s = {});
#define LAZULI_SCATTER(name)                                                          \
  array name(const array& a, const std::vector<array>& indices, const array& updates, \
             const std::vector<int>& axes, StreamOrDevice s = {});
LAZULI_SCATTER(scatter)
LAZULI_SCATTER(scatter_add)
LAZULI_SCATTER(scatter_prod)
LAZULI_SCATTER(scatter_max)
LAZULI_SCATTER(scatter_min)
#undef LAZULI_SCATTER

// ---- Products -----------------------------------------------------------------------------------
array matmul(const array& a, const array& b, StreamOrDevice s = {});
array addmm(array c, array a, array b, float alpha = 1.0f, float beta = 1.0f,
            StreamOrDevice s = {});
array outer(const array& a, const array& b, StreamOrDevice s = {});
array inner(const array& a, const array& b, StreamOrDevice s = {});

// [.., m, ..] and [.., n, ..] -> [.., m n, ..]: each element of a times all of b.
array kron(const array& a, const array& b, StreamOrDevice s = {});
// Products summed over the last `axis` axes of a and the first of b, or over pairs of axes.
array tensordot(const array& a, const array& b, int axis = 2, StreamOrDevice s = {});
array tensordot(const array& a, const array& b, const std::vector<int>& axes_a,
                const std::vector<int>& axes_b, StreamOrDevice s = {});
// Einstein summation: "ij,jk->ik" is a matrix product. Letters name axes, an ellipsis those that
// broadcast; without "->" the result has the letters that occur once, in alphabetical order.
array einsum(const std::string& subscripts, const std::vector<array>& operands,
             StreamOrDevice s = {});
// Sums of conj(a) b along an axis.
array vecdot(const array& a, const array& b, int axis = -1, StreamOrDevice s = {});
// Sums of diagonals.
array trace(const array& a, int offset, int axis1, int axis2, Dtype dtype, StreamOrDevice s = {});
array trace(const array& a, int offset, int axis1, int axis2, StreamOrDevice s = {});
array trace(const array& a, StreamOrDevice s = {});

// The inputs, which are not there before the dependencies are.
std::vector<array> depends(const std::vector<array>& inputs,
                           const std::vector<array>& dependencies);

// ---- Quantisation -------------------------------------------------------------------------------
// Affine: w ~ scale * q + bias for each group of `group_size` (32, 64, 128) along the last axis, q of
// `bits` bits, packed into uint32. Defaults: group 64, 4 bits.
//
// Products of float32 are accurate to float32, within 1e-6 of sum |x| |w|, whatever a row holds.
// Of halves, rows computed together and alone differ by at most a unit in the last place of the
// result and one of sqrt(sum x^2 w^2), its typical size.
std::vector<array> quantize(const array& w, std::optional<int> group_size = std::nullopt,
                            std::optional<int> bits = std::nullopt,
                            const std::string& mode = "affine", StreamOrDevice s = {});
array dequantize(const array& w, const array& scales, const std::optional<array>& biases,
                 std::optional<int> group_size = std::nullopt,
                 std::optional<int> bits = std::nullopt, const std::string& mode = "affine",
                 StreamOrDevice s = {});
array quantized_matmul(const array& x, const array& w, const array& scales,
                       const std::optional<array>& biases = std::nullopt, bool transpose = true,
                       std::optional<int> group_size = std::nullopt,
                       std::optional<int> bits = std::nullopt, const std::string& mode = "affine",
                       StreamOrDevice s = {});

}  // namespace lazuli
