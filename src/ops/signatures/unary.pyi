"""Elementwise functions of one array.
Summary, shape, dtype and errors of most come from their rows of src/ops/table/unary.def."""


@method
def abs(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, abs.

    >>> mx.abs(mx.array([-1.5, 2.0]))
    array([1.5, 2], dtype=float32)
    """


@alias("acos")
def arccos(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, acos.

    >>> mx.arccos(mx.array([1.0, 0.5]))
    array([0, 1.0472], dtype=float32)
    """


@alias("acosh")
def arccosh(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, acosh.

    >>> mx.arccosh(mx.array([1.0, 2.0]))
    array([0, 1.31696], dtype=float32)
    """


@alias("asin")
def arcsin(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, asin.

    >>> mx.arcsin(mx.array([0.0, 0.5]))
    array([0, 0.523599], dtype=float32)
    """


@alias("asinh")
def arcsinh(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, asinh.

    >>> mx.arcsinh(mx.array([0.0, 2.0]))
    array([0, 1.44364], dtype=float32)
    """


@alias("atan")
def arctan(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, atan.

    >>> mx.arctan(mx.array([0.0, 1.0]))
    array([0, 0.785398], dtype=float32)
    """


@alias("atanh")
def arctanh(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, atanh.

    >>> mx.arctanh(mx.array([0.0, 0.5]))
    array([0, 0.549306], dtype=float32)
    """


def bitwise_invert(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, bitwise_invert.

    >>> mx.bitwise_invert(mx.array([0, 5]))
    array([-1, -6], dtype=int32)
    """


def ceil(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, ceil.

    >>> mx.ceil(mx.array([-1.5, 1.2]))
    array([-1, 2], dtype=float32)
    """


@method(name="conj")
@alias("conj")
def conjugate(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, conj.

    >>> mx.conjugate(mx.array([1 + 2j]))
    array([1-2j], dtype=complex64)
    """


@method
def cos(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, cos.

    >>> mx.cos(mx.array([0.0, 1.0]))
    array([1, 0.540302], dtype=float32)
    """


def cosh(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, cosh.

    >>> mx.cosh(mx.array([0.0, 1.0]))
    array([1, 1.54308], dtype=float32)
    """


@cpp("array degrees(const array& a)")
def degrees(a: array, stream: StreamOrDevice = None) -> array:
    """Radians as degrees.

    Shape: that of a.
    Dtype: that of a; integers and bool give float32.
    Errors: ValueError for complex64.
    Source: NumPy 2, degrees.

    >>> mx.degrees(mx.array([0.0, 1.0]))
    array([0, 57.2958], dtype=float32)
    """


def erf(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Abramowitz and Stegun, 7.1.1.

    >>> mx.erf(mx.array([0.0, 0.5]))
    array([0, 0.5205], dtype=float32)
    """


def erfinv(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Giles, Approximating the erfinv function, 2011.

    >>> mx.erfinv(mx.array([0.0, 0.5]))
    array([0, 0.476936], dtype=float32)
    """


@method
def exp(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, exp.

    >>> mx.exp(mx.array([0.0, 1.0]))
    array([1, 2.71828], dtype=float32)
    """


def expm1(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, expm1.

    >>> mx.expm1(mx.array([0.0, 1e-6]))
    array([0, 1e-06], dtype=float32)
    """


def floor(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, floor.

    >>> mx.floor(mx.array([-1.5, 1.2]))
    array([-2, 1], dtype=float32)
    """


def imag(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, imag.

    >>> mx.imag(mx.array([1 + 2j]))
    array([2], dtype=float32)
    """


def isfinite(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, isfinite.

    >>> mx.isfinite(mx.array([1.0, mx.inf, mx.nan]))
    array([True, False, False], dtype=bool)
    """


def isinf(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, isinf.

    >>> mx.isinf(mx.array([1.0, mx.inf, mx.nan]))
    array([False, True, False], dtype=bool)
    """


def isnan(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, isnan.

    >>> mx.isnan(mx.array([1.0, mx.inf, mx.nan]))
    array([False, False, True], dtype=bool)
    """


def isneginf(a: array, stream: StreamOrDevice = None) -> array:
    """Source: NumPy 2, isneginf.

    >>> mx.isneginf(mx.array([-mx.inf, mx.inf]))
    array([True, False], dtype=bool)
    """


def isposinf(a: array, stream: StreamOrDevice = None) -> array:
    """Source: NumPy 2, isposinf.

    >>> mx.isposinf(mx.array([-mx.inf, mx.inf]))
    array([False, True], dtype=bool)
    """


@method
def log(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, log.

    >>> mx.log(mx.array([1.0, mx.e]))
    array([0, 1], dtype=float32)
    """


@method
def log10(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, log10.

    >>> mx.log10(mx.array([1.0, 100.0]))
    array([0, 2], dtype=float32)
    """


@method
def log1p(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, log1p.

    >>> mx.log1p(mx.array([0.0, 1e-6]))
    array([0, 1e-06], dtype=float32)
    """


@method
def log2(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, log2.

    >>> mx.log2(mx.array([1.0, 8.0]))
    array([0, 3], dtype=float32)
    """


def logical_not(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, logical_not.

    >>> mx.logical_not(mx.array([0, 1, 2]))
    array([True, False, False], dtype=bool)
    """


def negative(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, negative.

    >>> mx.negative(mx.array([1, -2]))
    array([-1, 2], dtype=int32)
    """


@cpp("array positive(const array& a)")
def positive(a: array, stream: StreamOrDevice = None) -> array:
    """The same values.

    Shape: that of a.
    Dtype: that of a.
    Errors: none.
    Source: Python array API standard 2023.12, positive.

    >>> mx.positive(mx.array([1, -2]))
    array([1, -2], dtype=int32)
    """


@cpp("array radians(const array& a)")
def radians(a: array, stream: StreamOrDevice = None) -> array:
    """Degrees as radians.

    Shape: that of a.
    Dtype: that of a; integers and bool give float32.
    Errors: ValueError for complex64.
    Source: NumPy 2, radians.

    >>> mx.radians(mx.array([0.0, 180.0]))
    array([0, 3.14159], dtype=float32)
    """


def real(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, real.

    >>> mx.real(mx.array([1 + 2j]))
    array([1], dtype=float32)
    """


@method
@cpp("array reciprocal(const array& a)")
def reciprocal(a: array, stream: StreamOrDevice = None) -> array:
    """1 / x.

    Shape: that of a.
    Dtype: that of a; integers and bool give float32.
    Errors: none.
    Source: Python array API standard 2023.12, reciprocal.

    >>> mx.reciprocal(mx.array([1.0, 4.0]))
    array([1, 0.25], dtype=float32)
    """


@c("")
def rint(a: array, stream: StreamOrDevice = None) -> array:
    """Source: NumPy 2, rint.

    >>> mx.rint(mx.array([0.5, 1.5, 2.6]))
    array([0, 2, 3], dtype=float32)
    """


@method
def rsqrt(a: array, stream: StreamOrDevice = None) -> array:
    """Source: IEEE 754-2019, rSqrt.

    >>> mx.rsqrt(mx.array([1.0, 4.0]))
    array([1, 0.5], dtype=float32)
    """


def sigmoid(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Verhulst, Recherches mathematiques sur la loi d'accroissement de la population, 1845.

    >>> mx.sigmoid(mx.array([0.0, 2.0]))
    array([0.5, 0.880797], dtype=float32)
    """


def sign(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, sign.

    >>> mx.sign(mx.array([-3.0, 0.0, 2.0]))
    array([-1, 0, 1], dtype=float32)
    """


@method
def sin(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, sin.

    >>> mx.sin(mx.array([0.0, 1.0]))
    array([0, 0.841471], dtype=float32)
    """


def sinh(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, sinh.

    >>> mx.sinh(mx.array([0.0, 1.0]))
    array([0, 1.1752], dtype=float32)
    """


@method
def sqrt(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, sqrt.

    >>> mx.sqrt(mx.array([1.0, 4.0]))
    array([1, 2], dtype=float32)
    """


@method
def square(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, square.

    >>> mx.square(mx.array([1.0, -3.0]))
    array([1, 9], dtype=float32)
    """


def tan(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, tan.

    >>> mx.tan(mx.array([0.0, 1.0]))
    array([0, 1.55741], dtype=float32)
    """


def tanh(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, tanh.

    >>> mx.tanh(mx.array([0.0, 1.0]))
    array([0, 0.761594], dtype=float32)
    """


def trunc(a: array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, trunc.

    >>> mx.trunc(mx.array([-1.5, 1.2]))
    array([-1, 1], dtype=float32)
    """


@method("self, decimals: int = 0, *, stream: StreamOrDevice = None")
@cpp("array round(const array& a, int decimals)",
     "inline array round(const array& a, StreamOrDevice s = {}) { return round(a, 0, s); }")
def round(a: array, decimals: int = 0, stream: StreamOrDevice = None) -> array:
    """Values rounded to so many decimals, ties to even; decimals below 0 round to tens and so on.

    Shape: that of a.
    Dtype: that of a; integers stay as they are unless decimals are below 0.
    Errors: none.
    Source: Python array API standard 2023.12, round.

    >>> mx.round(mx.array([1.25, 2.5]), 1)
    array([1.2, 2.5], dtype=float32)
    """
