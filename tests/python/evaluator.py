"""Evaluates expressions with either package: run as a program, it is the child that has the oracle.

Two packages of this kind cannot share a process, so the oracle gets a process of its own, which
reads one JSON text a line and answers with one.
"""

import copy
import json
import pickle
import re
import sys

import numpy as np


def names(mx):
    """What expressions may use."""
    def put(a, index, value):
        a = mx.array(a)
        a[index] = value
        return a

    def add_in_place():
        x = mx.array([1])
        y = x
        x += 1
        return x is y, y

    def divide_in_place():
        x = mx.array([1])
        x /= 2
        return x

    return {
        "mx": mx, "np": np, "copy": copy, "pickle": pickle, "put": put, "ip": add_in_place,
        "ip2": divide_in_place, "a": mx.array([1, 2, 3]), "f": mx.array([1.5, 2.5]),
        "b": mx.array([True, False]), "m": mx.arange(12).reshape(3, 4),
        "n": mx.arange(24).reshape(2, 3, 4), "c": mx.arange(6),
        "i8": mx.array([1, 2, 3], mx.int8),
    }


def evaluate(mx, expression):
    """["value", type and printed form] or ["error", class]."""
    try:
        value = eval(expression, names(mx))  # the tests' own expressions
        text = re.sub(r"\b(mlx|lazuli)\.core\b", "core", repr(value))
        return ["value", f"{type(value).__name__}: {text}"]
    except Exception as error:
        return ["error", type(error).__name__]


def run(mx, program):
    """The variable `result` of a program, which must be JSON."""
    space = {"mx": mx, "np": np}
    exec(program, space)
    return space["result"]


def serve():
    import mlx.core as mx
    mx.set_default_device(mx.cpu)
    for line in sys.stdin:
        kind, text = json.loads(line)
        answer = evaluate(mx, text) if kind == "expression" else run(mx, text)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
