"""Values at the edges of dtypes, extents and ranges, beside Python and NumPy."""

import math
import sys

import lazuli.core as mx
import numpy as np
import pytest

inf, nan = math.inf, math.nan
FLOATS = [mx.float16, mx.bfloat16, mx.float32, mx.float64]


@pytest.mark.parametrize("dtype", FLOATS + [mx.complex64])
def test_nan_differs_from_everything(dtype):
    x = mx.array([nan, 1, 2]).astype(dtype)
    assert (x != x).tolist() == [True, False, False]
    assert mx.count_nonzero(x).item() == 3
    x[x != x] = 0
    assert x.tolist() == [0, 1, 2]


def test_arange_of_integers_is_exact():
    big = 2**53
    assert mx.arange(big + 1, big + 4).tolist() == [big + 1, big + 2, big + 3]
    assert mx.arange(-2**63, -2**63 + 3).tolist() == [-2**63, -2**63 + 1, -2**63 + 2]
    top = 2**64 - 2
    assert mx.arange(top, top + 1, dtype=mx.uint64).tolist() == [top]
    assert mx.arange(7, 0, -3).tolist() == [7, 4, 1]
    assert mx.arange(0, 1, 0.25).dtype == mx.float32
    assert mx.arange(np.int64(3)).dtype == mx.int32
    with pytest.raises(ValueError):
        mx.arange(-2**62, 2**62)


def test_numbers_reach_float64_whole():
    assert mx.linspace(0, math.pi, 2, dtype=mx.float64)[1].item() == math.pi
    steps = np.array(mx.linspace(0, 1, 11, dtype=mx.float64))
    assert np.abs(steps - np.linspace(0, 1, 11)).max() < 1e-15
    assert mx.full((2,), 0.37, dtype=mx.float64).tolist() == [0.37, 0.37]
    like = mx.zeros((2,), dtype=mx.float64)
    assert mx.full_like(like, 0.37).tolist() == [0.37, 0.37]
    assert mx.full((1,), 2.7, dtype=mx.int32).tolist() == [2]
    x = mx.array([nan, inf, -inf], dtype=mx.float64)
    assert mx.nan_to_num(x, nan=0.1, posinf=1e300, neginf=-1e300).tolist() == [0.1, 1e300, -1e300]
    for shape in [mx.full_like, lambda a, v: mx.full((1,), v, dtype=a.dtype)]:
        with pytest.raises(ValueError):
            shape(mx.zeros((1,), dtype=mx.int8), 300)


def test_clip_takes_the_dtype_of_its_bounds():
    x = mx.clip(mx.array([0, 1, 2, 3]), 0.5, 2.5)
    assert x.dtype == mx.float32 and x.tolist() == [0.5, 1, 2, 2.5]
    assert mx.clip(mx.array([1, 2, 3], dtype=mx.int16), 1.5, 2.5).tolist() == [1.5, 2, 2.5]
    assert mx.clip(mx.array([1.0], dtype=mx.float16), 0.5, 2).dtype == mx.float16


def test_slices_take_any_step():
    x = mx.arange(5)
    for step in (sys.maxsize, sys.maxsize - 1, 7):
        assert x[::step].tolist() == [0]
        assert x[4::-step].tolist() == [4]
        y = mx.arange(5)
        y[1::step] = 9
        assert y.tolist() == [0, 9, 2, 3, 4]
        assert x.at[2::step].add(5).tolist() == [0, 1, 7, 3, 4]
    assert x[::-2**63].tolist() == [4]


@pytest.mark.parametrize("program", [
    "(mx.zeros((2**32, 1)) + mx.zeros((1, 2**32)))[5, 7].item()",
    "mx.where(mx.zeros((2**32, 1)), mx.zeros((1, 2**32)), 1)",
    "mx.matmul(mx.zeros((2**32, 1)), mx.zeros((1, 2**32)))",
    "mx.outer(mx.zeros(2**32), mx.zeros(2**32))",
    "mx.meshgrid(mx.zeros(2**32), mx.zeros(2**32))",
    "mx.random.uniform(shape=(2**32, 2**32))",
    "mx.random.normal(shape=(2**32, 2**32))",
    "mx.random.randint(0, 5, shape=(2**32, 2**32))",
    "mx.concatenate([mx.zeros(2**58, dtype=mx.bool_)] * 64)",
    "mx.zeros(2**58, dtype=mx.bool_).astype(mx.complex64)",
    "mx.contiguous(mx.broadcast_to(mx.zeros(()), (2**62,)))",
    "mx.exp(mx.zeros(2**60, dtype=mx.int8))",
    "mx.as_strided(mx.zeros(4), (2**32 + 1,), (2**32,), 0)[1].item()",
    "mx.as_strided(mx.zeros(4), (2**32 + 1,), (-2**32,), 0)[1].item()",
    "mx.broadcast_to(mx.ones((2,)), (-1, 3, 2))",
    "mx.unflatten(mx.zeros((8,)), 0, (-1, -1))",
    "mx.zeros((2**31, 2**31, 2**31))",
    "-mx.array([True])",
    "mx.softmax(mx.array(1.0), axis=-1)",
    "mx.addmm(mx.zeros((5, 2, 2)), mx.ones((2, 2)), mx.ones((2, 2)))",
])
def test_refuses(program):
    with pytest.raises((ValueError, TypeError)):
        eval(program)


def test_division_is_pythons():
    values = [5.5, -5.5, 7.0, -7.0, 0.0, 1.0, -1.0, 1e30, 0.3]
    by = [0.1, -0.1, 2.0, -2.0, 3.0, inf, -inf, 1e-3]
    for dtype in (mx.float32, mx.float64):
        kind = np.float64 if dtype == mx.float64 else np.float32
        for a in values:
            for b in by:
                a, b = float(kind(a)), float(kind(b))
                x, y = mx.array(a, dtype=dtype), mx.array(b, dtype=dtype)
                q, r = divmod(a, b)
                got = [v.item() for v in mx.divmod(x, y)]
                assert got == pytest.approx([q, r], rel=1e-6, abs=abs(b) * 1e-6), (a, b)
                assert (x // y).item() == pytest.approx(q, rel=1e-6)
    assert math.isnan((mx.array(inf) // 3).item())
    assert (mx.array(5.5) // 0.1).item() == 54
    assert mx.array([2, -1, 1]).__pow__(-1).tolist() == [0, -1, 1]


def test_moments_and_rounding():
    assert all(mx.ones((n,)).mean().item() == 1 for n in range(1, 300))
    assert mx.var(mx.array([1.0, 2.0]), ddof=3).item() == inf
    assert math.isnan(mx.std(mx.array([1.0]), ddof=1).item())
    assert mx.cumsum(mx.array([100, 100, 100], dtype=mx.int8)).tolist() == [100, 200, 300]
    assert mx.round(mx.array([123456789, 25, -15]), -1).tolist() == [123456790, 20, -20]
    assert mx.round(mx.array([1.5]), 40).tolist() == [1.5]
    assert mx.isclose(mx.array([1], dtype=mx.uint8), mx.array([2], dtype=mx.uint8),
                      atol=1.5).item()
    assert not (mx.array(2**60) == mx.array(2**60 + 1, dtype=mx.uint64)).item()


def test_casts_stop_at_the_ends_of_integers():
    x = mx.array([inf, -inf, nan, 1e20, -1e20, 300.7, -1.5])
    assert x.astype(mx.int32).tolist() == [2**31 - 1, -2**31, 0, 2**31 - 1, -2**31, 300, -1]
    assert x.astype(mx.uint8).tolist() == [255, 0, 0, 255, 0, 255, 0]
    assert x.astype(mx.int64).tolist()[:2] == [2**63 - 1, -2**63]


def test_randint_stays_inside_and_reaches_all():
    for low, high, dtype in [(2**24, 2**24 + 2, mx.int32), (2**31 - 10, 2**31 - 1, mx.int32),
                             (2147483653, 2147483656, mx.int64), (2**64 - 4, 2**64 - 1, mx.uint64)]:
        drawn = mx.random.randint(low, high, (10_000,), dtype=dtype, key=mx.random.key(1)).tolist()
        assert set(drawn) == set(range(low, high))
    odd = mx.random.randint(0, 2**25, (10_000,), key=mx.random.key(1)) % 2
    assert abs(odd.sum().item() - 5000) < 400


def test_permutation_says_what_it_takes():
    assert sorted(mx.random.permutation(np.int64(5)).tolist()) == [0, 1, 2, 3, 4]
    for wrong in ([1, 2], "5", 1.5, None):
        with pytest.raises(TypeError, match="permutation"):
            mx.random.permutation(wrong)
    for wrong in (2**40, -1):
        with pytest.raises(ValueError):
            mx.random.permutation(wrong)


def test_uniform_stays_below_its_bound():
    for dtype in FLOATS:
        for low, high in [(1, 2), (3, 3.5), (-2, -1)]:
            x = mx.random.uniform(low, high, (200_000,), dtype=dtype, key=mx.random.key(1))
            assert x.max().item() < high and x.min().item() >= low


def test_categorical_draws_what_the_wheel_draws():
    logits = mx.array([[0.1, 0.2, 0.3, 0.9]])
    drawn = [mx.random.categorical(logits, key=mx.random.key(i)).item() for i in range(6)]
    assert drawn == [2, 0, 2, 3, 0, 3]


def test_halves_are_rounded_where_they_are_seen():
    h = mx.array([65504.0, 1 / 3], mx.float16)
    assert (h * 3).tolist() == [inf, 1.0]
    assert (h * 3)[0].item() == inf
    assert (h * 3).astype(mx.int32)[1].item() == 1
    assert ((h * 3) >= 1).tolist() == [True, True]
    assert np.array(h * 3).tolist() == [inf, 1.0]


def test_attention_of_a_hidden_row_is_the_mean():
    q = mx.random.normal((1, 1, 2, 8))
    v = mx.arange(24.0).reshape(1, 1, 3, 8)
    mask = mx.array([[True, False, False], [False, False, False]])
    out = mx.fast.scaled_dot_product_attention(q, v, v, scale=1.0, mask=mask)
    assert out[0, 0, :, 0].tolist() == pytest.approx([0, 8])


def test_complex_predicates_and_powers():
    z = mx.array([complex(inf, 0), complex(inf, -inf), complex(-inf, 0)])
    assert mx.isposinf(z).tolist() == [True, False, False]
    assert mx.isneginf(z).tolist() == [False, False, True]
    assert mx.power(mx.array([0j]), mx.array([0j])).tolist() == [1]


def test_gradients_stop_where_nan_is_masked():
    x = mx.array([math.nan, 1.0, math.inf])
    assert mx.grad(lambda v: mx.where(v != v, 0.0, v).sum())(x).tolist() == [0, 1, 1]
    assert mx.grad(lambda v: mx.where(mx.isnan(v), 0.0, v * 2).sum())(x).tolist() == [0, 2, 2]
