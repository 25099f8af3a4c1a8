"""The Llama family on small models: what NumPy writes too, and files that are refused."""

import json
import os
import subprocess

import numpy as np
import pytest
import toy_llama
from toy_model import ARRAY, FLOAT32, STRING, UINT32

PROGRAM = os.environ["LAZULI_PROGRAM"]
STRETCH = np.array([1.0, 1.5, 3.0, 8.0], np.float32)
FORMS = {
    "llama": {},
    "every head its own keys": {
        "form": {"kv_heads": toy_llama.HEADS}, "metadata": {"attention.head_count_kv": None}},
    "an output matrix": {"form": {"tied": False}},
    "larger heads": {"form": {"head_size": 12}, "metadata": {"attention.key_length": (UINT32, 12)},
                     "rope": {"features": 12}},
    "heads that turn in part": {"metadata": {"rope.dimension_count": (UINT32, 4)},
                                "rope": {"features": 4}},
    "scaled positions": {"metadata": {"rope.scaling.type": (STRING, "linear"),
                                      "rope.scaling.factor": (FLOAT32, 4.0)},
                         "rope": {"scale": 0.25}},
    "stretched waves": {"tensors": {"rope_freqs.weight": STRETCH}, "rope": {"stretch": STRETCH}},
    "qwen2": {"architecture": "qwen2", "form": {"biased": True}, "rope": {"neighbours": False}},
}


def generate(path, *arguments):
    return subprocess.run([PROGRAM, "generate", "-m", path, *arguments], capture_output=True,
                          timeout=120, check=False)


def write(path, case):
    """Writes a case of FORMS and returns its weights."""
    architecture = case.get("architecture", "llama")
    changed = {f"{architecture}.{key}": entry for key, entry in case.get("metadata", {}).items()}
    toy_llama.write(path, architecture, changed, case.get("tensors"), **case.get("form", {}))
    return toy_llama.tensors(**case.get("form", {}))


@pytest.mark.parametrize("form", FORMS)
def test_numpy_writes_the_same(tmp_path, form):
    path = tmp_path / "toy.gguf"
    weights = write(path, FORMS[form])
    rope = {"neighbours": True, "features": toy_llama.HEAD_SIZE, **FORMS[form].get("rope", {})}
    for prompt in ("a", "Once upon a time"):
        done = generate(path, "--json", "-n", "24", prompt)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["prompt_tokens"] == len(prompt)
        assert told["text"] == toy_llama.continuation(weights, prompt, 24, **rope)


@pytest.mark.parametrize("key, entry, problem", [
    ("rope.scaling.type", (STRING, "yarn\x1b"), "is 'yarn\\x1b'; none and linear are supported"),
    ("rope.dimension_count", (UINT32, 5), "is 5; an even number up to the head size, 8"),
    ("rope.dimension_count", (UINT32, 10), "is 10; an even number up to the head size, 8"),
    ("attention.head_count", (UINT32, 64), "is 64, more than the 32 features"),
    ("attention.head_count_kv", (UINT32, 3), "is 4, no multiple of the 3 heads"),
    ("block_count", (UINT32, 1), "is 1, but the file has more layers"),
])
def test_settings_that_cannot_be(tmp_path, key, entry, problem):
    path = toy_llama.write(tmp_path / "odd.gguf", "llama", {f"llama.{key}": entry})
    done = generate(path, "hi")
    assert (done.returncode, done.stdout) == (1, b"")
    message = done.stderr.decode()
    assert str(path) in message and problem in message
    assert "\x1b" not in message


def test_scaling_needs_a_factor(tmp_path):
    for factor in (None, (FLOAT32, 0.0), (FLOAT32, float("nan"))):
        path = toy_llama.write(tmp_path / "odd.gguf", "llama", {
            "llama.rope.scaling.type": (STRING, "linear"), "llama.rope.scaling.factor": factor})
        done = generate(path, "hi")
        assert (done.returncode, done.stdout) == (1, b"")
        assert b"llama.rope.scaling.factor" in done.stderr


@pytest.mark.parametrize("tensor, shape", [
    ("blk.0.attn_q.bias", (31,)), ("blk.1.attn_v.bias", (32,)), ("blk.0.attn_k.bias", (1, 16)),
    ("rope_freqs.weight", (8,)), ("output.weight", (96, 31)), ("blk.1.ffn_down.weight", (32, 32)),
])
def test_shapes_that_do_not_fit(tmp_path, tensor, shape):
    path = toy_llama.write(tmp_path / "odd.gguf", "llama", None,
                           {tensor: np.ones(shape, np.float32)})
    done = generate(path, "hi")
    assert (done.returncode, done.stdout) == (1, b"")
    text = ", ".join(map(str, shape))
    assert f"tensor '{tensor}' has the shape [{text}]" in done.stderr.decode()
    assert str(path) in done.stderr.decode()


@pytest.mark.parametrize("tensor", ["output_norm.weight", "blk.1.attn_output.weight"])
def test_tensors_that_are_missing(tmp_path, tensor):
    path = toy_llama.write(tmp_path / "odd.gguf", "llama", None, {tensor: None})
    done = generate(path, "hi")
    assert done.returncode == 1
    assert tensor.encode() in done.stderr and str(path).encode() in done.stderr


def test_a_tokenizer_that_is_damaged(tmp_path):
    for key, entry in (("merges", (ARRAY, (STRING, ["a b"]))), ("merges", None),
                       ("pre", (STRING, "other")), ("merges", (STRING, "a b"))):
        path = toy_llama.write(tmp_path / "odd.gguf", "llama", {f"tokenizer.ggml.{key}": entry})
        done = generate(path, "hi")
        assert (done.returncode, done.stdout) == (1, b"")
        assert f"tokenizer.ggml.{key}" in done.stderr.decode()
        assert str(path) in done.stderr.decode()
