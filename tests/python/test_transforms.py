"""grad, vmap, compile and the others on trees; values follow from the formulas."""

import gc
import inspect
import weakref
from collections import namedtuple

import lazuli.core as mx
import pytest

Pair = namedtuple("Pair", "x y")


def one(value=1.0):
    return mx.array(value)


def test_gradients_of_a_tree():
    tree = {"a": [one(2.0), (one(3.0),)], "b": Pair(one(4.0), one(5.0))}
    grads = mx.grad(lambda t: t["a"][0] * t["a"][1][0] + t["b"].x * t["b"].y)(tree)
    assert grads["a"][0].item() == 3 and grads["a"][1][0].item() == 2
    assert isinstance(grads["b"], Pair) and grads["b"].x.item() == 5


def test_value_and_grad_with_more_values():
    (loss, more), grads = mx.value_and_grad(lambda x, y: (x * y, {"sum": x + y}), (0, 1))(
        one(2.0), one(3.0))
    assert loss.item() == 6 and more["sum"].item() == 5
    assert [g.item() for g in grads] == [3, 2]


def test_grad_of_grad():
    third = mx.grad(mx.grad(mx.grad(lambda x: x * x * x * x)))
    assert third(one(2.0)).item() == 48


def test_evaluation_inside_of_grad():
    def f(x):
        y = x * x
        assert y.item() == 4
        return y * y
    assert mx.grad(f)(one(2.0)).item() == 32


def test_an_exception_passes_through_and_leaves_all_usable():
    def wrong(x):
        raise KeyError("mine")
    for transform in (mx.grad, mx.vmap, mx.compile, mx.checkpoint):
        with pytest.raises(KeyError):
            transform(wrong)(mx.ones(3) if transform is mx.vmap else one())
    assert mx.grad(lambda x: x * x)(one(3.0)).item() == 6


def test_vmap_of_trees_and_axes():
    d = {"a": mx.arange(6).reshape(2, 3), "b": mx.arange(3)}
    out = mx.vmap(lambda t, s: {"r": t["a"] * t["b"] + s}, in_axes=({"a": 1, "b": 0}, None),
                  out_axes=-1)(d, mx.array(1))
    assert out["r"].tolist() == [[1, 2, 5], [1, 5, 11]]
    nested = mx.vmap(mx.vmap(lambda x: x.sum()))(mx.ones((2, 3, 4)))
    assert nested.tolist() == [[4, 4, 4], [4, 4, 4]]
    per_example = mx.vmap(mx.grad(lambda w, x: (w * x).sum() ** 2), in_axes=(None, 0))(
        mx.array([1.0, 2.0]), mx.array([[1.0, 0.0], [0.0, 1.0]]))
    assert per_example.tolist() == [[2, 0], [0, 4]]


def test_checkpoint_gives_the_same_gradients():
    def block(p, x):
        return mx.tanh(x @ p["w"]) + p["b"]
    p, x = {"w": mx.ones((2, 2)) * 0.5, "b": mx.ones(2)}, mx.array([[0.5, -1.0]])
    plain = mx.grad(lambda p: block(p, x).sum())(p)
    kept = mx.grad(lambda p: mx.checkpoint(block)(p, x).sum())(p)
    assert kept["w"].tolist() == plain["w"].tolist() and kept["b"].tolist() == plain["b"].tolist()


def test_custom_function():
    shapes = []

    @mx.custom_function
    def f(x, y):
        return x * y, x

    @f.vjp
    def rule(primals, cotangents, outputs):
        x, y = primals
        shapes.append((cotangents[1].shape, outputs[0].shape))
        return cotangents[0] * y * 10, cotangents[0] * x

    assert rule is f
    grads = mx.grad(lambda x, y: f(x, y)[0], (0, 1))(one(2.0), one(3.0))
    assert [g.item() for g in grads] == [30, 2]
    assert shapes == [((), ())]
    assert mx.compile(mx.grad(lambda x, y: f(x, y)[0]))(one(2.0), one(3.0)).item() == 30
    assert mx.grad(mx.compile(lambda x, y: f(x, y)[0]))(one(2.0), one(3.0)).item() == 30


def test_transformed_functions_look_like_functions():
    def named(x, *, scale):
        return x

    class Model:
        @mx.compile
        def forward(self_number, x):
            return self_number + x

    for transform in (mx.grad, mx.vmap, mx.compile, mx.checkpoint):
        assert transform(named).__name__ == "named"
        assert "scale" in inspect.signature(transform(named)).parameters
    assert Model.forward(one(), one()).item() == 2


@pytest.mark.parametrize("transform", [mx.grad, mx.vmap, mx.compile, mx.checkpoint])
def test_cycles_through_transformed_functions_are_collected(transform):
    class Holder:
        pass

    holder = Holder()
    holder.step = transform(lambda x: (x, holder)[0])
    seen = weakref.ref(holder)
    del holder
    gc.collect()
    assert seen() is None


def test_a_shared_output_counts_twice():
    _, products = mx.vjp(lambda x: [x, x], [one()], [one(), one()])
    assert products[0].item() == 2


class Model(dict):
    """A dictionary that can be called, as modules are."""

    def __call__(self, x):
        return self["layers"][0]["w"] * x


def test_containers_of_an_argument_are_the_very_objects():
    inner = [{"w": one(2.0)}]
    model, weight, seen = Model(layers=inner), inner[0]["w"], []

    def f(m, x):
        seen.append(m)
        return m(x)

    for transform in (mx.grad, mx.value_and_grad):
        result = transform(f)(model, one(3.0))
        gradient = result[1] if transform is mx.value_and_grad else result
        assert type(gradient) is dict and gradient["layers"][0]["w"].item() == 3
    assert all(m is model for m in seen)
    assert model["layers"] is inner and inner[0]["w"] is weight and weight.item() == 2


def test_what_a_function_puts_into_its_argument_stays():
    m = {"a": one(), "n": [one(2.0)], "t": (one(7.0),)}

    def f(m):
        m["a"] = m["a"] + 1
        m["n"].append(m["n"][0] * 10)
        m["new"] = m["a"] * 3
        return m["a"] * m["a"]

    gradients = mx.grad(f)(m)
    assert gradients["a"].item() == 4 and gradients["t"][0].item() == 0
    assert m["a"].item() == 2 and m["new"].item() == 6 and m["t"][0].item() == 7
    assert [x.item() for x in m["n"]] == [2, 20]


def test_an_exception_gives_an_argument_back():
    m = [one(), one(2.0)]

    def f(m):
        m[0] = m[0] + 1
        raise KeyError("mine")

    with pytest.raises(KeyError):
        mx.grad(f)(m)
    assert [x.item() for x in m] == [2, 2]


@pytest.mark.parametrize("transform", [mx.grad, mx.vmap, mx.compile, mx.checkpoint])
def test_async_eval_is_refused_inside(transform):
    def f(x):
        mx.async_eval(mx.ones(2))
        mx.async_eval(x * 2)
        return x

    if transform is mx.checkpoint:
        transform = lambda f: mx.grad(mx.checkpoint(f))  # noqa: E731
    with pytest.raises(ValueError, match="async_eval"):
        transform(f)(mx.ones(3) if transform is mx.vmap else one())


@pytest.mark.parametrize("transform", [mx.grad, mx.value_and_grad, mx.vmap, mx.compile,
                                       mx.checkpoint])
def test_transformed_functions_say_what_the_function_says(transform):
    def f(x, *, scale=2):
        "Scales."
        return x

    f.mine = 5
    g = transform(f)
    assert g.__doc__ == "Scales." and g.__module__ == __name__ and g.mine == 5
    assert g.__kwdefaults__ == {"scale": 2} and g.__wrapped__ is f
    with pytest.raises(AttributeError, match="missing"):
        g.missing


@pytest.mark.parametrize("function, axes, argument, shape", [
    (lambda x: x * 2, {"out_axes": (1,)}, mx.ones((2, 3)), (3, 2)),
    (lambda d: d["a"], {"in_axes": {"a": 0}}, {"a": mx.ones((2, 3))}, (2, 3)),
    (lambda d: d["a"], {"in_axes": ({"a": 1},)}, {"a": mx.ones((2, 3))}, (3, 2)),
    (lambda d: d[0] + d[1], {"in_axes": [0, 1]}, [mx.ones((2, 3)), mx.ones((3, 2))], (2, 3)),
    (lambda x: x, {"in_axes": (0,), "out_axes": -1}, mx.ones((2, 3)), (3, 2))])
def test_axes_of_one_argument_or_result(function, axes, argument, shape):
    assert mx.vmap(function, **axes)(argument).shape == shape


@pytest.mark.parametrize("axes, error", [
    ({"a": 0}, ValueError), ((0, 0), ValueError), (2**40, IndexError), (2, IndexError)])
def test_wrong_axes(axes, error):
    with pytest.raises(error):
        mx.vmap(lambda d: d["b"], in_axes=axes)({"b": mx.ones((2, 3))})


def test_custom_function_has_rules_for_tangents_and_batches():
    @mx.custom_function
    def f(x, y):
        return {"p": x * y["w"]}

    @f.jvp
    def tangents(primals, tangents):
        (x, y), (dx, dy) = primals, tangents
        assert dy == {"w": None}
        return {"p": dx * 10 + x * 0 + y["w"] * 0}

    @f.vmap
    def batches(inputs, axes):
        assert axes == (0, {"w": None})
        return {"p": inputs[0].T * 7}, {"p": -1}

    assert tangents is f and batches is f
    y = {"w": one(3.0)}
    _, (tangent,) = mx.jvp(lambda x: f(x, y)["p"], [one()], [one(2.0)])
    assert tangent.item() == 20
    assert mx.grad(lambda x: f(x, y)["p"])(one()).item() == 3
    batch = mx.vmap(f, in_axes=(0, None))(mx.array([[1.0, 2.0], [3.0, 4.0]]), y)
    assert batch["p"].tolist() == [[7, 14], [21, 28]]


def test_a_rule_with_too_few_products_is_refused():
    f = mx.custom_function(lambda x, y: x * y)
    f.vjp(lambda primals, cotangents, outputs: (cotangents,))
    with pytest.raises(ValueError, match="products"):
        mx.grad(f, argnums=(0, 1))(one(), one())


def test_jvp_goes_through_checkpoint_and_custom_functions():
    f = mx.custom_function(lambda x, y: mx.sin(x) * y)
    f.vjp(lambda primals, cotangents, outputs: (cotangents, cotangents))
    for g in (f, mx.checkpoint(lambda x, y: mx.sin(x) * y)):
        for h in (g, mx.compile(g)):
            _, (tangent,) = mx.jvp(lambda x: h(x, one(2.0)), [one(0.0)], [one(3.0)])
            assert tangent.item() == 6
        _, (tangents,) = mx.jvp(mx.vmap(g), [mx.zeros(2), mx.ones(2)], [mx.ones(2), mx.zeros(2)])
        assert tangents.tolist() == [1, 1]


@pytest.mark.parametrize("arguments", [
    ((None,),), ("x",), (1.5,), (0, 3), (0, [3]), ([[0]],), ({},)])
def test_what_names_no_argument_is_a_type_error(arguments):
    for transform in (mx.grad, mx.value_and_grad):
        with pytest.raises(TypeError):
            transform(lambda x: x, *arguments)


@pytest.mark.parametrize("shape", [(1,), (1, 1)])
def test_only_scalars_have_gradients(shape):
    with pytest.raises(ValueError, match="scalar"):
        mx.grad(lambda x: x)(mx.ones(shape))


def test_gradients_of_integers_are_integers():
    gradient = mx.grad(lambda x: (x * 2).sum())(mx.array([1, 2]))
    assert gradient.tolist() == [2, 2] and gradient.dtype == mx.int32


def test_gradients_of_divmod():
    gradients = mx.grad(lambda a, b: mx.divmod(a, b)[1], (0, 1))(one(5.0), one(3.0))
    assert [g.item() for g in gradients] == [1, -1]


def test_indices_have_no_gradient():
    gradient = mx.grad(lambda x: mx.take_along_axis(x, mx.argsort(x), 0)[0] * 3)(
        mx.array([2.0, 1.0]))
    assert gradient.tolist() == [0, 3]
    assert mx.grad(lambda x: mx.array([1.0, 2.0])[x.astype(mx.int32)])(one()).item() == 0
