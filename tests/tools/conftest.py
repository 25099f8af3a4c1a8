"""Lets the tests import the tools, and gives them small checkouts to look at."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tools" / "dev")]


@pytest.fixture
def checkout(tmp_path):
    """A function that writes files into a fresh git checkout and returns its Tree."""
    from tidy.source import Tree

    subprocess.run(["git", "init", "-q", tmp_path], check=True)

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Tree(tmp_path)

    return write
