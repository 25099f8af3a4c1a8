"""Files, against NumPy and the oracle's own readers and writers."""

import io
import json
import os
import pathlib
import struct
import warnings

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


def test_names_with_nul(tmp_path):
    arrays = {"a\0b": mx.zeros(1), "a\0c": mx.ones(1), "a": mx.full(1, 2.0)}
    mx.save_safetensors(tmp_path / "m.safetensors", arrays, {"k\0": "v\0w", "k": "v"})
    back, metadata = mx.load(tmp_path / "m.safetensors", return_metadata=True)
    assert {name: value.item() for name, value in back.items()} == {"a\0b": 0, "a\0c": 1, "a": 2}
    assert metadata == {"k\0": "v\0w", "k": "v"}
    mx.save_gguf(tmp_path / "m.gguf", arrays, {"k\0": "v\0w", "k": ["\0", "x\0y"]})
    back, metadata = mx.load(tmp_path / "m.gguf", return_metadata=True)
    assert {name: value.item() for name, value in back.items()} == {"a\0b": 0, "a\0c": 1, "a": 2}
    assert metadata == {"k\0": "v\0w", "k": ["\0", "x\0y"]}
    with pytest.raises(ValueError):
        mx.savez(tmp_path / "m.npz", **{"a\0b": mx.zeros(1)})
    for save in (mx.save, mx.savez):
        with pytest.raises(ValueError):
            save(str(tmp_path / "m\0.npy"), mx.zeros(1))
    with pytest.raises(ValueError):
        mx.load(str(tmp_path / "m.safetensors\0"), format="safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.gguf", "m.npz", "m.safetensors"]


def test_paths_that_are_no_utf8(tmp_path):
    name = os.fsencode(tmp_path) + b"/\xff.npy"
    for path in (name, os.fsdecode(name), pathlib.Path(os.fsdecode(name))):
        mx.save(path, mx.arange(3))
        assert mx.load(path).tolist() == [0, 1, 2]
        os.remove(name)
    mx.savez(os.fsdecode(name)[:-4], x=mx.arange(3))
    assert mx.load(os.fsdecode(name)[:-4] + ".npz")["x"].tolist() == [0, 1, 2]


def write_safetensors(path, dtypes):
    """A file with two bytes for each name."""
    header = {name: {"dtype": dtype, "shape": [2] if dtype != "F16" else [1],
                     "data_offsets": [2 * i, 2 * i + 2], "more": {"a": [1]}}
              for i, (name, dtype) in enumerate(dtypes.items())}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes([0x38, 0x40] * len(dtypes)))


def test_a_tensor_of_another_dtype_hides_no_other(tmp_path):
    path = tmp_path / "m.safetensors"
    write_safetensors(path, {"a": "F8_E8M0", "b": "F4", "c": "F8_E5M2", "d": "F16"})
    with pytest.warns(UserWarning, match=r"left out: b \(F4\)"):
        arrays = mx.load(path)
    assert sorted(arrays) == ["a", "c", "d"]
    assert arrays["a"].dtype == mx.uint8 and arrays["a"].tolist() == [0x38, 0x40]
    assert arrays["d"].dtype == mx.float16
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_safetensors(path, {"a": "F8_E8M0", "d": "F16"})
        assert sorted(mx.load(path)) == ["a", "d"]


def test_gguf_keeps_bfloat16(tmp_path):
    large = mx.array([1e30, 1.5], mx.bfloat16)
    mx.save_gguf(tmp_path / "m.gguf", {"a": large})
    back = mx.load(tmp_path / "m.gguf")["a"]
    assert back.dtype == mx.bfloat16 and back.tolist() == large.tolist()


def test_the_name_of_an_open_file_tells_the_format(tmp_path):
    mx.save(tmp_path / "x.npy", mx.arange(3))
    mx.savez(tmp_path / "x.npz", a=mx.arange(3))
    mx.save_safetensors(tmp_path / "x.safetensors", {"a": mx.arange(3)})
    with open(tmp_path / "x.npy", "rb") as file:
        assert mx.load(file).tolist() == [0, 1, 2]
    for name in ("x.npz", "x.safetensors"):
        with open(tmp_path / name, "rb") as file:
            assert mx.load(file)["a"].tolist() == [0, 1, 2]
    with pytest.raises(ValueError):
        mx.load(io.BytesIO(b""))
    with open(os.open(tmp_path / "x.npy", os.O_RDONLY), "rb") as file, pytest.raises(ValueError):
        mx.load(file)  # its name is a number


@pytest.mark.parametrize("ending", ["npy", "safetensors", "gguf"])
def test_a_file_that_is_read_may_be_truncated(tmp_path, ending):
    path = tmp_path / f"x.{ending}"
    save = {"npy": mx.save, "safetensors": mx.save_safetensors, "gguf": mx.save_gguf}[ending]
    x = mx.arange(100_000)
    save(path, x if ending == "npy" else {"a": x})
    back = mx.load(path, mmap=False)
    os.truncate(path, 0)
    assert (back if ending == "npy" else back["a"])[-1].item() == 99_999
