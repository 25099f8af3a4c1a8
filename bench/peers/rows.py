"""What the peer scripts share: the rows to measure, the clock, and the form of a result.

A script prints one JSON object a line: name, peer, version, dtype, size, ms_median, ms_min, runs.
`./dev bench` runs the scripts of a group in turn, several rounds, and tools/bench_table.py joins
what they print. Each script takes the names of the groups to measure as arguments.
"""

import json
import os
import statistics
import sys
import time

THREADS = int(os.environ.get("LAZULI_BENCH_THREADS") or len(os.sched_getaffinity(0)))
ELEMENTS = 1 << 24
SIDE = 4096
SECONDS = float(os.environ.get("LAZULI_BENCH_SECONDS") or 1.0)


def chain_tanh(a, b, tanh, sigmoid):
    """The mixed chain of the elementwise group."""
    return tanh(a * b + a) * sigmoid(b) - a * 0.5 + b


def chain_8(a, b, maximum):
    """Eight adds, multiplies and maxima."""
    y = (a + b) * a
    y = (maximum(y, b) + a) * b
    return (maximum(y, a) + b) * a


def measured(call, seconds=None, runs_min=5):
    """The times of `call` in ms, after warming up, for about `seconds`."""
    limit = SECONDS if seconds is None else seconds
    for _ in range(3):
        call()
    times = []
    started = time.perf_counter()
    while len(times) < runs_min or time.perf_counter() - started < limit:
        before = time.perf_counter()
        call()
        times.append((time.perf_counter() - before) * 1e3)
    return times


def tiny(call, calls=2000):
    """The times of a call too short for the clock, each the mean of a batch."""
    def batch():
        for _ in range(calls):
            call()
    return [ms / calls for ms in measured(batch, runs_min=7)]


def report(name, peer, version, dtype, size, times):
    row = {"name": name, "peer": peer, "version": version, "dtype": dtype, "size": size,
           "ms_median": statistics.median(times), "ms_min": min(times), "runs": len(times)}
    print(json.dumps(row), flush=True)


def report_rate(name, peer, version, dtype, size, rates):
    """A row in tokens a second."""
    row = {"name": name, "peer": peer, "version": version, "dtype": dtype, "size": size,
           "tok_s_median": statistics.median(rates), "tok_s_max": max(rates), "runs": len(rates)}
    print(json.dumps(row), flush=True)


def groups(known):
    """The groups asked for on the command line, all of them if none is."""
    asked = sys.argv[1:] or list(known)
    return [name for name in asked if name in known]
