"""Products."""


@cpp("array matmul(const array& a, const array& b)")
def matmul(a: array, b: array, *, stream: StreamOrDevice = None) -> array:
    """The matrix product of the last two axes; the others broadcast. A vector in front is a row, one
    behind a column, and that axis is dropped.

    Shape: [..., M, N] of [..., M, K] and [..., K, N].
    Dtype: that which a and b promote to; integers and bool give float32.
    Errors: ValueError for scalars, if the inner extents differ, or the shapes do not broadcast.
    Source: Python array API standard 2023.12, matmul.

    >>> mx.matmul(mx.array([[1.0, 2.0], [3.0, 4.0]]), mx.array([1.0, 1.0]))
    array([3, 7], dtype=float32)
    """


@ops("matmul")
@cpp("array addmm(array c, array a, array b, float alpha = 1.0f, float beta = 1.0f)")
def addmm(
    c: array,
    a: array,
    b: array,
    alpha: float = 1.0,
    beta: float = 1.0,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """alpha (a @ b) + beta c.

    Shape: that of a @ b, to which c broadcasts.
    Dtype: that which a, b and c promote to; integers and bool give float32.
    Errors: ValueError as for matmul, or if c does not broadcast.
    Source: Lawson et al., Basic Linear Algebra Subprograms, 1979: GEMM.

    >>> mx.addmm(mx.array([1.0]), mx.array([[1.0, 2.0]]), mx.array([[3.0], [4.0]]))
    array([[12]], dtype=float32)
    """


@cpp("array outer(const array& a, const array& b)")
def outer(a: array, b: array, *, stream: StreamOrDevice = None) -> array:
    """Each element of a times each of b; both are flattened.

    Shape: [size of a, size of b].
    Dtype: that which a and b promote to.
    Errors: none.
    Source: NumPy 2, outer.

    >>> mx.outer(mx.array([1, 2]), mx.array([3, 4]))
    array([[3, 4],
           [6, 8]], dtype=int32)
    """


@ops("matmul")
@cpp("array inner(const array& a, const array& b)")
def inner(a: array, b: array, *, stream: StreamOrDevice = None) -> array:
    """Products summed over the last axes of both; a product by a scalar if one has no axes.

    Shape: the axes of a without the last, then those of b without the last.
    Dtype: that which a and b promote to; integers and bool give float32.
    Errors: ValueError if the last extents differ.
    Source: NumPy 2, inner.

    >>> mx.inner(mx.array([1.0, 2.0]), mx.array([3.0, 4.0]))
    array(11, dtype=float32)
    """


@cpp("array kron(const array& a, const array& b)")
def kron(a: array, b: array, *, stream: StreamOrDevice = None) -> array:
    """Each element of a times all of b, in its place.

    Shape: the products of the extents, counted from the last.
    Dtype: that which a and b promote to.
    Errors: none.
    Source: NumPy 2, kron.

    >>> mx.kron(mx.array([1, 2]), mx.array([10, 20]))
    array([10, 20, 20, 40], dtype=int32)
    """


@ops("matmul")
@adapter("tensordot")
@cpp("array tensordot(const array& a, const array& b, int axis = 2)",
     "array tensordot(const array& a, const array& b, const std::vector<int>& axes_a, "
     "const std::vector<int>& axes_b)")
def tensordot(
    a: array,
    b: array,
    axes: int | list[Sequence[int]] = 2,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Products summed over the last axes of a and the first of b, or over pairs of axes.

    Shape: the axes of a that are left, then those of b.
    Dtype: that which a and b promote to; integers and bool give float32.
    Errors: ValueError if extents differ, or there are not so many axes.
    Source: Python array API standard 2023.12, tensordot.

    >>> mx.tensordot(mx.array([[1.0, 2.0]]), mx.array([[3.0], [4.0]]), axes=1)
    array([[11]], dtype=float32)
    """


@ops("matmul")
@adapter("einsum")
@cpp("array einsum(const std::string& subscripts, const std::vector<array>& operands)")
def einsum(
    subscripts: str,
    *operands: scalar | array,
    stream: StreamOrDevice = None,
) -> array:
    """Einstein summation: "ij,jk->ik" is a matrix product. Letters name axes, an ellipsis those that
    broadcast; without "->" the result has the letters that occur once, in alphabetical order.

    Shape: the extents of the letters behind "->".
    Dtype: that which the operands promote to.
    Errors: ValueError if the subscripts do not fit the operands, or extents differ.
    Source: NumPy 2, einsum.

    >>> mx.einsum("ij,j->i", mx.array([[1.0, 2.0], [3.0, 4.0]]), mx.array([1.0, 1.0]))
    array([3, 7], dtype=float32)
    """


@cpp("array vecdot(const array& a, const array& b, int axis = -1)")
def vecdot(
    a: array,
    b: array,
    *,
    axis: int = -1,
    stream: StreamOrDevice = None,
) -> array:
    """Sums of conj(a) b along an axis.

    Shape: those of a and b, broadcast together, without the axis.
    Dtype: that which a and b promote to.
    Errors: IndexError if the axis is out of range; ValueError if the shapes do not fit.
    Source: Python array API standard 2023.12, vecdot.

    >>> mx.vecdot(mx.array([1.0, 2.0]), mx.array([3.0, 4.0]))
    array(11, dtype=float32)
    """


@c("mlx_trace_axes", "", "mlx_trace")
@adapter("trace")
@cpp("array trace(const array& a, int offset, int axis1, int axis2, Dtype dtype)",
     "array trace(const array& a, int offset, int axis1, int axis2)",
     "array trace(const array& a)")
def trace(
    a: array,
    offset: int = 0,
    axis1: int = 0,
    axis2: int = 1,
    dtype: Dtype | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Sums of the diagonals of two axes, offset elements to the right of the main one.

    Shape: that of a without the two axes.
    Dtype: dtype; by default that of a.
    Errors: IndexError if an axis is out of range; ValueError if both are the same.
    Source: Python array API standard 2023.12, linalg.trace.

    >>> mx.trace(mx.array([[1, 2], [3, 4]]))
    array(5, dtype=int32)
    """
