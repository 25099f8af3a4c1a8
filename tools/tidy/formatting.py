"""Formatting by the pinned clang-format. Files on the ratchet may wait; others may not."""

import functools
import subprocess
from concurrent.futures import ThreadPoolExecutor

from tidy.source import Finding

MEND = "./dev tidy --fix"


def program(tree):
    return tree.root / ".cache" / "venv" / "bin" / "clang-format"


def checked(tree):
    return [path for path in tree.cpp if not tree.generated(path)]


def first_difference(tree, path):
    """The first line that clang-format would change, or None."""
    done = subprocess.run([program(tree), path], cwd=tree.root, stdout=subprocess.PIPE, text=True,
                          check=True)
    old, new = tree.text(path).splitlines(), done.stdout.splitlines()
    if old == new:
        return None
    return next((number for number, pair in enumerate(zip(old, new), 1) if pair[0] != pair[1]),
                min(len(old), len(new)))


@functools.lru_cache(maxsize=None)
def unformatted(tree):
    """A dictionary from path to the first line out of form."""
    with ThreadPoolExecutor(2) as pool:
        lines = pool.map(lambda path: first_difference(tree, path), checked(tree))
    return {path: line for path, line in zip(checked(tree), lines) if line is not None}


def check(tree, waiting):
    """Compares with the ratchet, a list of files that were never formatted."""
    for path, line in unformatted(tree).items():
        if path not in waiting:
            yield Finding(path, line, "is not formatted", MEND)


def fix(tree):
    for path in unformatted(tree):
        subprocess.run([program(tree), "-i", path], cwd=tree.root, check=True)
