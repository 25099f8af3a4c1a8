"""Reductions over axes and cumulative operations."""

@method
@cpp(
    "array all(const array& a, bool keepdims)",
    "array all(const array& a, const std::vector<int>& axes, bool keepdims = false)",
    "array all(const array& a, int axis, bool keepdims = false)",
    "inline array all(const array& a) { return all(a, false, s); }",
)
def all(
    a: array,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Whether all elements along the axes are true, that is, not 0. All axes by default.

    Shape: that of a without the reduced axes; with keepdims they stay with extent 1.
    Dtype: bool.
    Errors: IndexError if an axis is out of range; ValueError if an axis is named twice.
    Source: Python array API standard 2023.12, all.

    >>> mx.all(mx.array([[1, 0], [2, 3]]), axis=1)
    array([False, True], dtype=bool)
    """


@method
@cpp(
    "array any(const array& a, bool keepdims)",
    "array any(const array& a, const std::vector<int>& axes, bool keepdims = false)",
    "array any(const array& a, int axis, bool keepdims = false)",
    "inline array any(const array& a) { return any(a, false, s); }",
)
def any(
    a: array,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Whether an element along the axes is true, that is, not 0. All axes by default.

    Shape: that of a without the reduced axes; with keepdims they stay with extent 1.
    Dtype: bool.
    Errors: IndexError if an axis is out of range; ValueError if an axis is named twice.
    Source: Python array API standard 2023.12, any.

    >>> mx.any(mx.array([[0, 0], [0, 3]]), axis=1)
    array([False, True], dtype=bool)
    """


@method
@cpp(
    "array sum(const array& a, bool keepdims)",
    "array sum(const array& a, const std::vector<int>& axes, bool keepdims = false)",
    "array sum(const array& a, int axis, bool keepdims = false)",
    "inline array sum(const array& a) { return sum(a, false, s); }",
)
def sum(
    a: array,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The sums of the elements along the axes. All axes by default.

    Shape: that of a without the reduced axes; with keepdims they stay with extent 1.
    Dtype: that of a; bool and integers narrower than 32 bits give int32 or uint32.
    Errors: IndexError if an axis is out of range; ValueError if an axis is named twice.
    Source: Python array API standard 2023.12, sum.

    >>> mx.sum(mx.array([[1, 2], [3, 4]]), axis=0)
    array([4, 6], dtype=int32)
    """


@method
@cpp(
    "array prod(const array& a, bool keepdims)",
    "array prod(const array& a, const std::vector<int>& axes, bool keepdims = false)",
    "array prod(const array& a, int axis, bool keepdims = false)",
    "inline array prod(const array& a) { return prod(a, false, s); }",
)
def prod(
    a: array,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The products of the elements along the axes. All axes by default.

    Shape: that of a without the reduced axes; with keepdims they stay with extent 1.
    Dtype: that of a; bool and integers narrower than 32 bits give int32 or uint32.
    Errors: IndexError if an axis is out of range; ValueError if an axis is named twice.
    Source: Python array API standard 2023.12, prod.

    >>> mx.prod(mx.array([[1, 2], [3, 4]]), axis=0)
    array([3, 8], dtype=int32)
    """


@method
@cpp(
    "array max(const array& a, bool keepdims)",
    "array max(const array& a, const std::vector<int>& axes, bool keepdims = false)",
    "array max(const array& a, int axis, bool keepdims = false)",
    "inline array max(const array& a) { return max(a, false, s); }",
)
def max(
    a: array,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The largest elements along the axes; NaN if one is NaN. All axes by default.

    Shape: that of a without the reduced axes; with keepdims they stay with extent 1.
    Dtype: that of a.
    Errors: IndexError if an axis is out of range; ValueError if an axis is named twice or
    has no elements.
    Source: Python array API standard 2023.12, max.

    >>> mx.max(mx.array([[1, 2], [3, 4]]), axis=1)
    array([2, 4], dtype=int32)
    """


@method
@cpp(
    "array min(const array& a, bool keepdims)",
    "array min(const array& a, const std::vector<int>& axes, bool keepdims = false)",
    "array min(const array& a, int axis, bool keepdims = false)",
    "inline array min(const array& a) { return min(a, false, s); }",
)
def min(
    a: array,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The smallest elements along the axes; NaN if one is NaN. All axes by default.

    Shape: that of a without the reduced axes; with keepdims they stay with extent 1.
    Dtype: that of a.
    Errors: IndexError if an axis is out of range; ValueError if an axis is named twice or
    has no elements.
    Source: Python array API standard 2023.12, min.

    >>> mx.min(mx.array([[1, 2], [3, 4]]), axis=1)
    array([1, 3], dtype=int32)
    """


@method
@cpp(
    "array mean(const array& a, bool keepdims)",
    "array mean(const array& a, const std::vector<int>& axes, bool keepdims = false)",
    "array mean(const array& a, int axis, bool keepdims = false)",
    "inline array mean(const array& a) { return mean(a, false, s); }",
)
def mean(
    a: array,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The arithmetic means of the elements along the axes. All axes by default.

    Shape: that of a without the reduced axes; with keepdims they stay with extent 1.
    Dtype: that of a if floating point or complex, else float32.
    Errors: IndexError if an axis is out of range; ValueError if an axis is named twice.
    Source: Python array API standard 2023.12, mean.

    >>> mx.mean(mx.array([[1, 2], [3, 4]]), axis=1)
    array([1.5, 3.5], dtype=float32)
    """


@method
@cpp(
    "array logsumexp(const array& a, bool keepdims)",
    "array logsumexp(const array& a, const std::vector<int>& axes, bool keepdims = false)",
    "array logsumexp(const array& a, int axis, bool keepdims = false)",
    "inline array logsumexp(const array& a) { return logsumexp(a, false, s); }",
)
def logsumexp(
    a: array,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The logarithms of the sums of exponentials along the axes, with the largest element taken
    out first, so that no exponential overflows. All axes by default.

    Shape: that of a without the reduced axes; with keepdims they stay with extent 1.
    Dtype: that of a if floating point or complex, else float32.
    Errors: IndexError if an axis is out of range; ValueError if an axis is named twice.
    Source: Blanchard, Higham, Higham: Accurately computing the log-sum-exp function, 2021.

    >>> mx.logsumexp(mx.array([1000.0, 1000.0]))
    array(1000.69, dtype=float32)
    """


@flat
@cpp(
    "array count_nonzero(const array& a, bool keepdims)",
    "array count_nonzero(const array& a, const std::vector<int>& axes, bool keepdims = false)",
    "array count_nonzero(const array& a, int axis, bool keepdims = false)",
    "inline array count_nonzero(const array& a) { return count_nonzero(a, false, s); }",
)
def count_nonzero(
    a: array,
    *,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    stream: StreamOrDevice = None,
) -> array:
    """The number of elements along the axes that are not 0. All axes by default.

    Shape: that of a without the reduced axes; with keepdims they stay with extent 1.
    Dtype: int32.
    Errors: IndexError if an axis is out of range; ValueError if an axis is named twice.
    Source: Python array API standard 2024.12, count_nonzero.

    >>> mx.count_nonzero(mx.array([[0, 2], [3, 4]]), axis=1)
    array([1, 2], dtype=int32)
    """


@method(ddof="correction")
@cpp(
    "array var(const array& a, bool keepdims, int ddof = 0)",
    "array var(const array& a, const std::vector<int>& axes, bool keepdims = false, int ddof = 0)",
    "array var(const array& a, int axis, bool keepdims = false, int ddof = 0)",
)
def var(
    a: array,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    ddof: int = 0,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The variances along the axes; squares are summed and divided by n - ddof.
    All axes by default. The method also takes ddof by the array API's name, correction.

    Shape: that of a without the reduced axes; with keepdims they stay with extent 1.
    Dtype: that of a if floating point, else float32.
    Errors: IndexError if an axis is out of range; ValueError if an axis is named twice.
    Source: Python array API standard 2023.12, var.

    >>> mx.var(mx.array([[1.0, 3.0], [2.0, 6.0]]), axis=1)
    array([1, 4], dtype=float32)
    """


@method(ddof="correction")
@cpp(
    "array std(const array& a, bool keepdims, int ddof = 0)",
    "array std(const array& a, const std::vector<int>& axes, bool keepdims = false, int ddof = 0)",
    "array std(const array& a, int axis, bool keepdims = false, int ddof = 0)",
)
def std(
    a: array,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    ddof: int = 0,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The standard deviations along the axes; squares are summed and divided by n - ddof.
    All axes by default. The method also takes ddof by the array API's name, correction.

    Shape: that of a without the reduced axes; with keepdims they stay with extent 1.
    Dtype: that of a if floating point, else float32.
    Errors: IndexError if an axis is out of range; ValueError if an axis is named twice.
    Source: Python array API standard 2023.12, std.

    >>> mx.std(mx.array([[1.0, 3.0], [2.0, 6.0]]), axis=1)
    array([1, 2], dtype=float32)
    """


@method
@cpp(
    "array argmax(const array& a, bool keepdims)",
    "inline array argmax(const array& a) { return argmax(a, false, s); }",
    "array argmax(const array& a, int axis, bool keepdims = false)",
    none_axis="overload",
)
def argmax(
    a: array,
    axis: int | None = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The position of the largest element along the axis, the first of equal ones. Without an axis
    the position in the flattened array.

    Shape: that of a without the axis; with keepdims it stays with extent 1.
    Dtype: uint32.
    Errors: IndexError if the axis is out of range; ValueError if it has no elements.
    Source: Python array API standard 2023.12, argmax.

    >>> mx.argmax(mx.array([[3, 1, 2], [4, 6, 5]]), axis=1)
    array([0, 1], dtype=uint32)
    """


@method
@cpp(
    "array argmin(const array& a, bool keepdims)",
    "inline array argmin(const array& a) { return argmin(a, false, s); }",
    "array argmin(const array& a, int axis, bool keepdims = false)",
    none_axis="overload",
)
def argmin(
    a: array,
    axis: int | None = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The position of the smallest element along the axis, the first of equal ones. Without an axis
    the position in the flattened array.

    Shape: that of a without the axis; with keepdims it stays with extent 1.
    Dtype: uint32.
    Errors: IndexError if the axis is out of range; ValueError if it has no elements.
    Source: Python array API standard 2023.12, argmin.

    >>> mx.argmin(mx.array([[3, 1, 2], [4, 6, 5]]), axis=1)
    array([1, 0], dtype=uint32)
    """


@cpp(
    "array softmax(const array& a, const std::vector<int>& axes, bool precise = false)",
    "array softmax(const array& a, int axis, bool precise = false)",
    "array softmax(const array& a, bool precise = false)",
)
def softmax(
    a: array,
    axis: int | Sequence[int] | None = None,
    *,
    precise: bool = False,
    stream: StreamOrDevice = None,
) -> array:
    """Exponentials divided by their sum along the axes, with the largest element taken out first.
    All axes by default. With precise, halves are computed in float32.

    Shape: that of a.
    Dtype: that of a if floating point or complex, else float32.
    Errors: IndexError if an axis is out of range; ValueError if an axis is named
    twice.
    Source: Bridle, Training stochastic model recognition algorithms, NIPS 1989.

    >>> mx.softmax(mx.array([0.0, 0.0]))
    array([0.5, 0.5], dtype=float32)
    """


@method(without="dtype")
@alias("cumulative_sum")
@cpp(
    "array cumsum(const array& a, int axis, bool reverse = false, bool inclusive = true)",
    none_axis="flatten",
)
def cumsum(
    a: array,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    dtype: Dtype | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """The sums along the axis up to each element; of the flattened array if there is no
    axis. reverse runs from the end; without inclusive an element itself is left out.

    Shape: that of a; without an axis one axis of its size.
    Dtype: dtype, or that of a; bool and narrower integers give 32 bits, as sum.
    Errors: IndexError if the axis is out of range.
    Source: Python array API standard 2023.12, cumulative_sum.

    >>> mx.cumsum(mx.array([1, 2, 3]))
    array([1, 3, 6], dtype=int32)
    """


@method(without="dtype")
@alias("cumulative_prod")
@cpp(
    "array cumprod(const array& a, int axis, bool reverse = false, bool inclusive = true)",
    none_axis="flatten",
)
def cumprod(
    a: array,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    dtype: Dtype | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """The products along the axis up to each element; of the flattened array if there is no
    axis. reverse runs from the end; without inclusive an element itself is left out.

    Shape: that of a; without an axis one axis of its size.
    Dtype: dtype, or that of a; bool and narrower integers give 32 bits, as sum.
    Errors: IndexError if the axis is out of range.
    Source: Python array API standard 2024.12, cumulative_prod.

    >>> mx.cumprod(mx.array([2, 3, 4]), inclusive=False)
    array([1, 2, 6], dtype=int32)
    """


@method
@cpp(
    "array cummax(const array& a, int axis, bool reverse = false, bool inclusive = true)",
    none_axis="flatten",
)
def cummax(
    a: array,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    stream: StreamOrDevice = None,
) -> array:
    """The largest elements along the axis up to each element; of the flattened array if there
    is no axis. reverse runs from the end; without inclusive an element itself is left out.

    Shape: that of a; without an axis one axis of its size.
    Dtype: that of a.
    Errors: IndexError if the axis is out of range.
    Source: Blelloch, Prefix sums and their applications, 1990.

    >>> mx.cummax(mx.array([1, 3, 2]))
    array([1, 3, 3], dtype=int32)
    """


@method
@cpp(
    "array cummin(const array& a, int axis, bool reverse = false, bool inclusive = true)",
    none_axis="flatten",
)
def cummin(
    a: array,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    stream: StreamOrDevice = None,
) -> array:
    """The smallest elements along the axis up to each element; of the flattened array if there
    is no axis. reverse runs from the end; without inclusive an element itself is left out.

    Shape: that of a; without an axis one axis of its size.
    Dtype: that of a.
    Errors: IndexError if the axis is out of range.
    Source: Blelloch, Prefix sums and their applications, 1990.

    >>> mx.cummin(mx.array([3, 1, 2]))
    array([3, 1, 1], dtype=int32)
    """
