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
