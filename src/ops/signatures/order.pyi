"""Order: sorting and selecting."""


@cpp("array sort(const array& a, int axis = -1)", none_axis="flatten")
def sort(
    a: array,
    axis: int | None = -1,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The elements in rising order along the axis, NaN last.
    Without an axis (None) the flattened array is taken.

    Shape: that of a.
    Dtype: that of a.
    Errors: IndexError if the axis is out of range.
    Source: Python array API standard 2023.12, sort.

    >>> mx.sort(mx.array([3, 1, 2]))
    array([1, 2, 3], dtype=int32)
    """


@cpp("array argsort(const array& a, int axis = -1)", none_axis="flatten")
def argsort(
    a: array,
    axis: int | None = -1,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The positions that sort the elements along the axis; equal ones keep their order.
    Without an axis (None) the flattened array is taken.

    Shape: that of a.
    Dtype: uint32.
    Errors: IndexError if the axis is out of range.
    Source: Python array API standard 2023.12, argsort.

    >>> mx.argsort(mx.array([3, 1, 2]))
    array([1, 2, 0], dtype=uint32)
    """


@cpp("array partition(const array& a, int kth, int axis = -1)", none_axis="flatten")
def partition(
    a: array,
    kth: int,
    axis: int | None = -1,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The elements such that kth is in its sorted place, no larger before, no smaller after.
    Without an axis (None) the flattened array is taken.

    Shape: that of a.
    Dtype: that of a.
    Errors: IndexError if the axis is out of range; ValueError if kth lies outside of the axis.
    Source: Hoare, Algorithm 65: Find, 1961.

    >>> mx.partition(mx.array([3, 1, 2]), kth=1)[1]
    array(2, dtype=int32)
    """


@cpp("array argpartition(const array& a, int kth, int axis = -1)", none_axis="flatten")
def argpartition(
    a: array,
    kth: int,
    axis: int | None = -1,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The positions that partition the elements around kth along the axis.
    Without an axis (None) the flattened array is taken.

    Shape: that of a.
    Dtype: uint32.
    Errors: IndexError if the axis is out of range; ValueError if kth lies outside of the axis.
    Source: Hoare, Algorithm 65: Find, 1961.

    >>> mx.argpartition(mx.array([3, 1, 2]), kth=1)[1]
    array(2, dtype=uint32)
    """


@cpp("array topk(const array& a, int k, int axis = -1)", none_axis="flatten")
def topk(
    a: array,
    k: int,
    axis: int | None = -1,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The k largest elements along the axis, in no stated order.
    Without an axis (None) the flattened array is taken.

    Shape: that of a with k in place of the axis's extent.
    Dtype: that of a.
    Errors: IndexError if the axis is out of range; ValueError if k is not within the axis's extent.
    Source: Hoare, Algorithm 65: Find, 1961.

    >>> mx.sort(mx.topk(mx.array([3, 1, 2]), k=2))
    array([2, 3], dtype=int32)
    """


@cpp("array diff(const array& a, int n = 1, int axis = -1)")
def diff(a: array, n: int = 1, axis: int = -1, *, stream: StreamOrDevice = None) -> array:
    """Differences of neighbours along the axis, n times; of bool, whether they differ.

    Shape: that of a with n less along the axis, but not below 0.
    Dtype: that of a.
    Errors: IndexError if the axis is out of range; ValueError if n is negative.
    Source: Python array API standard 2024.12, diff.

    >>> mx.diff(mx.array([1, 4, 9]))
    array([3, 5], dtype=int32)
    """


@cpp(
    "array median(const array& a, const std::vector<int>& axes, bool keepdims = false)",
    "array median(const array& a, bool keepdims = false)",
)
def median(
    a: array,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The middle elements along the axes, or the means of the two; NaN if one is NaN. All axes by
    default.

    Shape: that of a without the reduced axes; with keepdims they stay with extent 1.
    Dtype: that of a; integers and bool give float32.
    Errors: IndexError if an axis is out of range; ValueError if an axis is named twice.
    Source: NumPy 2, median.

    >>> mx.median(mx.array([3, 1, 2, 10]))
    array(2.5, dtype=float32)
    """
