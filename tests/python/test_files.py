"""Files, against NumPy and the oracle's own readers and writers."""

import io
import json
import pathlib

import lazuli.core as mx
import numpy as np
import pytest

NAMES = ["bool_", "uint8", "int16", "int32", "int64", "uint64", "float16", "float32", "float64",
         "complex64"]


def sample(name):
    return mx.array([[0, 1, 2], [3, 4, 5]]).astype(getattr(mx, name))


@pytest.mark.parametrize("name", NAMES)
def test_npy(tmp_path, name):
    x = sample(name).T
    mx.save(tmp_path / "x.npy", x)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), np.array(x))
    back = mx.load(str(tmp_path / "x.npy"))
    assert back.dtype == x.dtype and back.tolist() == x.tolist()
    memory = io.BytesIO()
    mx.save(memory, x)
    memory.seek(0)
    assert mx.load(memory, format="npy").tolist() == x.tolist()


@pytest.mark.parametrize("save", [mx.savez, mx.savez_compressed])
def test_npz(tmp_path, save):
    x, y = mx.arange(5), mx.ones((2, 2))
    save(tmp_path / "a", x, named=y)
    with np.load(tmp_path / "a.npz") as archive:
        np.testing.assert_array_equal(archive["arr_0"], np.arange(5))
        np.testing.assert_array_equal(archive["named"], np.ones((2, 2)))
    back = mx.load(tmp_path / "a.npz")
    assert back["arr_0"].tolist() == x.tolist() and back["named"].tolist() == y.tolist()
    with pytest.raises(ValueError):
        save(tmp_path / "b", x, arr_0=y)


def test_safetensors(tmp_path):
    arrays = {"a": mx.ones((2, 3), mx.bfloat16), "b.c": mx.arange(4)}
    mx.save_safetensors(tmp_path / "m.safetensors", arrays, {"kind": "test"})
    back, metadata = mx.load(tmp_path / "m.safetensors", return_metadata=True)
    assert metadata == {"kind": "test"} and back["a"].dtype == mx.bfloat16
    assert back["b.c"].tolist() == [0, 1, 2, 3]
    memory = io.BytesIO()
    mx.save_safetensors(memory, arrays)
    memory.seek(0)
    assert mx.load(memory, format="safetensors")["b.c"].tolist() == [0, 1, 2, 3]


def test_gguf(tmp_path):
    metadata = {"name": "test", "list": ["x", "y"], "n": mx.array(3)}
    mx.save_gguf(str(tmp_path / "m.gguf"), {"w": mx.ones((2, 4))}, metadata)
    arrays, values = mx.load(str(tmp_path / "m.gguf"), return_metadata=True)
    assert arrays["w"].tolist() == np.ones((2, 4)).tolist()
    assert values["name"] == "test" and values["list"] == ["x", "y"] and values["n"].item() == 3


def test_the_oracle_reads_what_is_written_and_writes_what_is_read(tmp_path, oracle):
    mx.savez(tmp_path / "ours.npz", a=mx.arange(3))
    mx.save_safetensors(tmp_path / "ours.safetensors", {"b": mx.ones(2, mx.bfloat16)})
    theirs = json.dumps(str(tmp_path / "theirs.safetensors"))
    program = f"""
a = mx.load({json.dumps(str(tmp_path / "ours.npz"))})["a"]
b = mx.load({json.dumps(str(tmp_path / "ours.safetensors"))})["b"]
mx.save_safetensors({theirs}, {{"c": mx.array([1.5, 2.5], mx.float16)}}, {{"k": "v"}})
result = [a.tolist(), b.tolist(), str(b.dtype)]
"""
    assert oracle.run(program) == [[0, 1, 2], [1, 1], "mlx.core.bfloat16"]
    arrays, metadata = mx.load(tmp_path / "theirs.safetensors", return_metadata=True)
    assert arrays["c"].tolist() == [1.5, 2.5] and metadata["k"] == "v"


@pytest.mark.parametrize("name, error", [
    ("missing.npy", RuntimeError), ("missing.safetensors", RuntimeError), ("missing", ValueError),
    ("missing.xyz", ValueError), ("missing.npz", ValueError)])
def test_errors(tmp_path, name, error):
    with pytest.raises(error):
        mx.load(tmp_path / name)


def test_damaged_files_and_wrong_arguments(tmp_path):
    damaged = pathlib.Path(tmp_path / "x.npy")
    damaged.write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(RuntimeError):
        mx.load(damaged)
    with pytest.raises(RuntimeError):
        mx.load(io.BytesIO(b"\x93NUMPY\x01\x00"), format="npy")
    with pytest.raises(RuntimeError):
        mx.save(tmp_path / "no" / "x.npy", mx.ones(1))
    with pytest.raises(TypeError):
        mx.save_safetensors(tmp_path / "x.safetensors", {"a": 1})
    with pytest.raises(ValueError):
        mx.load(3, format="npy")
