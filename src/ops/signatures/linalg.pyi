"""Linear algebra."""

module = "linalg"
namespace = "linalg"


@adapter("norm")
@cpp("array norm(const array& a, const std::optional<std::vector<int>>& axes = std::nullopt, "
     "bool keepdims = false)",
     "array norm(const array& a, double ord, "
     "const std::optional<std::vector<int>>& axes = std::nullopt, bool keepdims = false)",
     "array norm(const array& a, const std::string& ord, "
     "const std::optional<std::vector<int>>& axes = std::nullopt, bool keepdims = false)")
def norm(
    a: array,
    ord: int | float | str | None = None,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Norms over one axis (of vectors), two (of matrices: rows', columns'), or all. Without an order
    the 2-norm of vectors and the Frobenius norm of matrices; without axes too, of all elements.
    Vectors: (sum |x|^ord)^(1/ord), the largest (smallest) size for (minus) infinity, the number of
    elements that are not 0 for 0. Matrices: 1 and -1 for columns, plus and minus infinity for rows,
    "fro". Those by singular values (2, -2, "nuc") are not there yet.

    Shape: that of a without the axes; with keepdims they stay with extent 1.
    Dtype: that of a; integers and bool give float32, complex64 gives float32.
    Errors: ValueError for more than two axes, or a norm that is none of vectors or matrices.
    Source: Golub and Van Loan, Matrix Computations, 2.2 and 2.3.

    >>> mx.linalg.norm(mx.array([3.0, 4.0]))
    array(5, dtype=float32)
    """


@cpp("array cross(const array& a, const array& b, int axis = -1)")
def cross(a: array, b: array, axis: int = -1, *, stream: StreamOrDevice = None) -> array:
    """The vector product along an axis of 2 (the third element counts as 0) or 3 elements.

    Shape: those of a and b, broadcast together; without the axis if both have 2 elements.
    Dtype: that which a and b promote to.
    Errors: ValueError if the axis has neither 2 nor 3 elements, or the shapes do not broadcast.
    Source: Python array API standard 2023.12, linalg.cross.

    >>> mx.linalg.cross(mx.array([1, 0, 0]), mx.array([0, 1, 0]))
    array([0, 0, 1], dtype=int32)
    """
