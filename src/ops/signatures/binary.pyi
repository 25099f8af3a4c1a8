"""Elementwise functions of two arrays.
Summary, shape, dtype and errors of most come from their rows of src/ops/table/binary.def."""


def add(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, add.

    >>> mx.add(mx.array([1, 2]), mx.array([[10], [20]]))
    array([[11, 12],
           [21, 22]], dtype=int32)
    """


@alias("atan2")
def arctan2(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, atan2.

    >>> mx.arctan2(mx.array([1.0, -1.0]), mx.array([1.0, 0.0]))
    array([0.785398, -1.5708], dtype=float32)
    """


def bitwise_and(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, bitwise_and.

    >>> mx.bitwise_and(mx.array([6, 5]), 3)
    array([2, 1], dtype=int32)
    """


def bitwise_or(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, bitwise_or.

    >>> mx.bitwise_or(mx.array([6, 5]), 3)
    array([7, 7], dtype=int32)
    """


def bitwise_xor(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, bitwise_xor.

    >>> mx.bitwise_xor(mx.array([6, 5]), 3)
    array([5, 6], dtype=int32)
    """


def divide(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, divide.

    >>> mx.divide(mx.array([1, 2]), 4)
    array([0.25, 0.5], dtype=float32)
    """


@together(compared=True)
def equal(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, equal.

    >>> mx.equal(mx.array([1, 2]), 2)
    array([False, True], dtype=bool)
    """


def floor_divide(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, floor_divide.

    >>> mx.floor_divide(mx.array([7, -7]), 2)
    array([3, -4], dtype=int32)
    """


@together(compared=True)
def greater(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, greater.

    >>> mx.greater(mx.array([1, 2, 3]), 2)
    array([False, False, True], dtype=bool)
    """


@together(compared=True)
def greater_equal(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, greater_equal.

    >>> mx.greater_equal(mx.array([1, 2, 3]), 2)
    array([False, True, True], dtype=bool)
    """


@alias("bitwise_left_shift")
def left_shift(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, bitwise_left_shift.

    >>> mx.left_shift(mx.array([1, 3]), 2)
    array([4, 12], dtype=int32)
    """


@together(compared=True)
def less(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, less.

    >>> mx.less(mx.array([1, 2, 3]), 2)
    array([True, False, False], dtype=bool)
    """


@together(compared=True)
def less_equal(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, less_equal.

    >>> mx.less_equal(mx.array([1, 2, 3]), 2)
    array([True, True, False], dtype=bool)
    """


def logaddexp(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, logaddexp.

    >>> mx.logaddexp(mx.array([0.0, 100.0]), 100.0)
    array([100, 100.693], dtype=float32)
    """


def logical_and(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, logical_and.

    >>> mx.logical_and(mx.array([0, 1]), mx.array([1, 2]))
    array([False, True], dtype=bool)
    """


def logical_or(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, logical_or.

    >>> mx.logical_or(mx.array([0, 1]), mx.array([0, 2]))
    array([False, True], dtype=bool)
    """


def logical_xor(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, logical_xor.

    >>> mx.logical_xor(mx.array([0, 1]), mx.array([1, 2]))
    array([True, False], dtype=bool)
    """


def maximum(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, maximum.

    >>> mx.maximum(mx.array([1, 4]), 3)
    array([3, 4], dtype=int32)
    """


def minimum(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, minimum.

    >>> mx.minimum(mx.array([1, 4]), 3)
    array([1, 3], dtype=int32)
    """


def multiply(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, multiply.

    >>> mx.multiply(mx.array([1, 2]), 3)
    array([3, 6], dtype=int32)
    """


@together(compared=True)
def not_equal(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, not_equal.

    >>> mx.not_equal(mx.array([1, 2]), 2)
    array([True, False], dtype=bool)
    """


@alias("pow")
def power(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, pow.

    >>> mx.power(mx.array([2.0, 3.0]), 2)
    array([4, 9], dtype=float32)
    """


def remainder(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, remainder.

    >>> mx.remainder(mx.array([7, -7]), 3)
    array([1, 2], dtype=int32)
    """


@alias("bitwise_right_shift")
def right_shift(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, bitwise_right_shift.

    >>> mx.right_shift(mx.array([8, 9]), 2)
    array([2, 2], dtype=int32)
    """


def subtract(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> array:
    """Source: Python array API standard 2023.12, subtract.

    >>> mx.subtract(mx.array([1, 2]), 3)
    array([-2, -1], dtype=int32)
    """


@together
@cpp("std::vector<array> divmod(const array& a, const array& b)")
def divmod(a: scalar | array, b: scalar | array, stream: StreamOrDevice = None) -> list[array]:
    """Quotients rounded down and remainders: floor_divide(a, b) and remainder(a, b).

    Shape: that of a and b, broadcast together.
    Dtype: that which a and b promote to.
    Errors: ValueError if the shapes do not broadcast; ValueError for complex64.
    Source: Python 3, divmod.

    >>> mx.divmod(mx.array([7, -7]), 3)
    [array([2, -3], dtype=int32), array([1, 2], dtype=int32)]
    """
