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
    "mx.kron(2,f)": "array([3, 5], dtype=float32)",
    "mx.kron(mx.zeros((0,2)),f)": "array([], dtype=float32)",
    "mx.vecdot(m,mx.arange(4))": "array([14, 38, 62], dtype=int32)",
    "mx.atleast_1d(3)": "array([3], dtype=int32)",
    "mx.distributed.is_available()": "False",  # until there are groups of several processes
    "c[mx.array(1):mx.array(3)]": "array([1, 2], dtype=int32)",
    "mx.array(1).reshape()": "array(1, dtype=int32)",
    "mx.zeros((2**40,)).shape": "(1099511627776,)",
    # Python compares integers, not what is left of them in a dtype.
    "mx.array([1],mx.uint8)==300": "array([False], dtype=bool)",
    "mx.array([1],mx.uint8)<-1": "array([False], dtype=bool)",
    "mx.array([1],mx.uint32)!=-1": "array([True], dtype=bool)",
    "300>mx.array([1,255],mx.uint8)": "array([True, True], dtype=bool)",
    "mx.array([2**63],mx.uint64)>-1": "array([True], dtype=bool)",
    "mx.array([-2**63],mx.int64)<2**63": "array([True], dtype=bool)",
    "a>=-2**70": "array([True, True, True], dtype=bool)",
    "mx.less_equal(i8,2**70)": "array([True, True, True], dtype=bool)",
    "mx.equal(300,i8)": "array([False, False, False], dtype=bool)",
    "mx.array_equal(i8,300)": "array(False, dtype=bool)",
    # An ellipsis separates index arrays, of however many axes it is.
    "mx.zeros((2,3,4))[:,mx.array([[0]]),...,mx.array([1,2])].shape": "(1, 2, 2)",
    "mx.zeros((2,3,4))[0,...,mx.array([1,2]),:].shape": "(2, 4)",
    "put(mx.zeros((2,1,2)),(slice(None),mx.array([0]),...,mx.array([0,1])),mx.arange(4)"
    ".reshape(2,2)).tolist()": "[[[0.0, 2.0]], [[1.0, 3.0]]]",
    "mx.array([1e-39]).at[0].divide(1e-39)": "array([1], dtype=float32)",
    "mx.array([1e-39]).at[mx.array([0])].divide(1e-39)": "array([1], dtype=float32)",
    "mx.array([8.,3]).at[mx.array([0,0])].divide(mx.array([2.,4.]))":
        "array([1, 3], dtype=float32)",
    "mx.array([8.,3]).at[mx.array([True,False])].divide(4)": "array([2, 3], dtype=float32)",
    "mx.array([8.,3]).at[:1].divide(mx.array([3.]))": "array([2.66667, 3], dtype=float32)",
    "mx.array([7,2**30+1]).at[0].divide(2)": "array([3, 1073741825], dtype=int32)",
    "mx.array([[np.array([1,2]),mx.array([3,4])]])":
        "array([[[1, 2],\n        [3, 4]]], dtype=int64)",
    "mx.array([[mx.array([1,2]),[3,4]],[[5,6],(7,8)]]).tolist()":
        "[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]",
}


@pytest.mark.parametrize("expression", OURS)
def test_own_value(expression):
    assert repr(eval(expression, evaluator.names(mx))) == OURS[expression]


OUR_ERRORS = {
    "mx.array(2**64)": ValueError,
    "mx.array(300,dtype=mx.uint8)": ValueError,
    "mx.array(-1,dtype=mx.uint8)": ValueError,
    "mx.array([300],dtype=mx.uint8)": ValueError,
    "mx.array([[1,-1]],dtype=mx.uint32)": ValueError,
    "mx.array([1,2**63],mx.int64)": ValueError,
    "mx.array(2**63,mx.int64)": ValueError,
    "mx.array(2**40,mx.int32)": ValueError,
    "mx.array([np.int64(2**40)],mx.int32)": ValueError,
    "mx.array([np.uint64(2**63)],mx.int64)": ValueError,
    "put(i8,0,np.int64(300))": ValueError,
    "mx.array([[1,mx.array([2])],[3,4]])": ValueError,
    "mx.as_strided(a,(2,2**63-1,16))": ValueError,
    "mx.pad(a,2**32)": ValueError,
    "mx.pad(a,(0,2**32+1))": ValueError,
    "mx.tile(a,2**32)": ValueError,
    "mx.split(a,2**32)": TypeError,
    "m.transpose(2**32,1)": ValueError,
    "mx.pad(mx.zeros((0,2)),1,mode='reflect')": ValueError,
    "mx.fast.rope(mx.ones((1,1,4)),4,traditional=False,base=1e4,scale=1.,offset='a')": TypeError,
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
