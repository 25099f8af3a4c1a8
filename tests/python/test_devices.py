"""Devices: which there are, and what is said of those that are missing."""

import lazuli.core as mx
import pytest


def test_a_missing_device_says_why():
    assert mx.is_available(mx.cpu) and mx.why_unavailable(mx.cpu) == ""
    assert mx.is_available(mx.gpu) == (mx.why_unavailable(mx.gpu) == "")
    missing = mx.Device(mx.gpu, 7)
    assert not mx.is_available(missing)
    for ask in (mx.new_stream, mx.set_default_device, mx.device_info):
        with pytest.raises(ValueError) as error:
            ask(missing)
        assert mx.why_unavailable(missing) in str(error.value)


def test_what_numpy_writes_into_an_export_is_what_the_array_holds():
    numpy = pytest.importorskip("numpy")
    a = mx.exp(mx.zeros((8,)))
    mx.eval(a, a + 1)
    view = numpy.asarray(memoryview(a))
    view[3] = 5.0
    assert mx.sum(a).item() == 12.0
    view[4] = 6.0
    assert mx.sum(a).item() == 17.0


def test_memory_belongs_to_a_device():
    x = mx.add(mx.zeros(1 << 20), 1, stream=mx.cpu)
    before = mx.get_active_memory(mx.cpu)
    mx.eval(x)
    assert mx.get_active_memory(device=mx.cpu) >= before + (1 << 22)
    assert mx.get_memory_limit() == mx.get_memory_limit(mx.default_device())
    limit = mx.set_memory_limit(1 << 40, device=mx.cpu)
    assert mx.set_memory_limit(limit, mx.cpu) == 1 << 40
    with pytest.raises(ValueError):
        mx.get_cache_memory(mx.Device(mx.gpu, 7))
