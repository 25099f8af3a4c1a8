"""Making arrays."""

prelude = "__extension__ typedef __int128 int128;"


@flat
@adapter("arange")
@cpp(
    "array arange(double start, double stop, double step, Dtype dtype)",
    "array arange(double start, double stop, double step)",
    "array arange(double start, double stop, Dtype dtype)",
    "array arange(double start, double stop)",
    "array arange(double stop, Dtype dtype)",
    "array arange(double stop)",
    "array arange(int start, int stop, int step)",
    "array arange(int start, int stop)",
    "array arange(int stop)",
    "// Of integers, exact in 64 bits.\n"
    "array integer_range(int128 start, int128 stop, int128 step, Dtype dtype,\n"
    "                    StreamOrDevice s = {})",
    "template <std::integral A, std::integral B, std::integral C>\n"
    "array arange(A start, B stop, C step, Dtype dtype, StreamOrDevice s = {}) {\n"
    "  return integer_range(start, stop, step, dtype, s);\n}",
    "template <std::integral A, std::integral B>\n"
    "array arange(A start, B stop, Dtype dtype, StreamOrDevice s = {}) {\n"
    "  return integer_range(start, stop, 1, dtype, s);\n}",
    "template <std::integral B>\n"
    "array arange(B stop, Dtype dtype, StreamOrDevice s = {}) {\n"
    "  return integer_range(0, stop, 1, dtype, s);\n}",
)
def arange(
    start: int | float,
    stop: int | float,
    step: int | float | None = None,
    dtype: Dtype | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Numbers from start to stop, without it, at distances of step; start is 0 and step 1 by default.

    Shape: [ceil((stop - start) / step)], [0] if that is negative.
    Dtype: dtype; by default int32 of integers (int64 if one does not fit), else float32.
    Errors: ValueError if step is 0, or a bound is not finite, or the range is too long.
    Source: Python array API standard 2023.12, arange.

    >>> mx.arange(1, 7, 2)
    array([1, 3, 5], dtype=int32)
    """


@overload
@adapter("arange_to")
def arange(
    stop: int | float,
    step: int | float | None = None,
    dtype: Dtype | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array: ...


@adapter("linspace")
@cpp("array linspace(double start, double stop, int num = 50, Dtype dtype = float32)")
def linspace(
    start: int | float,
    stop: int | float,
    num: int | None = 50,
    endpoint: bool = True,
    dtype: Dtype | None = float32,
    stream: StreamOrDevice = None,
) -> array:
    """Numbers at equal distances from start to stop, which is the last of them if endpoint is true.

    Shape: [num].
    Dtype: dtype.
    Errors: ValueError if num is negative.
    Source: Python array API standard 2023.12, linspace.

    >>> mx.linspace(0, 1, 5)
    array([0, 0.25, 0.5, 0.75, 1], dtype=float32)
    """


@adapter("full")
@cpp(
    "array full(Shape shape, array values, Dtype dtype)",
    "array full(Shape shape, array values)",
    "template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>\n"
    "array full(Shape shape, T value, Dtype dtype, StreamOrDevice s = {}) {\n"
    "  return full(std::move(shape), array(value, dtype), s);\n}",
    "template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>\n"
    "array full(Shape shape, T value, StreamOrDevice s = {}) {\n"
    "  return full(std::move(shape), array(value), s);\n}",
)
def full(
    shape: int | Sequence[int],
    vals: scalar | array,
    dtype: Dtype | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """An array of the shape, filled with values that broadcast to it.

    Shape: shape.
    Dtype: dtype; by default that of the values.
    Errors: ValueError if the values do not broadcast, or an integer does not fit the dtype.
    Source: Python array API standard 2023.12, full.

    >>> mx.full((2, 2), 7)
    array([[7, 7],
           [7, 7]], dtype=int32)
    """


@c("")
@adapter("full_like")
@cpp("array full_like(const array& a, array values)")
def full_like(
    a: array,
    vals: scalar | array,
    dtype: Dtype | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """An array of the shape of another, filled with values that broadcast to it.

    Shape: that of a.
    Dtype: dtype; by default that of a.
    Errors: ValueError if the values do not broadcast, or an integer does not fit the dtype.
    Source: Python array API standard 2023.12, full_like.

    >>> mx.full_like(mx.array([1.0, 2.0]), 7)
    array([7, 7], dtype=float32)
    """


@flat
@alias("empty")
@cpp("array zeros(const Shape& shape, Dtype dtype = float32)")
def zeros(
    shape: int | Sequence[int],
    dtype: Dtype | None = float32,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Zeros. `empty` is the same function: memory is never left as it was.

    Shape: shape.
    Dtype: dtype.
    Errors: ValueError if an extent is negative or there are too many elements.
    Source: Python array API standard 2023.12, zeros.

    >>> mx.zeros((2, 2))
    array([[0, 0],
           [0, 0]], dtype=float32)
    """


@flat
@cpp("array ones(const Shape& shape, Dtype dtype = float32)")
def ones(
    shape: int | Sequence[int],
    dtype: Dtype | None = float32,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Ones.

    Shape: shape.
    Dtype: dtype.
    Errors: ValueError if an extent is negative or there are too many elements.
    Source: Python array API standard 2023.12, ones.

    >>> mx.ones(3, mx.int32)
    array([1, 1, 1], dtype=int32)
    """


@flat
@alias("empty_like")
@adapter("zeros_like", noconvert="a")
@cpp("array zeros_like(const array& a)")
def zeros_like(
    a: array,
    dtype: Dtype | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Zeros of the shape of another array. `empty_like` is the same function.

    Shape: that of a.
    Dtype: dtype; by default that of a.
    Errors: TypeError if a is no array.
    Source: Python array API standard 2023.12, zeros_like.

    >>> mx.zeros_like(mx.array([1, 2]))
    array([0, 0], dtype=int32)
    """


@flat
@adapter("ones_like", noconvert="a")
@cpp("array ones_like(const array& a)")
def ones_like(
    a: array,
    dtype: Dtype | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Ones of the shape of another array.

    Shape: that of a.
    Dtype: dtype; by default that of a.
    Errors: TypeError if a is no array.
    Source: Python array API standard 2023.12, ones_like.

    >>> mx.ones_like(mx.array([1, 2]))
    array([1, 1], dtype=int32)
    """


@flat
@adapter("eye")
@cpp("array eye(int n, int m, int k, Dtype dtype)", "array eye(int n)")
def eye(
    n: int,
    m: int | None = None,
    k: int = 0,
    dtype: Dtype | None = float32,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Ones on the k-th diagonal, counted from the main one to the right, and zeros elsewhere.

    Shape: [n, m]; m is n by default.
    Dtype: dtype.
    Errors: ValueError if n or m is negative.
    Source: Python array API standard 2023.12, eye.

    >>> mx.eye(2, 3, k=1)
    array([[0, 1, 0],
           [0, 0, 1]], dtype=float32)
    """


@flat
@cpp("array identity(int n, Dtype dtype = float32)")
def identity(
    n: int,
    dtype: Dtype | None = float32,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Ones on the main diagonal of a square matrix and zeros elsewhere.

    Shape: [n, n].
    Dtype: dtype.
    Errors: ValueError if n is negative.
    Source: NumPy 2, identity.

    >>> mx.identity(2)
    array([[1, 0],
           [0, 1]], dtype=float32)
    """


@flat
@adapter("tri")
@cpp("array tri(int n, int m, int k, Dtype dtype)")
def tri(
    n: int,
    m: int | None = None,
    k: int = 0,
    dtype: Dtype | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Ones on and below the k-th diagonal, zeros above.

    Shape: [n, m]; m is n by default.
    Dtype: dtype; by default float32.
    Errors: ValueError if n or m is negative.
    Source: NumPy 2, tri.

    >>> mx.tri(2, 3)
    array([[1, 0, 0],
           [1, 1, 0]], dtype=float32)
    """


@cpp("array tril(array x, int k = 0)")
def tril(x: array, k: int = 0, *, stream: StreamOrDevice = None) -> array:
    """The elements on and below the k-th diagonal of the last two axes, zeros above.

    Shape: that of x.
    Dtype: that of x.
    Errors: ValueError if x has fewer than 2 dimensions.
    Source: Python array API standard 2023.12, tril.

    >>> mx.tril(mx.array([[1, 2], [3, 4]]))
    array([[1, 0],
           [3, 4]], dtype=int32)
    """


@cpp("array triu(array x, int k = 0)")
def triu(x: array, k: int = 0, *, stream: StreamOrDevice = None) -> array:
    """The elements on and above the k-th diagonal of the last two axes, zeros below.

    Shape: that of x.
    Dtype: that of x.
    Errors: ValueError if x has fewer than 2 dimensions.
    Source: Python array API standard 2023.12, triu.

    >>> mx.triu(mx.array([[1, 2], [3, 4]]))
    array([[1, 2],
           [0, 4]], dtype=int32)
    """


@flat
@cpp("array hanning(int size)")
def hanning(M: int, *, stream: StreamOrDevice = None) -> array:
    """A symmetric Hann window: 0.5 - 0.5 cos(2 pi n / (M - 1)).

    Shape: [M]; [0] if M is less than 1.
    Dtype: float32.
    Errors: none.
    Source: Blackman and Tukey, The Measurement of Power Spectra, 1958.

    >>> mx.hanning(3)
    array([0, 1, 0], dtype=float32)
    """


@flat
@cpp("array hamming(int size)")
def hamming(M: int, *, stream: StreamOrDevice = None) -> array:
    """A symmetric Hamming window: 0.54 - 0.46 cos(2 pi n / (M - 1)).

    Shape: [M]; [0] if M is less than 1.
    Dtype: float32.
    Errors: none.
    Source: Blackman and Tukey, The Measurement of Power Spectra, 1958.

    >>> mx.hamming(3)
    array([0.08, 1, 0.08], dtype=float32)
    """


@flat
@cpp("array blackman(int size)")
def blackman(M: int, *, stream: StreamOrDevice = None) -> array:
    """A symmetric Blackman window: 0.42 - 0.5 cos(2 pi n / (M - 1)) + 0.08 cos(4 pi n / (M - 1)).

    Shape: [M]; [0] if M is less than 1.
    Dtype: float32.
    Errors: none.
    Source: Blackman and Tukey, The Measurement of Power Spectra, 1958.

    >>> mx.blackman(3)[1]
    array(1, dtype=float32)
    """


@flat
@cpp("array bartlett(int size)")
def bartlett(M: int, *, stream: StreamOrDevice = None) -> array:
    """A symmetric Bartlett window: a triangle from 0 over 1 in the middle to 0.

    Shape: [M]; [0] if M is less than 1.
    Dtype: float32.
    Errors: none.
    Source: Bartlett, Periodogram Analysis and Continuous Spectra, 1950.

    >>> mx.bartlett(3)
    array([0, 1, 0], dtype=float32)
    """
