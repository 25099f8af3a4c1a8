"""The Python environments in .cache, each filled from a list with hashes."""

import shutil
import sys

from console import CACHE, REQUIREMENTS, run, step
from stamps import digest, done, mark


# Of this Python, whatever environment it was started from: one of those made here may be rebuilt.
PYTHON = getattr(sys, "_base_executable", sys.executable)


def ensure(name, requirements, reason):
    """Makes .cache/<name> hold exactly what tools/requirements/<requirements>.txt pins."""
    place = CACHE / name
    pinned = REQUIREMENTS / f"{requirements}.txt"
    key = digest(sys.version, PYTHON, place.resolve(), pinned.read_bytes())
    stamp = f"environment-{name}"
    if (place / "bin" / "python").exists() and done(stamp, key):
        return
    step(f"Python environment .cache/{name}: {reason}")
    shutil.rmtree(place, ignore_errors=True)
    run([PYTHON, "-m", "venv", place], quiet=True,
        mend="Python cannot make virtual environments; on Debian: apt-get install python3-venv")
    run([place / "bin" / "pip", "install", "--quiet", "--require-hashes", "-r", pinned], quiet=True,
        mend="Installing needs the network once; afterwards ./dev setup works without it.")
    mark(stamp, key)
