"""Einstein summation against NumPy, windows, and what stands in for other processes."""

import lazuli.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

EXTENTS = {"a": 2, "b": 3, "c": 4, "d": 1, "e": 5}


@st.composite
def einsums(draw):
    """Subscripts with one to three operands; some axes of extent 1 beside longer ones."""
    letters = list(EXTENTS)
    inputs = draw(st.lists(st.lists(st.sampled_from(letters), unique=True, max_size=4),
                           min_size=1, max_size=3))
    known = sorted({letter for labels in inputs for letter in labels})
    output = draw(st.lists(st.sampled_from(known), unique=True)) if known else []
    shapes = [[draw(st.sampled_from([EXTENTS[letter], 1])) for letter in labels]
              for labels in inputs]
    return ",".join(map("".join, inputs)) + "->" + "".join(output), shapes


@settings(max_examples=300, deadline=None)
@given(einsums())
def test_einsum_is_numpys(drawn):
    subscripts, shapes = drawn
    random = np.random.default_rng(0)
    operands = [random.normal(size=shape) for shape in shapes]
    # NumPy broadcasts an extent of 1 in einsum as we do.
    wanted = np.einsum(subscripts, *operands)
    got = mx.einsum(subscripts, *[mx.array(x, mx.float64) for x in operands])
    assert got.shape == wanted.shape
    np.testing.assert_allclose(np.array(got), wanted, rtol=1e-12, atol=1e-12)


def test_einsum_has_derivatives():
    x, y = mx.random.normal((3, 4)), mx.random.normal((4, 5))
    gradient = mx.grad(lambda x: mx.einsum("ij,jk->ik", x, y).sum())(x)
    np.testing.assert_allclose(np.array(gradient), np.tile(np.array(y).sum(1), (3, 1)), rtol=1e-5)


@pytest.mark.parametrize("name", ["hanning", "hamming", "blackman", "bartlett"])
@pytest.mark.parametrize("size", [1, 2, 5, 400])
def test_windows_are_numpys(name, size):
    window = np.array(getattr(mx, name)(size))
    assert window.dtype == np.float32
    np.testing.assert_allclose(window, getattr(np, name)(size), atol=3e-7)
    assert window.min() >= 0


def test_norms_have_derivatives():
    x = mx.array([3.0, 4.0])
    np.testing.assert_allclose(np.array(mx.grad(mx.linalg.norm)(x)), [0.6, 0.8], rtol=1e-6)


def test_dependencies_are_computed():
    x = mx.array([1.0, 2.0])
    assert mx.depends(x * 2, [mx.exp(x)]).tolist() == [2, 4]
    assert mx.grad(lambda x: mx.depends(x * 2, [mx.exp(x)]).sum())(x).tolist() == [2, 2]


@pytest.mark.parametrize("order", [2, -2, "nuc"])
def test_norms_of_singular_values_say_that_they_are_missing(order):
    with pytest.raises(ValueError, match="singular values"):
        mx.linalg.norm(mx.ones((2, 2)), order)
