"""DLPack: memory shared with other libraries. A stand-in (LAZULI_FAKE_DEVICE) takes the GPU's
place; PyTorch's tensors need a real one."""

import os
import subprocess
import sys

import lazuli.core as mx
import numpy as np
import pytest

# The device type and the handles of the stand-in's streams, as any consumer gets them.
HEADER = """
import enum
import lazuli.core as mx
gpu = mx.exp(mx.zeros((4, 6)), stream=mx.gpu)
there = gpu.__dlpack_device__()
assert there[0] != 1 and there[1] == 0
class Kind(enum.IntEnum):
    there = there[0]
class Old:
    '''A producer from before there were versions.'''
    def __init__(self, array):
        self.array, self.streams = array, []
    def __dlpack_device__(self):
        return (Kind.there, 0)
    def __dlpack__(self, stream=None):
        self.streams.append(stream)
        return self.array.__dlpack__(stream=stream)
"""


def on_stand_in(script):
    environment = {**os.environ, "LAZULI_FAKE_DEVICE": "1",
                   "PYTHONPATH": os.path.dirname(os.path.dirname(mx.__file__))}
    done = subprocess.run([sys.executable, "-c", HEADER + script], env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout


def test_memory_of_the_gpu_is_shared():
    on_stand_in("""
before = mx.get_active_memory(mx.gpu)
x = mx.from_dlpack(gpu)
assert mx.get_active_memory(mx.gpu) == before and x.__dlpack_device__() == there
assert x.tolist() == [[1.0] * 6] * 4 and mx.sum(x, stream=mx.cpu).item() == 24
assert mx.sum(x[1:3, ::2].T, stream=mx.gpu).item() == 6
del gpu
assert mx.sum(x, stream=mx.gpu).item() == 24
for copied in (mx.from_dlpack(x, copy=True), mx.array(Old(x)), mx.array(Old(x), mx.float16)):
    assert mx.get_active_memory(mx.gpu) > before and mx.sum(copied).item() == 24
""")


def test_views_of_the_gpu_keep_their_strides():
    on_stand_in("""
x = mx.arange(24, stream=mx.gpu).reshape(4, 6)
y = mx.from_dlpack(x.T[1:5:2])
assert y.tolist() == x.T[1:5:2].tolist() and y.dtype == x.dtype
assert mx.from_dlpack(mx.zeros((0, 3), stream=mx.gpu)).shape == (0, 3)
scalar = mx.from_dlpack(mx.add(mx.array(2.0), 3.0, stream=mx.gpu))
assert scalar.shape == () and scalar.item() == 5
""")


def test_exports_of_the_gpu_have_places_of_their_own():
    on_stand_in("""
x = mx.add(mx.arange(6, stream=mx.gpu), 0, stream=mx.gpu)
for view in (mx.flip(x, stream=mx.gpu), mx.broadcast_to(x, (2, 6), stream=mx.gpu)):
    capsule = view.__dlpack__(stream=1)
    assert "dltensor" in repr(capsule)
    assert mx.from_dlpack(view).tolist() == view.tolist()
    try:
        view.__dlpack__(stream=1, copy=False)
        raise AssertionError(view)
    except BufferError:
        pass
constant = mx.full((3,), mx.add(mx.array(1.0), 1.0, stream=mx.gpu), stream=mx.gpu)
shared = mx.from_dlpack(constant, copy=False)
assert shared.tolist() == [2.0] * 3 and constant.tolist() == [2.0] * 3
try:
    mx.zeros(2, stream=mx.gpu).__dlpack__(stream="x", dl_device=there)
    raise AssertionError("a stream that is no number")
except TypeError as error:
    assert "stream" in str(error) and "str" in str(error)
""")


def test_the_producer_is_told_of_our_stream():
    on_stand_in("""
old = Old(gpu)
assert mx.from_dlpack(old).tolist() == gpu.tolist()
assert isinstance(old.streams[0], int) and old.streams[0] > 2
class Failing(Old):
    def __dlpack__(self, stream=None):
        raise BufferError("not today")
for producer, error in ((Failing(gpu), BufferError), (Old(mx.zeros(3)), ValueError)):
    try:
        mx.from_dlpack(producer)
        raise AssertionError(error)
    except error:
        pass
""")


def test_a_consumer_chooses_stream_and_device():
    on_stand_in("""
import numpy as np
for stream in (None, 1, 2, -1):
    assert "dltensor" in repr(gpu.__dlpack__(stream=stream))
assert "versioned" in repr(gpu.__dlpack__(stream=1, max_version=(1, 0)))
for stream in (0, -2):
    try:
        gpu.__dlpack__(stream=stream)
        raise AssertionError(stream)
    except ValueError as error:
        assert "stream" in str(error)
for keywords in (dict(dl_device=(2, 7)), dict(dl_device=(1, 0), copy=False)):
    try:
        gpu.__dlpack__(**keywords)
        raise AssertionError(keywords)
    except BufferError:
        pass
assert np.from_dlpack(gpu, device="cpu").sum() == 24
assert np.from_dlpack(mx.zeros(3) + 1, device="cpu").sum() == 3
host = mx.array([1.0, 2.0])
assert host.__dlpack_device__() == (1, 0)
assert "dltensor" in repr(host.__dlpack__(dl_device=there))
assert host.tolist() == [1.0, 2.0]
assert "dltensor" in repr(gpu.__dlpack__(dl_device=there, copy=True))
""")


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    if not torch.cuda.is_available():
        pytest.skip("PyTorch finds no GPU")
    if not mx.is_available(mx.gpu):
        pytest.skip(mx.why_unavailable(mx.gpu))
    return torch


def test_a_tensor_of_pytorch_is_read_where_it_lies(torch):
    with torch.cuda.stream(torch.cuda.Stream()):
        tensor = torch.arange(1 << 20, device="cuda", dtype=torch.float32)
        for _ in range(20):
            tensor = torch.sin(tensor)
        x = mx.from_dlpack(tensor)
        wanted = torch.cos(tensor).double().sum().item()
    assert x.__dlpack_device__() == (2, 0)
    total = mx.sum(mx.cos(x, stream=mx.gpu), stream=mx.gpu).item()
    assert total == pytest.approx(wanted, abs=8)
    matrix = torch.arange(12, device="cuda").reshape(3, 4).T[1:]
    assert mx.from_dlpack(matrix).tolist() == matrix.tolist()
    assert mx.array(matrix.to(torch.bfloat16)).dtype == mx.bfloat16


def test_pytorch_reads_an_array_where_it_lies(torch):
    x = mx.exp(mx.zeros((1 << 16,)), stream=mx.gpu)
    for _ in range(20):
        x = mx.sin(x, stream=mx.gpu)
    mx.async_eval(x)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        tensor = torch.from_dlpack(x)
        assert tensor.is_cuda and tensor.data_ptr() == torch.from_dlpack(x).data_ptr()
        again = tensor.cpu()
    np.testing.assert_array_equal(np.array(x), again.numpy())
    with torch.cuda.stream(stream):
        tensor.fill_(2.0)
    del tensor, again
    # The end of the export orders what was written before it.
    assert mx.sum(x, stream=mx.gpu).item() == 2.0 * (1 << 16)
    assert x[17].item() == 2.0


def test_memory_goes_back_and_forth_many_times(torch):
    before = mx.get_active_memory(mx.gpu)
    for k in range(200):
        x = mx.full((1 << 18,), float(k), stream=mx.gpu)
        tensor = torch.from_dlpack(x) * 2
        del x
        y = mx.from_dlpack(tensor)
        del tensor
        z = mx.add(y, 1.0, stream=mx.gpu)
        del y
        assert z[k].item() == 2 * k + 1
    del z
    assert mx.get_active_memory(mx.gpu) <= before + (1 << 21)
