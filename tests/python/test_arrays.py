"""Arrays and other objects: NumPy, the buffer protocol, DLPack, pickles, copies, lists."""

import copy
import gc
import math
import os
import pickle
import sys
import weakref

import lazuli.core as mx
import numpy as np
import pytest

DTYPES = [mx.bool_, mx.uint8, mx.uint16, mx.uint32, mx.uint64, mx.int8, mx.int16, mx.int32,
          mx.int64, mx.float16, mx.float32, mx.float64, mx.bfloat16, mx.complex64]
NUMPY_DTYPES = ["bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
                "float16", "float32", "complex64"]


def name_of(dtype):
    return str(dtype).rsplit(".", 1)[1]


@pytest.mark.parametrize("name", NUMPY_DTYPES)
@pytest.mark.parametrize("make", [
    lambda x: x, lambda x: x.T, lambda x: x[::-1, 1::2], lambda x: x[:, :0],
    lambda x: np.broadcast_to(x[0], (2, 4)), lambda x: x[1, 2]])
def test_numpy_there_and_back(name, make):
    x = make(np.arange(12).reshape(3, 4).astype(name))
    y = mx.array(x)
    assert name_of(y.dtype) == name and y.shape == x.shape
    back = np.array(y)
    assert back.dtype == x.dtype
    np.testing.assert_array_equal(back, x)


def test_float64_becomes_float32_unless_it_is_asked_for():
    x = np.array([0.1])
    assert mx.array(x).dtype == mx.float32
    assert mx.array(x, mx.float64).item() == 0.1


def test_complex128_is_narrowed():
    assert mx.array(np.array([1 + 2j])).tolist() == [1 + 2j]


def test_views_export_their_strides():
    x = mx.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(np.asarray(x.T), np.arange(12).reshape(3, 4).T)
    np.testing.assert_array_equal(np.asarray(x[::-1, ::2]),
                                  np.arange(12).reshape(3, 4)[::-1, ::2])
    assert memoryview(x.T).strides == (4, 16)


def test_export_shares_memory_and_keeps_it():
    x = mx.arange(4) + 1
    view = np.asarray(x)
    again = np.asarray(x)
    assert view.ctypes.data == again.ctypes.data
    del x
    gc.collect()
    noise = [mx.arange(4) * k for k in range(20)]
    mx.eval(noise)
    assert view.tolist() == [1, 2, 3, 4]


def test_an_exported_buffer_is_not_taken_over():
    x = mx.zeros(1 << 16) + 1
    mx.eval(x)
    view = np.asarray(x)
    x = x * 2
    mx.eval(x)
    assert view[0] == 1 and x[0].item() == 2


def test_import_without_a_copy():
    x = np.arange(6, dtype=np.float32)
    y = mx.asarray(x, copy=False)
    assert np.asarray(y).ctypes.data == x.ctypes.data
    references = sys.getrefcount(x)
    del y
    gc.collect()
    assert sys.getrefcount(x) < references
    with pytest.raises(ValueError):
        mx.asarray(x[::2], copy=False)
    with pytest.raises(ValueError):
        mx.asarray(x, mx.float16, copy=False)


def test_constructor_copies():
    x = np.zeros(3, np.float32)
    y = mx.array(x)
    x[0] = 1
    assert y.tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d not in (mx.bfloat16,)])
def test_dlpack_with_numpy(dtype):
    x = mx.array([[0, 1], [2, 3]]).astype(dtype)
    np.testing.assert_array_equal(np.from_dlpack(x, device="cpu"), np.array(x))
    np.testing.assert_array_equal(np.array(mx.from_dlpack(np.array(x).T)), np.array(x).T)
    assert mx.array([1.0]).__dlpack_device__() == (1, 0)


def test_dlpack_bfloat16_round_trip():
    x = mx.array([1.5, -2.25], mx.bfloat16)
    assert mx.from_dlpack(x).dtype == mx.bfloat16
    assert mx.from_dlpack(x).tolist() == [1.5, -2.25]


@pytest.mark.parametrize("dtype", DTYPES)
def test_pickle_and_copies(dtype):
    x = mx.array([[0, 1], [2, 3]]).astype(dtype).T
    for y in (pickle.loads(pickle.dumps(x)), copy.copy(x), copy.deepcopy([x])[0]):
        assert y.dtype == dtype and y.tolist() == x.tolist() and y is not x
    assert pickle.loads(pickle.dumps(dtype)) is dtype and copy.deepcopy(dtype) is dtype


def test_a_forged_pickle_is_refused():
    with pytest.raises(ValueError):
        mx._array_from_bytes(b"1234", (2,), "int32")
    with pytest.raises(ValueError):
        mx._array_from_bytes(b"1234", (1,), "int33")
    with pytest.raises(TypeError):
        mx._array_from_bytes(b"1234")


def test_lists():
    assert mx.array([[1, 2.5], [True, 3]]).tolist() == [[1, 2.5], [1, 3]]
    assert mx.array([True, 2]).dtype == mx.int32
    assert mx.array([[mx.array(1), mx.array(2)], [mx.array(3), mx.array(4)]]).shape == (2, 2)
    assert mx.array([2**63]).dtype == mx.uint64
    nested = []
    nested.append(nested)
    with pytest.raises(RecursionError):
        mx.array(nested)


@pytest.mark.parametrize("dtype", DTYPES)
def test_tolist(dtype):
    x = mx.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)[:, ::-1]
    expected = np.array([[0, 1, 1], [1, 0, 1]])[:, ::-1]
    assert x.tolist() == expected.tolist()
    assert x.T.tolist() == expected.T.tolist()
    assert x[0, 0].item() == 1


def test_weak_references_and_subclasses():
    class Named(mx.array):
        def __init__(self, value, name):
            super().__init__(value)
            self.name = name

    x = Named([1, 2], "x")
    seen = weakref.ref(x)
    assert x.name == "x" and (x + x).tolist() == [2, 4] and seen() is x
    assert type(x + x) is mx.array
    del x
    assert seen() is None


def test_arrays_can_be_keys():
    x, y = mx.array(1), mx.array(1)
    assert {x: 1, y: 2}[x] == 1


def test_numbers():
    assert float(mx.array(1.5)) == 1.5 and int(mx.array([7])) == 7
    assert complex(mx.array(1 + 2j)) == 1 + 2j
    assert [10, 20][mx.array(1)] == 20
    assert f"{mx.array(math.pi):.2f}" == "3.14"
    assert bytes(mx.array([1, 2], mx.uint8)) == b"\x01\x02"
    for convert in (float, bool, int, complex, mx.array.item):
        with pytest.raises(ValueError):
            convert(mx.zeros(2))
    with pytest.raises(TypeError):
        mx.array(1.5).__index__()


def test_streams_and_devices():
    stream = mx.new_stream(mx.cpu)
    assert stream != mx.default_stream(mx.cpu) and stream.device == mx.cpu
    with mx.stream(stream):
        assert mx.default_stream(mx.cpu) == stream
        x = mx.arange(3) + 1
    assert mx.default_stream(mx.cpu) != stream
    assert mx.add(x, 1, stream=stream).tolist() == [2, 3, 4]
    mx.synchronize(stream)
    default = "gpu" if os.environ.get("LAZULI_GPU") == "1" else "cpu"
    assert repr(mx.default_device()) == f"Device({default}, 0)"
    with pytest.raises(TypeError):
        mx.add(x, 1, stream=3)


def test_memory_is_given_back():
    mx.eval(mx.zeros(8))
    before = mx.get_active_memory()
    x = mx.zeros(1 << 20) + 1
    mx.eval(x)
    assert mx.get_active_memory() >= before + (1 << 22)
    del x
    assert mx.get_active_memory() < before + (1 << 22)


def test_bfloat16_of_ml_dtypes():
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    x = np.array([[1.5, -2], [3, 1e30]], ml_dtypes.bfloat16)
    assert mx.array(x).dtype == mx.bfloat16
    assert mx.array(x).tolist() == x.astype(np.float64).tolist()
    assert mx.array(x[::-1, :1]).tolist() == [[3], [1.5]]
    assert mx.array(x, mx.float32).dtype == mx.float32
    shared = mx.asarray(x, copy=False)
    x[0, 0] = 7
    assert shared.dtype == mx.bfloat16 and shared[0, 0].item() == 7
    assert mx.array(x[0, 0]).dtype == mx.bfloat16 and mx.array(x[0, 0]).item() == 7
    assert (mx.array([1.0], mx.float16) * x[0, 0]).tolist() == [7]
    assert (mx.array([1.0], mx.float16) + x[:1]).tolist() == [[8, -1]]
    with pytest.raises(ValueError):
        mx.array(np.array([1], ml_dtypes.float8_e4m3fn))
