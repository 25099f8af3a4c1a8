"""Derivatives of complex, whole and odd numbers are the oracle's, where it has them right."""

import evaluator
import lazuli.core as mx
import numpy as np
import pytest

COMPLEX = """
def pair(z):
    z = np.array(z.astype(mx.complex64))
    return [z.real.tolist(), z.imag.tolist()]

x = mx.array([0.3 + 0.4j, -0.5 + 0.2j, 0.7 - 0.6j])
y = mx.array([2.0 - 1.0j, 1.0 + 0.5j, 0.5 + 2.0j])
t = mx.array([1.0 - 2.0j, 0.5j, -1.0 + 0j])
r = mx.array([0.5, 1.5, 2.5])
result = {}
for name in NAMES:
    f = getattr(mx, name)
    g = mx.ones(3) * t if f(*[x, y][:COUNT]).dtype == mx.complex64 else r
    for kind, inputs in KINDS.items():
        inputs = [{"x": x, "y": y, "r": r}[i] for i in inputs]
        tangents = [t if i.dtype == mx.complex64 else r for i in inputs]
        result[name + kind + " vjp"] = [pair(p) for p in mx.vjp(f, inputs, [g])[1]]
        result[name + kind + " jvp"] = [pair(p) for p in mx.jvp(f, inputs, tangents)[1]]
"""
UNARY = ["abs", "arccos", "arcsin", "arcsinh", "arctan", "arctanh", "conjugate", "cos", "cosh",
         "exp", "imag", "log", "log10", "log1p", "log2", "negative", "real", "reciprocal",
         "round", "rsqrt", "sin", "sinh", "sqrt", "square", "tan", "tanh", "cumsum"]
BINARY = ["add", "subtract", "multiply", "divide", "maximum", "minimum"]


def program(names, count, kinds):
    return f"NAMES, COUNT, KINDS = {names}, {count}, {kinds}\n" + COMPLEX


@pytest.mark.parametrize("names, count, kinds", [
    (UNARY, 1, {"": "x"}),
    (BINARY, 2, {" zz": "xy", " rz": "ry", " zr": "xr"})])
def test_complex_derivatives_are_the_oracles(oracle, names, count, kinds):
    text = program(names, count, kinds)
    got, wanted = evaluator.run(mx, text), oracle.run(text)
    assert got.keys() == wanted.keys() and len(got) == 2 * len(names) * len(kinds)
    for key in got:
        np.testing.assert_allclose(got[key], wanted[key], rtol=1e-5, atol=1e-6, err_msg=key)


# Values at zeros, infinities and ties, and of whole numbers.
SINGULAR = """
inf = float("inf")
def values(trees):
    return [np.array(t).tolist() for t in trees]
A = mx.array
result = {
    "cumprod": values([mx.grad(lambda x: mx.cumprod(x).sum())(A([1., 2., 0., 3., 0., 2.])),
                       mx.grad(lambda x: (mx.cumprod(x, reverse=True, inclusive=False)
                                          * A([1., 10., 100.])).sum())(A([2., 0., 3.]))]),
    "prod": values([mx.grad(lambda x: x.prod())(A([0., 2., 0.])),
                    mx.grad(lambda x: x.prod())(A([0., 2., 3.]))]),
    "power": values(mx.vjp(mx.power, [A(0.), A(2.)], [A(1.)])[1]
                    + mx.vjp(mx.power, [A(0.), A(1.)], [A(1.)])[1]
                    + [mx.grad(lambda x: (x - 1) ** x)(A(1.))]),
    "logaddexp": values([g for x, y in ((inf, 0.), (0., inf), (-inf, 0.), (inf, -inf))
                         for g in mx.grad(mx.logaddexp, (0, 1))(A(x), A(y))]),
    "cummax": values([mx.grad(lambda x: (f(x, reverse=r) * A([1., 10., 100.])).sum())(v)
                      for f in (mx.cummax, mx.cummin) for r in (False, True)
                      for v in (A([1., 1., 0.]), A([1., 3., 2.]))]),
    "at": values([mx.grad(lambda x, u: (x.at[A([0, 2])].maximum(u) * A([1., 10., 100.])).sum(),
                          (0, 1))(A([1., 2., 3.]), A([5., 1.]))[i] for i in (0, 1)]),
    "whole": values([mx.grad(lambda x: (x * 2).sum())(A([1, 2])),
                     mx.grad(lambda x: (x * x).sum())(A([1, 2])),
                     mx.jvp(mx.max, [A([2, 5, 7])], [A([3, 4, 5])])[1][0],
                     mx.jvp(mx.min, [A([2, 5, 7])], [A([3., 4., 5.])])[1][0],
                     mx.jvp(mx.sum, [A([2, 5, 7])], [A([.5, 1., 2.])])[1][0],
                     mx.jvp(lambda x: x > 0, [A([1.])], [A([1.])])[1][0]]),
    "dtypes": [str(mx.jvp(f, [A([2, 5, 7])], [A([.5, 1., 2.])])[1][0].dtype).split(".")[-1]
               for f in (mx.sum, mx.max, lambda x: x > 1, lambda x: x * 2, mx.prod, mx.cumsum)],
}
"""


def test_singular_derivatives_are_the_oracles(oracle):
    got, wanted = evaluator.run(mx, SINGULAR), oracle.run(SINGULAR)
    assert got == wanted
