"""What every command of ./dev shares: where things lie, how to speak, how to run a program."""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / ".cache"
STAMPS = CACHE / "stamps"
VENV = CACHE / "venv"
REQUIREMENTS = ROOT / "tools" / "requirements"


class Failure(Exception):
    """Something the reader has to mend. The message says what and how."""


def user_cache():
    """The folder outside the checkout that keeps models and downloads for every checkout."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lazuli"


def unattended():
    """True where nobody can be asked: in CI, or without a terminal."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes") or not sys.stdin.isatty()


def say(text):
    print(text, flush=True)


def step(text):
    """Announces a step that takes a while, and why it is taken."""
    say(f"==> {text}")


def jobs():
    return os.environ.get("LAZULI_JOBS") or str(len(os.sched_getaffinity(0)))


def run(command, *, mend=None, quiet=False, **options):
    """Runs a program; its failure is a Failure that shows the command and the mend."""
    command = [str(part) for part in command]
    options.setdefault("cwd", ROOT)
    if quiet:
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.STDOUT)
    try:
        done = subprocess.run(command, text=True, **options)
    except FileNotFoundError as error:
        raise Failure(f"{command[0]} was not found: run ./dev setup") from error
    if done.returncode != 0:
        if quiet and done.stdout:
            say(done.stdout)
        text = f"`{shlex.join(command)}` ended with {done.returncode}"
        raise Failure(f"{text}\n{mend}" if mend else text)
    return done


def output(command, **options):
    return run(command, stdout=subprocess.PIPE, **options).stdout


def elapsed(since):
    return f"{time.monotonic() - since:.0f} s"
