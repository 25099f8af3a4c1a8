"""The type stubs say what the package has, and the examples of the documentation fit them."""

import os
import subprocess
import sys
from doctest import DocTestParser
from pathlib import Path

import lazuli
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
from signatures.rows import read_families  # noqa: E402

PACKAGE = Path(lazuli.__file__).parent


def check(*command):
    pytest.importorskip("mypy", reason="mypy is not installed: run ./dev setup")
    environment = os.environ | {"MYPYPATH": str(PACKAGE.parent), "PYTHONPATH": str(PACKAGE.parent),
                                "MYPY_CACHE_DIR": os.devnull}
    done = subprocess.run([sys.executable, *command], env=environment, cwd=PACKAGE.parent,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


def test_stubs_say_what_is_there():
    check(Path(__file__).parent / "check_stubs.py")


def examples():
    """One function for each example of the rows."""
    lines = ["import lazuli.core as mx"]
    for family in read_families():
        for row in family.rows:
            if row.overload:
                continue
            lines.append(f"def {family.module or 'core'}_{row.name}() -> None:\n    pass")
            for example in DocTestParser().get_examples(row.documentation):
                lines += [f"    {line}" for line in example.source.rstrip().split("\n")]
    return "\n".join(line for line in lines) + "\n"


def test_examples_fit_the_stubs(tmp_path):
    path = tmp_path / "examples.py"
    path.write_text(examples())
    check("-m", "mypy", "--strict", "--allow-redefinition", path)
