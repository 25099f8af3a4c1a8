"""compile: one trace for each structure, which sees what the function captures."""

import functools

import lazuli.core as mx
import pytest


def one(value=1.0):
    return mx.array(value)


class Counted:
    """A function that counts how often it is traced."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return self.function(*args, **kwargs)


def test_compile_traces_once_for_each_structure():
    f = Counted(lambda x, k=1: x * k)
    g = mx.compile(f)
    for arguments, keywords, calls in [
            ((one(),), {}, 1), ((one(5.0),), {}, 1), ((mx.ones(2),), {}, 2),
            ((one(),), {"k": 2}, 3), ((one(),), {"k": 2.0}, 4), ((one(),), {"k": 2}, 4),
            ((mx.array(1),), {}, 5)]:
        assert g(*arguments, **keywords).tolist() == f.function(*arguments, **keywords).tolist()
        assert f.calls == calls


def test_compile_with_state():
    state = {"w": one(), "n": [one(2.0)]}

    @functools.partial(mx.compile, inputs=state, outputs=state)
    def step(x):
        state["w"] = state["w"] + x
        state["n"][0] *= 2
        return state["w"] * 10

    assert [step(one()).item() for _ in range(3)] == [20, 30, 40]
    assert state["w"].item() == 4 and state["n"][0].item() == 16
    state["w"] = one(100.0)
    assert step(one()).item() == 1010


def test_compile_adds_new_state():
    state = {}

    @functools.partial(mx.compile, outputs=state)
    def f(x):
        state["seen"] = x + 1
        return x

    f(one())
    assert state["seen"].item() == 2
    state.clear()
    f(one(5.0))
    assert state["seen"].item() == 6


def test_compile_with_random_state():
    @functools.partial(mx.compile, inputs=mx.random.state, outputs=mx.random.state)
    def draw():
        return mx.random.uniform()

    mx.random.seed(4)
    compiled = [draw().item() for _ in range(3)]
    mx.random.seed(4)
    assert compiled == [mx.random.uniform().item() for _ in range(3)]


def test_compile_can_be_switched_off():
    f = Counted(lambda x: x + 1)
    g = mx.compile(f)
    mx.disable_compile()
    try:
        assert g(one()).item() == g(one()).item() == 2 and f.calls == 2
    finally:
        mx.enable_compile()
    assert g(one()).item() == g(one()).item() == 2 and f.calls == 3


def test_values_that_print_alike_have_traces_of_their_own():
    f = Counted(lambda x, k: x / k)
    g = mx.compile(f)
    assert [g(one(), k).item() for k in (0.0, -0.0, 0.0)] == [float("inf"), float("-inf"),
                                                              float("inf")]
    assert f.calls == 2
    for k in (1, 1.0, True, 1, True):
        assert g(one(), k).item() == 1
    assert f.calls == 5
    g(one(), float("nan")), g(one(), float("nan"))
    assert f.calls == 6


@pytest.mark.parametrize("f", [
    lambda x: mx.exp(x) * 2 - x,
    lambda x: (x * x).sum(axis=-1, keepdims=True) / x.max(),
    lambda x: [x @ x.T, mx.expand_dims(x, 0).squeeze(0).astype(mx.int32)],
    mx.compile(lambda x: x + 1),
    mx.vmap(lambda x: x * x),
])
def test_shapeless_functions_are_traced_once(f):
    counted = Counted(f)
    g = mx.compile(counted, shapeless=True)
    for shape in [(2, 3), (4, 3), (7, 5)]:
        x = mx.arange(shape[0] * shape[1], dtype=mx.float32).reshape(shape)
        got, wanted = g(x), f(x)
        for a, b in zip(*([v] if isinstance(v, mx.array) else v for v in (got, wanted))):
            assert a.shape == b.shape and mx.array_equal(a, b)
    assert counted.calls == 1


@pytest.mark.parametrize("f", [
    lambda x: x.reshape(-1) * x.shape[0] + x.mean(),
    lambda x: x * x.size + len(x) + x.nbytes,
    lambda x: x * mx.ones_like(x).sum() + mx.full(x.shape, 2.0).sum(),
    lambda x: mx.tril(x) + mx.var(x),
    lambda x: x[:2].sum() + x[:, :2] if x.shape[0] < 3 else x[:2],
    lambda x: sum((row.sum() for row in x), mx.array(0.0)),
    lambda x: mx.compile(lambda y: y * y.shape[0])(x),
    lambda x: [row * 2 for row in x],
    lambda x: mx.topk(x, 2),
    lambda x: mx.grad(lambda y: (y * y).mean())(x),
    lambda x: mx.zeros((2, 2)),
])
def test_shapeless_values_are_those_of_each_shape(f):
    g = mx.compile(f, shapeless=True)
    for shape in [(2, 2), (3, 2), (3, 4), (1, 2), (2, 1), (0, 3), (2, 2)]:
        x = mx.arange(shape[0] * shape[1], dtype=mx.float32).reshape(shape) + 1
        try:
            wanted = f(x)
        except ValueError:
            with pytest.raises(ValueError):
                g(x)
            continue
        got = g(x)
        for a, b in zip(*([v] if isinstance(v, mx.array) else v for v in (got, wanted)),
                        strict=True):
            assert a.shape == b.shape and mx.allclose(a, b)


number, sequence, mapping = 1.0, [1.0, [one()]], {"a": 1.0, "b": one()}


def test_compile_sees_what_a_function_captures():
    global number
    cell, items = one(), (one(), 2.0)
    changes = {
        "number": lambda v: globals().update(number=v),
        "sequence": lambda v: sequence.__setitem__(0, v),
        "nested": lambda v: sequence[1].__setitem__(0, one(v)),
        "mapping": lambda v: mapping.update(a=v),
        "array in mapping": lambda v: mapping.update(b=one(v)),
    }

    def f(x):
        f.calls += 1
        return (x + cell + items[0] * items[1] + number + sequence[0] + sequence[1][0] +
                mapping["a"] + mapping["b"])

    f.calls = 0
    g = mx.compile(f)
    for name, change in changes.items():
        for v in (5.0, 7.0):
            change(v)
            assert g(one()).item() == f(one()).item(), name
            calls = f.calls
            g(one(2.0))
            assert f.calls == calls, name
    cell = one(50.0)
    assert g(one()).item() == f(one()).item()
    items = (one(3.0), 4.0)
    assert g(one()).item() == f(one()).item()
    cell[...] = 9.0
    assert g(one()).item() == f(one()).item()


traces = 0


def test_what_a_function_changes_when_traced_is_its_own():
    global traces
    seen, count = [], 0

    @mx.compile
    def f(x):
        global traces
        nonlocal count
        traces, count = traces + 1, count + 1
        seen.append(x.shape)
        return x + len(seen) * 0

    for _ in range(3):
        f(mx.ones(1)), f(mx.ones(2))
    assert traces == count == len(seen) == 2
    traces, count = 0, 0
    f(mx.ones(2))
    assert traces == count == 0


def test_captured_state_that_is_given_is_no_capture():
    state = [one(), {"n": one(2.0)}]
    calls = 0

    @functools.partial(mx.compile, inputs=state, outputs=state)
    def step(x):
        nonlocal calls
        calls += 1
        state[0] = state[0] + x
        state[1]["n"] = state[1]["n"] * 2
        return state[0]

    assert [step(one()).item() for _ in range(4)] == [2, 3, 4, 5]
    assert calls == 1


def test_captures_behind_partials_methods_and_transformations():
    y = 2.0

    class Owner:
        def method(self, x):
            return x * y

    def f(x, k):
        return x * k * y

    compiled = [mx.compile(Owner().method), mx.compile(functools.partial(f, k=1)),
                mx.compile(mx.vmap(lambda x: x * y)), mx.compile(mx.grad(lambda x: (x * y).sum()))]
    for value in (2.0, 3.0):
        y = value
        assert [g(mx.ones(1)).item() for g in compiled] == [value] * 4


def test_a_captured_value_of_an_outer_trace_is_not_kept():
    held = [one()]
    inner = mx.compile(lambda x: x * held[0])

    def outer(y):
        held[0] = y
        return inner(one(3.0))

    for value in (2.0, 5.0):
        assert mx.grad(outer)(one(value)).item() == 3


def test_compile_refuses_an_argument_that_is_captured_too():
    z = one(2.0)
    g = mx.compile(lambda x: x * z)
    for f in (g, mx.compile(lambda x: z), mx.compile(mx.grad(lambda x: x * z))):
        with pytest.raises(ValueError, match="inputs"):
            f(z)
    assert g(one(3.0)).item() == 6 and g(z).item() == 4
    assert mx.compile(lambda x: x * z, inputs=[z])(one(3.0)).item() == 6
