"""Evaluation and the interpreter lock, threads, and Ctrl-C."""

import os
import signal
import subprocess
import sys
import threading
import time

import lazuli.core as mx
import numpy as np
import pytest

LONG = """
import lazuli.core as mx
x = mx.ones((700, 700)) * 0.001
for _ in range(3000):
    x = x @ x
print("started", flush=True)
"""


def interrupted(program):
    """The exit and stderr of a program that gets SIGINT once it has said that it started."""
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "started\n"
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, errors = child.communicate(timeout=60)
    return errors, time.monotonic() - started


def test_ctrl_c_ends_an_evaluation():
    errors, seconds = interrupted(LONG + "mx.eval(x)")
    assert "KeyboardInterrupt" in errors.splitlines()[-1]
    assert seconds < 10


@pytest.mark.skipif(mx.default_device() == mx.gpu,
                    reason="what a device has been given runs to its end, and later work behind it")
def test_everything_goes_on_after_ctrl_c():
    errors, _ = interrupted(LONG + """
try:
    mx.eval(x)
except KeyboardInterrupt:
    import sys
    sys.stderr.write(str((mx.ones(2) + 1).tolist()))
""")
    assert errors == "[2.0, 2.0]"


def test_ctrl_c_outside_of_an_evaluation_is_pythons():
    errors, _ = interrupted("""
import lazuli.core as mx, time
print("started", flush=True)
try:
    time.sleep(30)
except KeyboardInterrupt:
    import sys
    sys.stderr.write(str((mx.ones(2) + 1).tolist()))
""")
    assert errors == "[2.0, 2.0]"


def test_evaluation_lets_other_threads_run():
    x = mx.ones((600, 600)) * 0.001
    for _ in range(20 * (os.cpu_count() or 1)):
        x = x @ x
    done, ticks = threading.Event(), []

    def tick():
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.001)

    other = threading.Thread(target=tick)
    other.start()
    started = time.monotonic()
    mx.eval(x)
    ended = time.monotonic()
    done.set()
    other.join()
    inside = [t for t in ticks if started < t < ended]
    assert len(inside) >= min(5, (ended - started) * 50)


def test_arrays_in_many_threads():
    failures = []

    def work(number):
        try:
            for k in range(100):
                x = mx.full((64,), number) + k
                y = np.asarray(x * 2 - x)
                assert (y == number + k).all()
                assert mx.grad(lambda v: (v * v).sum())(mx.ones(3) * k).tolist() == [2 * k] * 3
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_buffers_are_let_go_of_by_any_thread():
    class Memory(np.ndarray):
        pass

    alive = []

    def work():
        for _ in range(200):
            source = np.ones(16, np.float32).view(Memory)
            alive.append(source)
            x = mx.asarray(source, copy=False)
            mx.eval(x + 1)
            alive.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (mx.ones(2) + 1).tolist() == [2, 2]


def test_async_eval():
    x = mx.ones((64, 64)) @ mx.ones((64, 64))
    mx.async_eval(x, {"y": [x + 1]})
    mx.synchronize()
    assert x[0, 0].item() == 64


@pytest.mark.parametrize("tree", [(), [1, "x", None], {"a": object()}])
def test_eval_ignores_what_is_no_array(tree):
    assert mx.eval(tree) is None
