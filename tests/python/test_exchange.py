"""Memory given to others by the buffer protocol and DLPack: its layout, and who may write where."""

import ctypes
import hashlib

import lazuli.core as mx
import numpy as np
import pytest

# Flags of PyObject_GetBuffer.
SIMPLE, WRITABLE, FORMAT, ND = 0, 1, 4, 8
STRIDES = 0x10 | ND
C, F, ANY = 0x20 | STRIDES, 0x40 | STRIDES, 0x80 | STRIDES


@pytest.fixture(autouse=True)
def _on_the_host():
    """test_dlpack.py is about devices."""
    before = mx.default_device()
    mx.set_default_device(mx.cpu)
    yield
    mx.set_default_device(before)


class Buffer(ctypes.Structure):
    _fields_ = [("buf", ctypes.c_void_p), ("obj", ctypes.py_object), ("len", ctypes.c_ssize_t),
                ("itemsize", ctypes.c_ssize_t), ("readonly", ctypes.c_int), ("ndim", ctypes.c_int),
                ("format", ctypes.c_char_p), ("shape", ctypes.POINTER(ctypes.c_ssize_t)),
                ("strides", ctypes.POINTER(ctypes.c_ssize_t)), ("suboffsets", ctypes.c_void_p),
                ("internal", ctypes.c_void_p)]


class View:
    """What a consumer with these flags is given."""

    def __init__(self, array, flags):
        get = ctypes.pythonapi.PyObject_GetBuffer
        get.argtypes = [ctypes.py_object, ctypes.POINTER(Buffer), ctypes.c_int]
        view = Buffer()
        get(array, ctypes.byref(view), flags)
        self.bytes = ctypes.string_at(view.buf, view.len)  # row by row, where nothing else is said
        self.shape = view.shape[:view.ndim] if view.shape or not view.ndim else None
        self.strides = view.strides[:view.ndim] if view.strides or not view.ndim else None
        self.format, self.readonly = view.format, bool(view.readonly)
        release = ctypes.pythonapi.PyBuffer_Release
        release.argtypes = [ctypes.POINTER(Buffer)]
        release(ctypes.byref(view))


def views():
    m = mx.arange(12).reshape(3, 4)
    return {"constant": (mx.zeros((3, 4)), np.zeros((3, 4), np.float32)),
            "dense": (m, np.arange(12, dtype=np.int32).reshape(3, 4)),
            "gaps": (m[:, ::2], np.arange(12, dtype=np.int32).reshape(3, 4)[:, ::2]),
            "columns": (m.T, np.arange(12, dtype=np.int32).reshape(3, 4).T),
            "backwards": (m[::-1], np.arange(12, dtype=np.int32).reshape(3, 4)[::-1]),
            "broadcast": (mx.broadcast_to(m[0], (2, 4)),
                          np.broadcast_to(np.arange(4, dtype=np.int32), (2, 4))),
            "scalar": (mx.array(1.5), np.array(1.5, np.float32)),
            "empty": (mx.zeros((0, 3)), np.zeros((0, 3), np.float32))}


@pytest.mark.parametrize("name", views())
def test_consumers_without_strides_get_the_bytes(name):
    array, expected = views()[name]
    data = expected.tobytes()
    assert View(array, SIMPLE).bytes == data
    assert b"".join([array]) == data
    assert hashlib.sha1(array).digest() == hashlib.sha1(data).digest()
    assert bytes(memoryview(array)) == data and bytes(array) == data
    view = View(array, ND)
    assert view.bytes == data and view.shape == list(expected.shape)
    assert not view.strides and view.format is None


def test_a_large_constant_is_hashed():
    assert hashlib.sha1(mx.zeros(10**7)).digest() == hashlib.sha1(bytes(4 * 10**7)).digest()


@pytest.mark.parametrize("name", views())
def test_a_layout_that_is_asked_for(name):
    array, expected = views()[name]
    view = View(array, C | FORMAT)
    assert view.bytes == expected.tobytes("C")
    assert view.format == {"f": b"f", "i": b"i"}[expected.dtype.char]
    view = View(array, F)
    assert view.bytes == expected.tobytes("F")
    if expected.size > 1:
        assert view.strides == list(np.asfortranarray(expected).strides)
    assert View(array, ANY).bytes in (expected.tobytes("C"), expected.tobytes("F"))


@pytest.mark.parametrize("name, flags, works", [
    ("dense", SIMPLE, True), ("dense", C, True), ("dense", F, False), ("dense", ANY, True),
    ("constant", SIMPLE, True), ("constant", C, True), ("constant", F, False),
    ("gaps", SIMPLE, False), ("gaps", STRIDES, True), ("gaps", C, False), ("gaps", ANY, False),
    ("columns", F, True), ("columns", ANY, True), ("columns", C, False), ("columns", ND, False),
    ("backwards", STRIDES, True), ("backwards", ND, False),
    ("broadcast", STRIDES, False), ("broadcast", SIMPLE, False), ("scalar", SIMPLE, True)])
def test_a_consumer_that_writes(name, flags, works):
    array, _ = views()[name]
    if works:
        assert not View(array, flags | WRITABLE).readonly
    else:
        with pytest.raises(BufferError):
            View(array, flags | WRITABLE)


@pytest.mark.parametrize("make", [mx.zeros, mx.ones, lambda s: mx.full(s, 7),
                                  lambda s: mx.broadcast_to(mx.array(2.0), s)])
def test_a_write_into_a_constant_reaches_one_element(make):
    x = make((2, 3))
    before = x[1, 2].item()
    np.asarray(x)[0, 0] = 5
    assert x.tolist() == [[5, before, before], [before] * 3]
    y = make((2, 3))
    np.from_dlpack(y)[0, 0] = 5
    assert y.tolist() == [[5, before, before], [before] * 3]
    z = make((4,))
    memoryview(z)[1:2] = memoryview(z)[0:1]
    assert z.tolist() == make((4,)).tolist()


def test_views_whose_elements_share_places_are_read_only():
    row = mx.arange(4)
    for x in (mx.broadcast_to(row, (3, 4)), mx.as_strided(row, (3, 2), (1, 1))):
        view = np.asarray(x)
        assert not view.flags.writeable and memoryview(x).readonly
        np.testing.assert_array_equal(view, np.array(x.tolist()))
        with pytest.raises(ValueError):
            view[0, 0] = 5
        # A consumer of DLPack gets elements of its own.
        exported = np.from_dlpack(x)
        np.testing.assert_array_equal(exported, view)
        assert 0 not in exported.strides
        with pytest.raises(BufferError):
            x.__dlpack__(copy=False)
    assert row.tolist() == [0, 1, 2, 3]


def test_strides_of_views():
    assert memoryview(mx.zeros((4, 2)).T).shape == (2, 4)
    wide = mx.broadcast_to(mx.arange(2).reshape(1, 2, 1), (3, 2, 1))
    assert np.asarray(wide).strides[:2] == (0, 4)
    assert memoryview(mx.ones((1,))).strides == (4,)
    assert memoryview(mx.from_dlpack(np.arange(8, dtype=np.int32).reshape(2, 4)[:, ::2])).strides \
        == (16, 8)
    wide = np.zeros((4, 1000), np.float32)[:, ::500]
    assert memoryview(mx.from_dlpack(wide)).strides == (8, 4)


class Tensor(ctypes.Structure):
    """The beginning of DLPack's DLManagedTensor."""

    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32),
                ("device_id", ctypes.c_int32), ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8),
                ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16),
                ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("byte_offset", ctypes.c_uint64)]


def consumed(array, **keywords):
    """Strides and values as a consumer finds them that trusts no negative stride."""
    capsule = array.__dlpack__(**keywords)
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    tensor = Tensor.from_address(pointer(capsule, b"dltensor"))
    shape, strides = tensor.shape[:tensor.ndim], tensor.strides[:tensor.ndim]
    assert tensor.bits == 32 and all(s >= 0 for s in strides)
    at = np.indices(shape).reshape(tensor.ndim, -1).T @ np.array(strides, np.int64)
    memory = (ctypes.c_int32 * (int(at.max()) + 1)).from_address(tensor.data + tensor.byte_offset)
    return strides, np.array(memory)[at].reshape(shape)


@pytest.mark.parametrize("flipped", [
    lambda x: x[::-1], lambda x: x[:, ::-1], lambda x: mx.flip(x), lambda x: x[::-2, 1:].T])
def test_dlpack_of_negative_strides_is_a_dense_copy(flipped):
    x = flipped(mx.arange(12).reshape(3, 4))
    expected = flipped(np.arange(12).reshape(3, 4)) if not isinstance(x, np.ndarray) else x
    strides, values = consumed(x)
    np.testing.assert_array_equal(values, np.array(expected))
    assert strides == [x.shape[1], 1]
    np.testing.assert_array_equal(np.from_dlpack(x), np.array(expected))
    with pytest.raises(BufferError):
        x.__dlpack__(copy=False)
    assert np.asarray(x).strides != tuple(4 * s for s in strides)  # NumPy takes them as they are


def test_dlpack_of_dense_arrays_is_shared():
    x = mx.arange(6).reshape(2, 3) + 0
    np.from_dlpack(x)[1, 2] = 50
    assert x.tolist() == [[0, 1, 2], [3, 4, 50]]
    assert consumed(x.T)[0] == [1, 3]
    assert consumed(x[:, 1:], copy=False)[0] == [3, 1]


@pytest.mark.parametrize("view", [lambda x: x, lambda x: x.T, lambda x: x[:, ::2], lambda x: x[:0],
                                  lambda x: x[1, 1]])
def test_complex128_by_dlpack(view):
    x = view((np.arange(6) + 1j * np.arange(6, 12)).reshape(2, 3))
    y = mx.from_dlpack(x)
    assert y.dtype == mx.complex64 and y.shape == x.shape
    np.testing.assert_array_equal(np.array(y), x)
    infinite = mx.from_dlpack(np.array([complex(1, np.inf), complex(np.nan, 2)]))
    assert infinite[0].item() == complex(1, np.inf) and infinite[1].item().imag == 2
    with pytest.raises(ValueError):
        mx.from_dlpack(x, copy=False)


@pytest.mark.parametrize("call", [
    lambda x: x.__array__(None, 3), lambda x: x.__array__("no such type"),
    lambda x: x.__dlpack__(max_version=3),
    lambda x: x.__dlpack__(dl_device="cpu"), lambda x: x.__dlpack__(copy="yes"),
    lambda x: mx.load("x.npy", format=3), lambda x: mx.sum(x, axis=2**32),
    lambda x: mx.save_gguf("/no", {"a": x}, {"k": [1]}),
    lambda x: mx.save_gguf("/no", {"a": x}, {3: "v"}),
    lambda x: mx.save_safetensors("/no", {"a": x}, {"k": 1}),
    lambda x: mx.save_safetensors("/no", {1: x})])
def test_wrong_types_are_type_errors(call):
    with pytest.raises(TypeError) as caught:
        call(mx.zeros(2))
    assert "std::" not in str(caught.value)
