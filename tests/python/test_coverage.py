"""What the C++ API has, and the oracle's Python API too, is there in Python."""

import re
from pathlib import Path

import lazuli.core as mx
import pytest

HEADERS = Path(__file__).parents[2] / "include" / "lazuli"
# The C++ function does something else than the Python function of that name: static bounds.
OTHERS = {"slice", "slice_update"}


PLACES = [(name, "") for name in ("transforms.h", "memory.h", "device.h", "io.h")]
PLACES += [(f"ops/{path.name}", "") for path in sorted((HEADERS / "ops").glob("*.h"))]
PLACES += [(f"{name}.h", name) for name in ("fast", "random", "linalg", "fft")
           if (HEADERS / f"{name}.h").exists()]


@pytest.mark.parametrize("header, place", PLACES)
def test_every_function_of_the_header(oracle, header, place):
    declared = set(re.findall(r"^[\w:<>, ]*?\b(\w+)\(", (HEADERS / header).read_text(), re.M))
    declared |= set(re.findall(r"\b(?:LAZULI_[A-Z]+)\((\w+)\)", (HEADERS / header).read_text()))
    known = oracle.run(f"result = dir(mx.{place})" if place else "result = dir(mx)")
    wanted = {name for name in declared & set(known) if name not in OTHERS}
    assert wanted
    ours = getattr(mx, place, None) if place else mx
    assert sorted(name for name in wanted if not hasattr(ours, name)) == []
