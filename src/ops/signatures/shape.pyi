"""Shapes, dtypes and copies."""

includes = ["lazuli/small_vector.h"]


@method("self, dtype: Dtype, stream: StreamOrDevice = None")
@cpp("array astype(array a, Dtype dtype)")
def astype(a: array, dtype: Dtype, *, stream: StreamOrDevice = None) -> array:
    """The values in another dtype: floats become integers towards zero, numbers become bool by != 0.

    Shape: that of a.
    Dtype: dtype.
    Errors: none.
    Source: Python array API standard 2023.12, astype.

    >>> mx.astype(mx.array([1.7, -1.7]), mx.int32)
    array([1, -1], dtype=int32)
    """


@cpp_only
@cpp("array copy(array a)")
def copy(a: array, *, stream: StreamOrDevice = None) -> array:
    """The same values in memory of their own, row-contiguous."""


@cpp("array contiguous(const array& a, bool allow_col_major = false)")
def contiguous(
    a: array,
    allow_col_major: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The same values in row-major order without gaps, or with allow_col_major in column-major
    order if they already are. Copies only if needed.

    Shape: that of a.
    Dtype: that of a.
    Errors: none.
    Source: NumPy 2, ascontiguousarray.

    >>> mx.contiguous(mx.array([[1, 2], [3, 4]]).T)
    array([[1, 3],
           [2, 4]], dtype=int32)
    """


@flat
@cpp("array stop_gradient(const array& a)")
def stop_gradient(a: array, *, stream: StreamOrDevice = None) -> array:
    """The same values, through which no derivative flows.

    Shape: that of a.
    Dtype: that of a.
    Errors: none.
    Source: Griewank and Walther, Evaluating Derivatives, 2008: an inactive variable.

    >>> mx.grad(lambda x: x * mx.stop_gradient(x))(mx.array(3.0))
    array(3, dtype=float32)
    """


@method("self, *shape: int | Sequence[int], stream: StreamOrDevice = None", adapter="reshape_to")
@cpp("array reshape(const array& a, Shape shape)")
def reshape(a: array, shape: Sequence[int], *, stream: StreamOrDevice = None) -> array:
    """The elements in row-major order in another shape; one extent may be -1, for what is left.
    The method also takes the extents one by one.

    Shape: shape.
    Dtype: that of a.
    Errors: ValueError if the numbers of elements differ.
    Source: Python array API standard 2023.12, reshape.

    >>> mx.reshape(mx.arange(6), (2, -1))
    array([[0, 1, 2],
           [3, 4, 5]], dtype=int32)
    """


@method
@cpp("array flatten(const array& a, int start_axis, int end_axis = -1)",
     "array flatten(const array& a)")
def flatten(
    a: array,
    start_axis: int = 0,
    end_axis: int = -1,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The axes from start_axis to end_axis, both included, as one.

    Shape: that of a with the product of these extents in their place; [1] of a scalar.
    Dtype: that of a.
    Errors: IndexError if an axis is out of range; ValueError if start_axis lies behind end_axis.
    Source: PyTorch 2, flatten.

    >>> mx.flatten(mx.array([[1, 2], [3, 4]]))
    array([1, 2, 3, 4], dtype=int32)
    """


@cpp("array unflatten(const array& a, int axis, Shape shape)")
def unflatten(
    a: array,
    axis: int,
    shape: Sequence[int],
    *,
    stream: StreamOrDevice = None,
) -> array:
    """One axis as several; one extent may be -1, for what is left.

    Shape: that of a with the new extents in place of the axis's.
    Dtype: that of a.
    Errors: IndexError if the axis is out of range; ValueError if the numbers of elements differ.
    Source: PyTorch 2, unflatten.

    >>> mx.unflatten(mx.arange(4), 0, (2, -1))
    array([[0, 1],
           [2, 3]], dtype=int32)
    """


@method
@cpp(
    "array squeeze(const array& a, const std::vector<int>& axes)",
    "array squeeze(const array& a, int axis)",
    "array squeeze(const array& a)",
)
def squeeze(
    a: array,
    axis: int | Sequence[int] | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The array without axes of extent 1: those named, or all of them.

    Shape: that of a without these axes.
    Dtype: that of a.
    Errors: IndexError if an axis is out of range; ValueError if it is named twice or not of extent 1.
    Source: Python array API standard 2023.12, squeeze.

    >>> mx.squeeze(mx.array([[1, 2]]))
    array([1, 2], dtype=int32)
    """


@c("mlx_expand_dims_axes", "mlx_expand_dims")
@cpp(
    "array expand_dims(const array& a, const std::vector<int>& axes)",
    "array expand_dims(const array& a, int axis)",
)
def expand_dims(
    a: array,
    axis: int | Sequence[int],
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The array with new axes of extent 1 in these places of the result.

    Shape: that of a with the new axes.
    Dtype: that of a.
    Errors: IndexError if an axis is out of range; ValueError if it is named twice.
    Source: Python array API standard 2023.12, expand_dims.

    >>> mx.expand_dims(mx.array([1, 2]), 0)
    array([[1, 2]], dtype=int32)
    """


@method("self, *axes: int | Sequence[int], stream: StreamOrDevice = None", adapter="transpose_to")
@alias("permute_dims")
@cpp(
    "array transpose(const array& a, std::vector<int> axes)",
    "array transpose(const array& a)",
)
def transpose(
    a: array,
    axes: int | Sequence[int] | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The axes in another order, the opposite one by default; axes[i] becomes axis i.
    The method also takes the axes one by one.

    Shape: that of a in the new order.
    Dtype: that of a.
    Errors: IndexError if an axis is out of range; ValueError if one is missing or named twice.
    Source: Python array API standard 2023.12, permute_dims.

    >>> mx.transpose(mx.array([[1, 2], [3, 4]]))
    array([[1, 3],
           [2, 4]], dtype=int32)
    """


@adapter("matrix_transpose")
def matrix_transpose(a: array, *, stream: StreamOrDevice = None) -> array:
    """The last two axes swapped.

    Shape: [..., N, M] of a's [..., M, N].
    Dtype: that of a.
    Errors: ValueError if a has fewer than 2 dimensions.
    Source: Python array API standard 2023.12, matrix_transpose.

    >>> mx.matrix_transpose(mx.array([[1, 2], [3, 4]]))
    array([[1, 3],
           [2, 4]], dtype=int32)
    """


@method
@cpp("array swapaxes(const array& a, int axis1, int axis2)")
def swapaxes(a: array, axis1: int, axis2: int, *, stream: StreamOrDevice = None) -> array:
    """Two axes swapped.

    Shape: that of a with the two extents swapped.
    Dtype: that of a.
    Errors: IndexError if an axis is out of range.
    Source: NumPy 2, swapaxes.

    >>> mx.swapaxes(mx.zeros((2, 3, 4)), 0, 2).shape
    (4, 3, 2)
    """


@method
@cpp("array moveaxis(const array& a, int source, int destination)")
def moveaxis(a: array, source: int, destination: int, *, stream: StreamOrDevice = None) -> array:
    """One axis moved to another place; the others keep their order.

    Shape: that of a with the extent moved.
    Dtype: that of a.
    Errors: IndexError if an axis is out of range.
    Source: Python array API standard 2023.12, moveaxis.

    >>> mx.moveaxis(mx.zeros((2, 3, 4)), 0, 2).shape
    (3, 4, 2)
    """


@cpp("array broadcast_to(const array& a, const Shape& shape)")
def broadcast_to(
    a: scalar | array,
    shape: int | Sequence[int],
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The array repeated along axes of extent 1 and new leading axes, without a copy.

    Shape: shape.
    Dtype: that of a.
    Errors: ValueError if the shape of a does not broadcast to it.
    Source: Python array API standard 2023.12, broadcast_to.

    >>> mx.broadcast_to(mx.array([1, 2]), (2, 2))
    array([[1, 2],
           [1, 2]], dtype=int32)
    """


@adapter("broadcast_arrays")
@cpp("std::vector<array> broadcast_arrays(const std::vector<array>& inputs)")
def broadcast_arrays(*arrays: array, stream: StreamOrDevice = None) -> list[array]:
    """All arrays in the shape to which they broadcast together.

    Shape: that common shape.
    Dtype: those of the arrays.
    Errors: ValueError if the shapes do not broadcast; TypeError for what is no array.
    Source: Python array API standard 2023.12, broadcast_arrays.

    >>> mx.broadcast_arrays(mx.array([1, 2]), mx.array([[3], [4]]))[1]
    array([[3, 3],
           [4, 4]], dtype=int32)
    """


@flat
@adapter("broadcast_shapes")
@cpp("Shape broadcast_shapes(const Shape& a, const Shape& b)")
def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape to which arrays of these shapes broadcast together.

    Shape: of each axis, counted from the last, the extent that is not 1.
    Dtype: none.
    Errors: ValueError if two extents differ and neither is 1, or there is no shape.
    Source: Python array API standard 2023.12, broadcasting.

    >>> mx.broadcast_shapes((2, 1), (3,))
    (2, 3)
    """


@adapter("as_strided")
@cpp("array as_strided(array a, Shape shape, Strides strides, size_t offset)")
def as_strided(
    a: array,
    shape: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    offset: int = 0,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The elements of the row-contiguous array at offset + sum of index x stride, in elements.
    The shape is that of a by default, the strides those of a row-contiguous array.

    Shape: shape.
    Dtype: that of a.
    Errors: ValueError if an element lies outside of the array or the lengths differ.
    Source: NumPy 2, lib.stride_tricks.as_strided.

    >>> mx.as_strided(mx.arange(4), (3, 2), (1, 1))
    array([[0, 1],
           [1, 2],
           [2, 3]], dtype=int32)
    """


@cpp(
    "array flip(const array& a, const std::vector<int>& axes)",
    "array flip(const array& a, int axis)",
    "array flip(const array& a)",
)
def flip(
    a: array,
    axis: int | Sequence[int] | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The elements in opposite order along the axes, all of them by default.

    Shape: that of a.
    Dtype: that of a.
    Errors: IndexError if an axis is out of range; ValueError if it is named twice.
    Source: Python array API standard 2023.12, flip.

    >>> mx.flip(mx.array([1, 2, 3]))
    array([3, 2, 1], dtype=int32)
    """


@method
@cpp("array diag(const array& a, int k = 0)")
def diag(a: array, k: int = 0, *, stream: StreamOrDevice = None) -> array:
    """The k-th diagonal of a matrix, or the matrix with a vector on its k-th diagonal.

    Shape: [length of the diagonal] of a matrix; [n + |k|, n + |k|] of a vector of n elements.
    Dtype: that of a.
    Errors: ValueError if a has neither 1 nor 2 dimensions.
    Source: NumPy 2, diag.

    >>> mx.diag(mx.array([[1, 2], [3, 4]]))
    array([1, 4], dtype=int32)
    """


@method("self, offset: int = 0, axis1: int = 0, axis2: int = 1, stream: StreamOrDevice = None")
@cpp("array diagonal(const array& a, int offset = 0, int axis1 = 0, int axis2 = 1)")
def diagonal(
    a: array,
    offset: int = 0,
    axis1: int = 0,
    axis2: int = 1,
    stream: StreamOrDevice = None,
) -> array:
    """The diagonal of two axes, offset elements to the right of the main one, as the last axis.

    Shape: that of a without the two axes, and the length of the diagonal.
    Dtype: that of a.
    Errors: IndexError if an axis is out of range; ValueError if both are the same or a has fewer
    than 2 dimensions.
    Source: NumPy 2, diagonal.

    >>> mx.diagonal(mx.array([[1, 2], [3, 4]]))
    array([1, 4], dtype=int32)
    """
