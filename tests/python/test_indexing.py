"""Subscripts against NumPy."""

import lazuli.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


def numbers(shape):
    return np.arange(int(np.prod(shape)), dtype=np.int32).reshape(shape)


@st.composite
def basic(draw):
    """A shape and a subscript of integers, slices, None and Ellipsis."""
    shape = draw(SHAPES)
    return shape, draw(hnp.basic_indices(shape, allow_newaxis=True))


@st.composite
def by_arrays(draw):
    """A shape and a subscript that mixes arrays with integers, slices and None."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=5))
    lead = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=1, max_side=3))
    entries, used_array = [], False
    for extent in shape[:draw(st.integers(1, len(shape)))]:
        kind = draw(st.sampled_from(["array", "integer", "slice", "none"]))
        if kind == "none":
            entries.append(None)
            kind = "slice"
        if kind == "slice":
            entries.append(draw(st.slices(extent)))
        elif kind == "integer":
            entries.append(draw(st.integers(-extent, extent - 1)))
        else:
            ones = draw(st.booleans())
            own = tuple(1 for _ in lead) if ones else lead
            entries.append(draw(hnp.arrays(np.int32, own, elements=st.integers(-extent,
                                                                               extent - 1))))
            used_array = True
    if not used_array:
        extent = shape[0]
        entries[0:2 if entries[0] is None else 1] = [np.array([extent - 1, 0], np.int32)]
    return shape, tuple(entries)


def ours(index):
    if isinstance(index, tuple):
        return tuple(ours(item) for item in index)
    return mx.array(index) if isinstance(index, np.ndarray) else index


@given(basic())
@settings(max_examples=500, deadline=None)
def test_get_basic(case):
    shape, index = case
    x = numbers(shape)
    np.testing.assert_array_equal(np.array(mx.array(x)[index]).reshape(x[index].shape), x[index])
    assert mx.array(x)[index].shape == x[index].shape


@given(basic(), st.booleans())
@settings(max_examples=500, deadline=None)
def test_set_basic(case, scalar):
    shape, index = case
    x = numbers(shape)
    y = mx.array(x)
    value = 7 if scalar else -1 - numbers(x[index].shape)
    y[index] = value if scalar else mx.array(value)
    x[index] = value
    np.testing.assert_array_equal(np.array(y), x)


@given(by_arrays())
@settings(max_examples=500, deadline=None)
def test_get_by_arrays(case):
    shape, index = case
    x = numbers(shape)
    y = mx.array(x)[ours(index)]
    assert y.shape == x[index].shape
    np.testing.assert_array_equal(np.array(y), x[index])


@given(by_arrays(), st.sampled_from(["scalar", "whole", "row"]))
@settings(max_examples=500, deadline=None)
def test_set_by_arrays(case, form):
    shape, index = case
    x = numbers(shape)
    y = mx.array(x)
    part = x[index].shape
    if form == "scalar":
        value = np.array(-5, np.int32)
    elif form == "row":
        value = -1 - numbers(part[-1:])
    else:
        value = np.full(part, -9, np.int32)  # equal values: where indices repeat any may win
    if form == "row" and len(part) > 0:
        value = np.full(part[-1:], -4, np.int32)
    y[ours(index)] = mx.array(value)
    x[index] = value
    np.testing.assert_array_equal(np.array(y), x)


@given(by_arrays(), st.sampled_from(["add", "subtract", "multiply", "maximum", "minimum"]))
@settings(max_examples=300, deadline=None)
def test_at(case, name):
    shape, index = case
    x = numbers(shape)
    y = getattr(mx.array(x).at[ours(index)], name)(3)
    getattr(np, name).at(x, index, 3)
    np.testing.assert_array_equal(np.array(y), x)


@given(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4), st.data())
@settings(max_examples=200, deadline=None)
def test_set_mask(shape, data):
    x = numbers(shape)
    rank = data.draw(st.integers(1, len(shape)))
    mask = data.draw(hnp.arrays(np.bool_, shape[:rank]))
    value = data.draw(st.sampled_from(["scalar", "each"]))
    y = mx.array(x)
    filled = 9 if value == "scalar" else -1 - numbers(x[mask].shape)
    y[mx.array(mask)] = 9 if value == "scalar" else mx.array(filled)
    x[mask] = filled
    np.testing.assert_array_equal(np.array(y), x)


def test_float_division_accumulates():
    x = mx.array([8.0, 8.0])
    assert x.at[mx.array([1, 1])].divide(2).tolist() == [8.0, 2.0]


def test_assignment_is_seen_through_every_name():
    x = mx.zeros(3)
    y = x
    x[0] = 1
    x += 1
    assert y.tolist() == [2, 1, 1] and x is y


def test_iteration_gives_rows():
    assert [row.tolist() for row in mx.array([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]
    assert list(mx.zeros((0, 2))) == []


@pytest.mark.parametrize("index", [1.5, "x", {}, True])
def test_refused_indices(index):
    with pytest.raises(ValueError):
        mx.zeros(3)[index]


def test_parts_cannot_be_deleted():
    x = mx.zeros(3)
    with pytest.raises(TypeError):
        del x[0]
