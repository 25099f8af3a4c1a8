"""The signature table: every example runs, every name of the oracle has a state."""

import doctest
import sys
from operator import attrgetter
from pathlib import Path

import lazuli.core as mx
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
from signatures.places import ROWS  # noqa: E402
from signatures.rows import read_families  # noqa: E402

LIST = r"""
import types
result = []
for prefix in ("core", "fast", "linalg", "fft", "random", "distributed", "metal", "cuda"):
    place = mx if prefix == "core" else getattr(mx, prefix)
    result += [f"{prefix}.{name}" for name in dir(place) if name[0] != "_"
               and not isinstance(getattr(place, name), types.ModuleType)]
"""
FUNCTIONS = {".".join(filter(None, (family.module, name))): row
             for family in read_families() for row in family.rows
             if not row.cpp_only and not row.overload for name in [row.name, *row.aliases]}


def states():
    lines = (ROWS / "oracle_names.txt").read_text().splitlines()
    return {line.split()[0]: line.split()[1:] for line in lines}


def found(name):
    place, _, last = name.partition(".")
    return hasattr(mx if place == "core" else getattr(mx, place, None), last)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_example(name):
    documentation = attrgetter(name)(mx).__doc__
    assert FUNCTIONS[name].documentation in documentation
    example = doctest.DocTestParser().get_doctest(documentation, {"mx": mx}, name, None, 0)
    assert example.examples
    report = []
    doctest.DocTestRunner(verbose=False).run(example, out=report.append)
    assert not report, "".join(report)


@pytest.mark.parametrize("name", sorted(name for name, row in FUNCTIONS.items() if row.method))
def test_methods_have_the_documentation(name):
    row = FUNCTIONS[name]
    assert row.documentation in getattr(mx.array, row.method.name).__doc__


def test_every_name_of_the_oracle_is_listed(oracle):
    assert sorted(set(oracle.run(LIST)) - set(states())) == []


def test_states_are_true():
    """A name is there exactly if it has a row; else the list says what brings it."""
    for name, state in states().items():
        assert found(name) == (state == ["row"]), name
        assert state == ["row"] or (state[0] == "missing" and len(state) == 2), name
