"""./dev build: configures a preset and builds it."""

import json
import os
import time

import stamps
from console import ROOT, Failure, jobs, elapsed, run, step


def presets():
    listed = json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]
    return [preset["name"] for preset in listed if not preset.get("hidden")]


def folder(preset):
    return ROOT / "build" / preset


def stamp(preset):
    return f"configure-{preset}"


def environment():
    """Paths relative to the checkout let every checkout of a machine share one compiler cache."""
    return {"CCACHE_BASEDIR": str(ROOT), "CCACHE_NOHASHDIR": "1", **os.environ}


def build(preset="release", targets=(), settings=()):
    """Brings build/<preset> up to date and returns that folder."""
    if preset not in presets():
        raise Failure(f"there is no preset {preset}; choose one of {', '.join(presets())}")
    started = time.monotonic()
    place = folder(preset)
    key = stamps.digest((ROOT / "CMakePresets.json").read_bytes())
    if settings or not (place / "build.ninja").exists() or not stamps.done(stamp(preset), key):
        step(f"configure {preset}: find the compiler and the libraries")
        run(["cmake", "--preset", preset, *settings], quiet=True)
        stamps.mark(stamp(preset), key)
    step(f"build {preset}: in {place.relative_to(ROOT)}, {jobs()} jobs")
    chosen = ["--target", *targets] if targets else []
    run(["cmake", "--build", place, "-j", jobs(), *chosen], env=environment())
    step(f"built {preset} in {elapsed(started)}")
    return place


def main(arguments):
    names = [argument for argument in arguments if not argument.startswith("-D")]
    settings = [argument for argument in arguments if argument.startswith("-D")]
    build(names[0] if names else "release", names[1:], settings)
