"""A few hundred random calls; tests/random_calls makes as many as one likes."""

import os
import subprocess
import sys
from pathlib import Path

import lazuli.core as mx

CALLS = Path(__file__).parents[1] / "random_calls"


def test_random_calls():
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(mx.__file__))}
    done = subprocess.run([sys.executable, CALLS, "--calls", "600", "--workers", "2"], text=True,
                          env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("600 calls, 0 faults\n")
