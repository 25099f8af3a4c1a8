"""Indexing by arrays, and slices."""

includes = ["lazuli/small_vector.h"]


@cpp(
    "array take(const array& a, const array& indices, int axis)",
    "array take(const array& a, const array& indices)",
    none_axis="overload",
)
def take(
    a: array,
    indices: array,
    axis: int | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Slices by their index along the axis; without an axis (None) elements of the flattened array.
    Negative indices count from the end; those out of range give values that are not specified.

    Shape: that of a with the shape of the indices in place of the axis.
    Dtype: that of a.
    Errors: IndexError if the axis is out of range; ValueError if the indices are no integers.
    Source: Python array API standard 2023.12, take.

    >>> mx.take(mx.array([10, 20, 30]), mx.array([2, 0]))
    array([30, 10], dtype=int32)
    """


@c("mlx_take_along_axis")
@cpp("array take_along_axis(const array& a, const array& indices, int axis)",
     none_axis="flatten")
def take_along_axis(
    a: array,
    indices: array,
    axis: int | None = -1,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Elements whose place along the axis the indices say; in the other axes they keep theirs.
    Without an axis (None) the flattened array is taken.

    Shape: that of the indices, which broadcast with a in all other axes.
    Dtype: that of a.
    Errors: IndexError if the axis is out of range; ValueError if the numbers of dimensions differ.
    Source: Python array API standard 2024.12, take_along_axis.

    >>> mx.take_along_axis(mx.array([[3, 1], [2, 4]]), mx.array([[1], [0]]), axis=1)
    array([[1],
           [2]], dtype=int32)
    """


@adapter("put_along_axis")
@cpp("array put_along_axis(const array& a, const array& indices, const array& values, int axis)")
def put_along_axis(
    a: array,
    indices: array,
    values: array,
    axis: int | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The array with values put where the indices say along the axis; the array itself stays.
    Without an axis (None) the flattened array is meant, and the shape is that of a again.

    Shape: that of a.
    Dtype: that of a.
    Errors: IndexError if the axis is out of range; ValueError if the numbers of dimensions differ.
    Source: NumPy 2, put_along_axis.

    >>> mx.put_along_axis(mx.array([1, 2, 3]), mx.array([0]), mx.array([9]), axis=0)
    array([9, 2, 3], dtype=int32)
    """


@cpp_only
@cpp("array gather(const array& a, const std::vector<array>& indices, "
     "const std::vector<int>& axes, const Shape& slice_sizes)")
def gather(
    a: array,
    indices: Sequence[array],
    axes: Sequence[int],
    slice_sizes: Sequence[int],
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Slices of `slice_sizes` that begin where the indices, which broadcast together, say along the
    axes; along the others they begin at 0. The result has the shape of the indices, then that of
    the slices."""


@cpp_only
@cpp("array scatter_add_axis(const array& a, const array& indices, const array& values, int axis)")
def scatter_add_axis(
    a: array,
    indices: array,
    values: array,
    axis: int,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """`a` with values added where the indices say along the axis; places named twice add up."""


@cpp_only
@cpp("array scatter(const array& a, const std::vector<array>& indices, const array& updates, "
     "const std::vector<int>& axes)")
def scatter(
    a: array,
    indices: Sequence[array],
    updates: array,
    axes: Sequence[int],
    *,
    stream: StreamOrDevice = None,
) -> array:
    """`a` with slices replaced by updates: the shape of the indices, which broadcast together, then
    that of the slices, which begin where the indices say along the axes."""


@cpp_only
@cpp("array scatter_add(const array& a, const std::vector<array>& indices, "
     "const array& updates, const std::vector<int>& axes)")
def scatter_add(
    a: array,
    indices: Sequence[array],
    updates: array,
    axes: Sequence[int],
    *,
    stream: StreamOrDevice = None,
) -> array:
    """As scatter, with the updates added."""


@cpp_only
@cpp("array scatter_prod(const array& a, const std::vector<array>& indices, "
     "const array& updates, const std::vector<int>& axes)")
def scatter_prod(
    a: array,
    indices: Sequence[array],
    updates: array,
    axes: Sequence[int],
    *,
    stream: StreamOrDevice = None,
) -> array:
    """As scatter, multiplied by the updates."""


@cpp_only
@cpp("array scatter_max(const array& a, const std::vector<array>& indices, "
     "const array& updates, const std::vector<int>& axes)")
def scatter_max(
    a: array,
    indices: Sequence[array],
    updates: array,
    axes: Sequence[int],
    *,
    stream: StreamOrDevice = None,
) -> array:
    """As scatter, with the larger of element and update."""


@cpp_only
@cpp("array scatter_min(const array& a, const std::vector<array>& indices, "
     "const array& updates, const std::vector<int>& axes)")
def scatter_min(
    a: array,
    indices: Sequence[array],
    updates: array,
    axes: Sequence[int],
    *,
    stream: StreamOrDevice = None,
) -> array:
    """As scatter, with the smaller of element and update."""


@cpp_only
@cpp("array slice(const array& a, Shape start, Shape stop, Shape strides)",
     "array slice(const array& a, Shape start, Shape stop)")
def slice(
    a: array,
    start: Sequence[int],
    stop: Sequence[int],
    strides: Sequence[int],
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The elements from start to stop, without it, along each axis, as Python's slices: negative
    bounds count from the end, and strides may be negative."""


@cpp_only
@cpp("array slice_update(const array& src, const array& update, Shape start, Shape stop, "
     "Shape strides)",
     "array slice_update(const array& src, const array& update, Shape start, Shape stop)")
def slice_update(
    src: array,
    update: array,
    start: Sequence[int],
    stop: Sequence[int],
    strides: Sequence[int],
    *,
    stream: StreamOrDevice = None,
) -> array:
    """`src` with the slice replaced by `update`, which broadcasts to the slice's shape."""
