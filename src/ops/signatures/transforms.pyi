"""Evaluation and transformations of functions."""

plain = True


@hand(builtin=True)
def eval(*args: Any) -> None:
    """Computes the arrays in the arguments: arrays, lists, tuples and dictionaries of them.

    >>> a = mx.array([1, 2]) + 1
    >>> mx.eval(a)
    """


@hand(builtin=True)
def async_eval(*args: Any) -> None:
    """As eval, without waiting for the values.

    >>> a = mx.array([1, 2]) + 1
    >>> mx.async_eval(a)
    """


@hand
def grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] = [],
) -> Callable[..., Any]:
    """A function that gives the gradient of fun, whose first result is a scalar, for the arguments named
    by place or name; for the first one by default.

    Errors: ValueError, when it is called, if the result is no scalar array.

    >>> mx.grad(lambda x: x * x)(mx.array(3.0))
    array(6, dtype=float32)
    """


@hand
def value_and_grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] = [],
) -> Callable[..., Any]:
    """A function that gives what fun gives, and its gradient as grad does.

    Errors: ValueError, when it is called, if the result is no scalar array.

    >>> mx.value_and_grad(lambda x: x * x)(mx.array(3.0))
    (array(9, dtype=float32), array(6, dtype=float32))
    """


@hand
def vjp(
    fun: Callable[..., Any],
    primals: Sequence[array],
    cotangents: Sequence[array],
) -> tuple[list[array], list[array]]:
    """The outputs of fun at the primals, and the products of cotangents and the Jacobian.

    Errors: ValueError if numbers or shapes do not fit.

    >>> mx.vjp(lambda x: x * x, [mx.array(3.0)], [mx.array(1.0)])
    ([array(9, dtype=float32)], [array(6, dtype=float32)])
    """


@hand
def jvp(
    fun: Callable[..., Any],
    primals: Sequence[array],
    tangents: Sequence[array],
) -> tuple[list[array], list[array]]:
    """The outputs of fun at the primals, and the products of the Jacobian and the tangents.

    Errors: ValueError if numbers or shapes do not fit.

    >>> mx.jvp(lambda x: x * x, [mx.array(3.0)], [mx.array(1.0)])
    ([array(9, dtype=float32)], [array(6, dtype=float32)])
    """


@hand
def vmap(fun: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """The function applied to each slice along the axes, None for what all slices share.

    Errors: ValueError, when it is called, if the lengths of the axes differ.

    >>> mx.vmap(lambda x: x.sum())(mx.array([[1, 2], [3, 4]]))
    array([3, 7], dtype=int32)
    """


@hand
def compile(
    fun: Callable[P, R],
    inputs: Any = None,
    outputs: Any = None,
    shapeless: bool = False,
) -> Callable[P, R]:
    """The function, whose recording is reused where shapes, dtypes and what it captures are the same.
    With shapeless, shapes may differ. inputs and outputs are trees of arrays that it reads and writes
    besides its arguments and results.

    >>> def more(x: mx.array) -> mx.array:
    ...     return mx.exp(x) + 1
    >>> mx.compile(more)(mx.array(0.0))
    array(2, dtype=float32)
    """


@hand
def disable_compile() -> None:
    """Makes compiled functions run as they are.

    >>> mx.disable_compile()
    >>> mx.enable_compile()
    """


@hand
def enable_compile() -> None:
    """Makes compiled functions reuse recordings again.

    >>> mx.enable_compile()
    """


@hand
def checkpoint(fun: Callable[P, R]) -> Callable[P, R]:
    """The function, whose inside is computed again for gradients in place of being kept.

    Source: Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016.

    >>> def twice(x: mx.array) -> mx.array:
    ...     return mx.exp(x) * 2
    >>> mx.grad(mx.checkpoint(twice))(mx.array(0.0))
    array(2, dtype=float32)
    """
