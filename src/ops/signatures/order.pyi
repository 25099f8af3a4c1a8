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
