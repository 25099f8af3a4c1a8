"""./dev build: configures a preset and builds it."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time

import stamps
from console import ROOT, Failure, jobs, elapsed, run, say, step

STEP = re.compile(r"\[ *(\d+)%\] (.*)")


def presets():
    """The visible presets by name."""
    listed = json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]
    return {preset["name"]: preset for preset in listed if not preset.get("hidden")}


def names_architectures(preset):
    """Whether the preset itself says which GPU kernels are compiled ahead."""
    return "LAZULI_CUDA_ARCHITECTURES" in presets().get(preset, {}).get("cacheVariables", {})


def folder(preset):
    return ROOT / "build" / preset


def stamp(preset):
    return f"configure-{preset}"


def environment():
    """Paths relative to the checkout let every checkout of a machine share one compiler cache."""
    return {"CCACHE_BASEDIR": str(ROOT), "CCACHE_NOHASHDIR": "1", **os.environ}


def configured(place, setting):
    """Whether the folder was configured with `setting`, such as -DNAME=VALUE."""
    name, value = setting.removeprefix("-D").split("=", 1)
    cache = place / "CMakeCache.txt"
    return cache.exists() and re.search(f"^{name}:[A-Z]+={re.escape(value)}$", cache.read_text(),
                                        re.MULTILINE)


def show_progress(percent, what):
    """One line on a terminal; elsewhere a line each ten percent."""
    if sys.stdout.isatty():
        text = f"    {percent:3} %  {what}"
        print("\r\033[K" + text[:shutil.get_terminal_size().columns - 1], end="", flush=True)
    elif percent // 10 > show_progress.last // 10:
        say(f"    {percent:3} %")
    show_progress.last = percent


def run_with_progress(command):
    """Runs Ninja; of its output all but the steps that went well is shown."""
    command = [str(part) for part in command]
    show_progress.last = 0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace",
                          env=environment() | {"NINJA_STATUS": "[%p] "}) as process:
        for line in process.stdout:
            if match := STEP.match(line):
                show_progress(int(match[1]), match[2])
            else:
                print("\n" * (sys.stdout.isatty() and line.startswith("FAILED")) + line, end="")
    if sys.stdout.isatty():
        print("\r\033[K", end="", flush=True)
    if process.returncode != 0:
        raise Failure(f"`{shlex.join(command)}` ended with {process.returncode}")


def build(preset="release", targets=(), settings=()):
    """Brings build/<preset> up to date and returns that folder."""
    if preset not in presets():
        raise Failure(f"there is no preset {preset}; choose one of {', '.join(presets())}")
    started = time.monotonic()
    place = folder(preset)
    key = stamps.digest((ROOT / "CMakePresets.json").read_bytes())
    stale = not (place / "build.ninja").exists() or not stamps.done(stamp(preset), key)
    if stale or not all(configured(place, setting) for setting in settings):
        step(f"configure {preset}: find the compiler and the libraries")
        run(["cmake", "--preset", preset, *settings], quiet=True)
        stamps.mark(stamp(preset), key)
    step(f"build {preset}: in {place.relative_to(ROOT)}, {jobs()} jobs")
    chosen = ["--target", *targets] if targets else []
    run_with_progress(["cmake", "--build", place, "-j", jobs(), *chosen])
    step(f"built {preset} in {elapsed(started)}")
    return place


def main(arguments):
    names = [argument for argument in arguments if not argument.startswith("-D")]
    settings = [argument for argument in arguments if argument.startswith("-D")]
    build(names[0] if names else "release", names[1:], settings)
