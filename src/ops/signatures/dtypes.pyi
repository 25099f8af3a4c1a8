"""Questions about dtypes."""

plain = True


@hand
def issubdtype(arg1: Dtype | DtypeCategory, arg2: Dtype | DtypeCategory) -> bool:
    """Whether a dtype or category is an instance of another.

    Errors: TypeError for other objects.

    >>> mx.issubdtype(mx.float32, mx.floating)
    True
    """


@hand
def isdtype(dtype: Dtype, kind: Dtype | str | tuple[Dtype | str, ...]) -> bool:
    """Whether a dtype is of a kind: "bool", "signed integer", "unsigned integer", "integral",
    "real floating", "complex floating", "numeric", a dtype, or one of a tuple of them.

    Errors: ValueError for a kind that is not known.
    Source: Python array API standard 2023.12, isdtype.

    >>> mx.isdtype(mx.int8, 'integral')
    True
    """


@hand
def result_type(*arrays_and_dtypes: array | Dtype | bool | int | float | complex) -> Dtype:
    """The dtype to which arrays, dtypes and numbers are promoted together.

    Errors: ValueError without an argument.
    Source: Python array API standard 2023.12, result_type.

    >>> mx.result_type(mx.int8, mx.float16)
    mlx.core.float16
    """


@hand
def can_cast(from_: array | Dtype, to: Dtype) -> bool:
    """Whether promotion leads from one dtype to the other.

    Source: Python array API standard 2023.12, can_cast.

    >>> mx.can_cast(mx.int8, mx.float32)
    True
    """


@hand
def asarray(a: Any, dtype: Dtype | None = None, *, copy: bool | None = None) -> array:
    """The object as an array; without a copy if it can be, unless copy says otherwise.

    Errors: ValueError if copy is False and the memory cannot be shared.
    Source: Python array API standard 2023.12, asarray.

    >>> mx.asarray([1, 2])
    array([1, 2], dtype=int32)
    """


@hand
def from_dlpack(x: Any, *, copy: bool | None = None) -> array:
    """The array of another library, by the exchange protocol DLPack. A GPU's memory is shared and the
    host's copied, unless copy says otherwise.

    Errors: TypeError if the object has no __dlpack__; ValueError if copy is False and the memory
    cannot be shared.
    Source: Python array API standard 2023.12, from_dlpack.

    >>> mx.from_dlpack(mx.array([1, 2]))
    array([1, 2], dtype=int32)
    """
