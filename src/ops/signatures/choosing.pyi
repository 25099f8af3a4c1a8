"""Choosing and comparing."""


@adapter("where")
@cpp("array where(const array& condition, const array& x, const array& y)")
def where(
    condition: scalar | array,
    x: scalar | array,
    y: scalar | array,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Elements of x where the condition holds, else of y.

    Shape: those of the three, broadcast together.
    Dtype: that which x and y promote to.
    Errors: ValueError if the shapes do not broadcast.
    Source: Python array API standard 2023.12, where.

    >>> mx.where(mx.array([True, False]), mx.array([1, 2]), 0)
    array([1, 0], dtype=int32)
    """


@adapter("clip")
@cpp("array clip(const array& a, const std::optional<array>& low = std::nullopt, "
     "const std::optional<array>& high = std::nullopt)")
def clip(
    a: array,
    a_min: scalar | array | None,
    a_max: scalar | array | None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Values brought between two bounds; None is no bound.

    Shape: those of a and the bounds, broadcast together.
    Dtype: that which a and the bounds promote to; numbers yield to that of a.
    Errors: ValueError if both bounds are None, or the shapes do not broadcast.
    Source: Python array API standard 2023.12, clip.

    >>> mx.clip(mx.array([-1, 3, 8]), 0, 5)
    array([0, 3, 5], dtype=int32)
    """


@cpp("array nan_to_num(const array& a, double nan = 0.0, "
     "std::optional<double> posinf = std::nullopt, std::optional<double> neginf = std::nullopt)")
def nan_to_num(
    a: array,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """NaN and infinities replaced by numbers; infinities by the largest finite ones by default.

    Shape: that of a.
    Dtype: that of a; integers and bool stay as they are.
    Errors: none.
    Source: NumPy 2, nan_to_num.

    >>> mx.nan_to_num(mx.array([1.0, mx.nan, mx.inf]), posinf=9.0)
    array([1, 0, 9], dtype=float32)
    """


@flat
@cpp("array isclose(const array& a, const array& b, double rtol = 1e-5, double atol = 1e-8, "
     "bool equal_nan = false)")
def isclose(
    a: array,
    b: array,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    *,
    equal_nan: bool = False,
    stream: StreamOrDevice = None,
) -> array:
    """Whether elements agree: |a - b| <= atol + rtol |b|. NaN agrees with NaN if equal_nan.

    Shape: those of a and b, broadcast together.
    Dtype: bool.
    Errors: ValueError if the shapes do not broadcast.
    Source: NumPy 2, isclose.

    >>> mx.isclose(mx.array([1.0, 2.0]), mx.array([1.000001, 2.1]))
    array([True, False], dtype=bool)
    """


@flat
@cpp("array allclose(const array& a, const array& b, double rtol = 1e-5, double atol = 1e-8, "
     "bool equal_nan = false)")
def allclose(
    a: array,
    b: array,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    *,
    equal_nan: bool = False,
    stream: StreamOrDevice = None,
) -> array:
    """Whether all elements agree as isclose has it.

    Shape: [].
    Dtype: bool.
    Errors: ValueError if the shapes do not broadcast.
    Source: NumPy 2, allclose.

    >>> mx.allclose(mx.array([1.0, 2.0]), mx.array([1.000001, 2.0]))
    array(True, dtype=bool)
    """


@flat
@adapter("array_equal")
@cpp("array array_equal(const array& a, const array& b, bool equal_nan = false)")
def array_equal(
    a: scalar | array,
    b: scalar | array,
    equal_nan: bool = False,
    stream: StreamOrDevice = None,
) -> array:
    """Whether shapes and all elements are equal. NaN equals NaN if equal_nan.

    Shape: [].
    Dtype: bool.
    Errors: none.
    Source: NumPy 2, array_equal.

    >>> mx.array_equal(mx.array([1, 2]), mx.array([1, 2]))
    array(True, dtype=bool)
    """
