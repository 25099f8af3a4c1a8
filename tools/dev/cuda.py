"""NVIDIA's run-time compiler in .cache/cuda: tests compile every kernel with it, and the GPU needs
it where the program runs. It needs no GPU itself."""

import platform

import archives
import stamps
from console import CACHE, Failure, step

TARGET = CACHE / "cuda"
LEFT_OUT = "without-cuda"


def choose(wanted):
    """Remembers whether the compiler is to be there."""
    stamps.mark(LEFT_OUT, "" if wanted else "left out")


def is_wanted():
    return platform.machine() == "x86_64" and not stamps.done(LEFT_OUT, "left out")


def ensure(rows):
    """Makes .cache/cuda hold the wanted files of the wheels, unless they are left out."""
    if not is_wanted():
        return
    key = stamps.digest(*(str(row[name]) for row in rows for name in ("package", "sha256", "keep")))
    if TARGET.is_dir() and stamps.done("wheels-cuda", key):
        return
    wheels = []
    for row in rows:
        step(f"{row['name']} {row['version']} for {row['reason']} (under {row['licence']})")
        try:
            wheels.append((archives.fetch_wheel(row["package"], row["sha256"]), row["keep"]))
        except Failure as failure:
            raise Failure(f"{failure}\n./dev setup --no-cuda leaves it out.") from failure
    archives.unpack_wheels(wheels, TARGET)
    stamps.mark("wheels-cuda", key)
