"""The signature table: every example runs, every name of the oracle has a state."""

import doctest
from operator import attrgetter
from pathlib import Path

import lazuli.core as mx
import pytest

FOLDER = Path(__file__).parents[2] / "src" / "ops" / "signatures"
LIST = r"""
import types
result = []
for prefix in ("core", "fast", "linalg", "fft", "random", "distributed", "metal", "cuda"):
    place = mx if prefix == "core" else getattr(mx, prefix)
    result += [f"{prefix}.{name}" for name in dir(place) if name[0] != "_"
               and not isinstance(getattr(place, name), types.ModuleType)]
"""


def states():
    lines = (FOLDER / "oracle_names.txt").read_text().splitlines()
    return dict(line.split() for line in lines)


def found(name):
    place, _, last = name.partition(".")
    return hasattr(mx if place == "core" else getattr(mx, place, None), last)


ROWS = [name.removeprefix("core.") for name, state in states().items() if state == "row"]


@pytest.mark.parametrize("name", ROWS)
def test_example(name):
    documentation = attrgetter(name)(mx).__doc__
    assert "Shape: " in documentation and "Dtype: " in documentation
    example = doctest.DocTestParser().get_doctest(documentation, {"mx": mx}, name, None, 0)
    assert example.examples
    report = []
    doctest.DocTestRunner(verbose=False).run(example, out=report.append)
    assert not report, "".join(report)


def test_every_name_of_the_oracle_is_listed(oracle):
    assert sorted(set(oracle.run(LIST)) - set(states())) == []


def test_states_are_true():
    wrong = {name for name, state in states().items() if found(name) != (state != "missing")}
    assert not wrong
