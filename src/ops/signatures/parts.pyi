"""Arrays put together, taken apart and repeated."""

includes = ["lazuli/small_vector.h"]


@c("mlx_concatenate_axis")
@alias("concat")
@adapter("concatenate")
@cpp("array concatenate(std::vector<array> arrays, int axis = 0)")
def concatenate(
    arrays: Sequence[array],
    axis: int | None = 0,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Arrays one after the other along an axis; without an axis (None) all are flattened.

    Shape: that of the arrays, with the sum of their extents along the axis.
    Dtype: that which the arrays promote to.
    Errors: IndexError if the axis is out of range; ValueError if other extents differ, or there is
    no array.
    Source: Python array API standard 2023.12, concat.

    >>> mx.concatenate([mx.array([1, 2]), mx.array([3])])
    array([1, 2, 3], dtype=int32)
    """


@c("mlx_stack_axis")
@cpp("array stack(const std::vector<array>& arrays, int axis = 0)")
def stack(
    arrays: Sequence[array],
    axis: int | None = 0,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Arrays of one shape along a new axis, in this place of the result.

    Shape: that of the arrays, with their number as the extent of the new axis.
    Dtype: that which the arrays promote to.
    Errors: IndexError if the axis is out of range; ValueError if shapes differ, or there is no array.
    Source: Python array API standard 2023.12, stack.

    >>> mx.stack([mx.array([1, 2]), mx.array([3, 4])])
    array([[1, 2],
           [3, 4]], dtype=int32)
    """


@c("mlx_split", "mlx_split_sections")
@method
@adapter("split")
@cpp(
    "std::vector<array> split(const array& a, int num_splits, int axis = 0)",
    "std::vector<array> split(const array& a, const Shape& indices, int axis = 0)",
)
def split(
    a: array,
    indices_or_sections: int | Sequence[int],
    axis: int = 0,
    *,
    stream: StreamOrDevice = None,
) -> list[array]:
    """The array cut along an axis: into so many equal parts, or in front of these indices.

    Shape: that of a with the length of the part along the axis.
    Dtype: that of a.
    Errors: IndexError if the axis is out of range; ValueError if equal parts do not fit.
    Source: NumPy 2, split.

    >>> mx.split(mx.array([1, 2, 3, 4]), [1, 3])
    [array([1], dtype=int32), array([2, 3], dtype=int32), array([4], dtype=int32)]
    """


@c("mlx_unstack_axis")
@adapter("unstack")
@cpp("std::vector<array> unstack(const array& a, int axis = 0)")
def unstack(x: array, *, axis: int = 0, stream: StreamOrDevice = None) -> tuple[array, ...]:
    """The slices along an axis, without it.

    Shape: that of x without the axis.
    Dtype: that of x.
    Errors: IndexError if the axis is out of range.
    Source: Python array API standard 2023.12, unstack.

    >>> mx.unstack(mx.array([[1, 2], [3, 4]]))
    (array([1, 2], dtype=int32), array([3, 4], dtype=int32))
    """


@adapter("repeat")
@cpp(
    "array repeat(const array& a, int repeats, int axis)",
    "array repeat(const array& a, int repeats)",
)
def repeat(
    array: array,
    repeats: int,
    axis: int | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Each element so many times along the axis; without an axis (None) of the flattened array.

    Shape: that of the array with repeats times the extent of the axis.
    Dtype: that of the array.
    Errors: IndexError if the axis is out of range; ValueError if repeats is negative.
    Source: Python array API standard 2023.12, repeat.

    >>> mx.repeat(mx.array([1, 2]), 2)
    array([1, 1, 2, 2], dtype=int32)
    """


@adapter("tile")
@cpp("array tile(const array& a, std::vector<int> reps)")
def tile(a: array, reps: int | Sequence[int], *, stream: StreamOrDevice = None) -> array:
    """The whole array so many times along each axis, counted from the last.

    Shape: the extents of a times reps.
    Dtype: that of a.
    Errors: ValueError if a number is negative.
    Source: Python array API standard 2023.12, tile.

    >>> mx.tile(mx.array([1, 2]), (2, 2))
    array([[1, 2, 1, 2],
           [1, 2, 1, 2]], dtype=int32)
    """


@c("mlx_roll_axes")
@adapter("roll")
@cpp(
    "array roll(const array& a, const Shape& shift, const std::vector<int>& axes)",
    "array roll(const array& a, int shift, int axis)",
)
def roll(
    a: array,
    shift: int | Sequence[int],
    axis: int | Sequence[int] | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The elements moved along the axes by shift places, round the end to the beginning.
    Without an axis (None) the flattened array is rolled and takes its shape again.

    Shape: that of a.
    Dtype: that of a.
    Errors: IndexError if an axis is out of range; ValueError if shifts and axes differ in number.
    Source: Python array API standard 2023.12, roll.

    >>> mx.roll(mx.array([1, 2, 3]), 1)
    array([3, 1, 2], dtype=int32)
    """


@adapter("pad")
@cpp(
    "array pad(const array& a, const std::vector<int>& axes, const Shape& low, const Shape& high,\n"
    "          const array& value = array(0), const std::string& mode = \"constant\",\n"
    "          StreamOrDevice s = {})",
    "array pad(const array& a, const std::vector<std::pair<int, int>>& widths,\n"
    "          const array& value = array(0), const std::string& mode = \"constant\",\n"
    "          StreamOrDevice s = {})",
)
def pad(
    a: array,
    pad_width: int | tuple[int] | tuple[int, int] | list[tuple[int, int]],
    mode: str = "constant",
    constant_values: scalar | array = 0,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The array with elements added before and after it along each axis. The width is one number,
    (before, after) for all axes, or a pair for each axis; mode is "constant" or "edge".

    Shape: that of a with both widths added.
    Dtype: that of a.
    Errors: ValueError if a width is negative, the number of pairs differs, or the mode is unknown.
    Source: NumPy 2, pad.

    >>> mx.pad(mx.array([1, 2]), (1, 2))
    array([0, 1, 2, 0, 0], dtype=int32)
    """


@adapter("meshgrid")
@cpp("std::vector<array> meshgrid(const std::vector<array>& arrays, bool sparse = false, "
     "const std::string& indexing = \"xy\")")
def meshgrid(
    *arrays: array,
    sparse: bool | None = False,
    indexing: str | None = "xy",
    stream: StreamOrDevice = None,
) -> tuple[array, ...]:
    """Coordinates of the points of a grid: array i of the result holds coordinate i of each point.
    With "xy" the first two axes are swapped; sparse leaves out what broadcasts.

    Shape: the lengths of the arrays; if sparse, 1 but for the own axis.
    Dtype: those of the arrays.
    Errors: ValueError if an array has more than one dimension, or indexing is neither "xy" nor "ij".
    Source: Python array API standard 2023.12, meshgrid.

    >>> mx.meshgrid(mx.array([1, 2]), mx.array([3, 4]))[0]
    array([[1, 2],
           [1, 2]], dtype=int32)
    """


@adapter("atleast_1d")
@cpp("array atleast_1d(const array& a)",
     "std::vector<array> atleast_1d(const std::vector<array>& a)")
def atleast_1d(*arys: array, stream: StreamOrDevice = None) -> Any:
    """The arrays with at least one dimension: a scalar becomes [1]. A list of more than one array.

    Shape: that of each, or [1].
    Dtype: those of the arrays.
    Errors: TypeError for what is no array.
    Source: NumPy 2, atleast_1d.

    >>> mx.atleast_1d(mx.array(3))
    array([3], dtype=int32)
    """


@adapter("atleast_2d")
@cpp("array atleast_2d(const array& a)",
     "std::vector<array> atleast_2d(const std::vector<array>& a)")
def atleast_2d(*arys: array, stream: StreamOrDevice = None) -> Any:
    """The arrays with at least two dimensions, new ones in front. A list of more than one array.

    Shape: that of each with 1 in front as needed.
    Dtype: those of the arrays.
    Errors: TypeError for what is no array.
    Source: NumPy 2, atleast_2d.

    >>> mx.atleast_2d(mx.array([1, 2]))
    array([[1, 2]], dtype=int32)
    """


@adapter("atleast_3d")
@cpp("array atleast_3d(const array& a)",
     "std::vector<array> atleast_3d(const std::vector<array>& a)")
def atleast_3d(*arys: array, stream: StreamOrDevice = None) -> Any:
    """The arrays with at least three dimensions: [N] becomes [1, N, 1], [M, N] becomes [M, N, 1].
    A list of more than one array.

    Shape: as said.
    Dtype: those of the arrays.
    Errors: TypeError for what is no array.
    Source: NumPy 2, atleast_3d.

    >>> mx.atleast_3d(mx.array([1, 2])).shape
    (1, 2, 1)
    """


@c("mlx_depends")
@adapter("depends")
@cpp("std::vector<array> depends(const std::vector<array>& inputs, "
     "const std::vector<array>& dependencies)")
def depends(
    inputs: array | Sequence[array],
    dependencies: array | Sequence[array],
) -> Any:
    """The inputs, whose values are not there before those of the dependencies are.

    Shape: those of the inputs.
    Dtype: those of the inputs.
    Errors: TypeError for what is no array.
    Source: MLX 0.32, depends.

    >>> mx.depends(mx.array([1, 2]), mx.array(3))
    array([1, 2], dtype=int32)
    """
