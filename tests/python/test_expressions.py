"""Expressions whose value, type, printed form and error class are the oracle's."""

from pathlib import Path

import evaluator
import lazuli.core as mx
import pytest

FILES = sorted((Path(__file__).parent / "expressions").glob("*.txt"))
EXPRESSIONS = [line for file in FILES for line in file.read_text().splitlines()
               if line and not line.startswith("#")]


# What depends on the machine: the oracle has no GPU.
OF_THE_MACHINE = {"mx.default_device()", "mx.set_default_device(mx.gpu)", "mx.is_available(mx.gpu)",
                  "mx.device_count(mx.gpu)"}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expression(oracle, expression):
    if expression in OF_THE_MACHINE and mx.is_available(mx.gpu):
        pytest.skip("there is a GPU here, which the oracle does not have")
    assert evaluator.evaluate(mx, expression) == oracle.evaluate(expression)


# Where the oracle is wrong, fails for want of range, or lacks what costs nothing here.
OURS = {
    "mx.array(2**63)": "array(9223372036854775808, dtype=uint64)",
    "mx.array(2**63, mx.uint64).item()": "9223372036854775808",
    "mx.array([np.float64(3), np.float32(2)])": "array([3, 2], dtype=float32)",
    "mx.array([np.int64(3)])": "array([3], dtype=int32)",
    "a + np.float32(1.5)": "array([2.5, 3.5, 4.5], dtype=float32)",
    "a + np.array([1.5, 2.5, 3.5])": "array([2.5, 4.5, 6.5], dtype=float32)",
    "a < np.array([1.5, 2.5, 3.5])": "array([True, True, True], dtype=bool)",
    "1 << a": "array([2, 4, 8], dtype=int32)",
    "c[np.array([0, 1])]": "array([0, 1], dtype=int32)",
    "c[mx.array(1):mx.array(3)]": "array([1, 2], dtype=int32)",
    "mx.array(1).reshape()": "array(1, dtype=int32)",
    "mx.zeros((2**40,)).shape": "(1099511627776,)",
}


@pytest.mark.parametrize("expression", OURS)
def test_own_value(expression):
    assert repr(eval(expression, evaluator.names(mx))) == OURS[expression]


OUR_ERRORS = {
    "mx.array(2**64)": ValueError,
    "a + 2**63": ValueError,
    "c[10]": IndexError,
    "c[-10]": IndexError,
    "c[::0]": ValueError,
    "put(c, 10, 1)": IndexError,
    "put(c, c > 2, mx.array([7, 8]))": ValueError,
    "mx.array([[1], 2])": ValueError,
    "mx.array([2, [1]])": ValueError,
    "a + object()": TypeError,
    "mx.exp([1.0])": TypeError,
}


@pytest.mark.parametrize("expression", OUR_ERRORS)
def test_own_error(expression):
    with pytest.raises(OUR_ERRORS[expression]):
        eval(expression, evaluator.names(mx))
