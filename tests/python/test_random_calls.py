"""A few hundred random calls; tests/random_calls makes as many as one likes."""

import os
import subprocess
import sys
from pathlib import Path

import lazuli.core as mx

CALLS = Path(__file__).parents[1] / "random_calls"


def test_random_calls():
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(mx.__file__))}
    command = [sys.executable, CALLS, "--calls", "600", "--first", "1000", "--workers", "2"]
    done = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("600 calls, 0 faults\n")
