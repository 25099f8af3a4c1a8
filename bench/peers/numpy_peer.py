"""NumPy, with and without preallocated outputs."""

import numpy as np
from rows import ELEMENTS, SIDE, chain_8, chain_tanh, groups, measured, report, tiny

DTYPES = {"f32": np.float32, "f16": np.float16}
RANDOM = np.random.default_rng(0)


def show(name, peer, dtype, size, times):
    report(name, peer, np.__version__, dtype, size, times)


def random(shape, dtype):
    return RANDOM.standard_normal(shape, dtype=np.float32).astype(DTYPES[dtype])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def elementwise():
    a, b = random(ELEMENTS, "f32"), random(ELEMENTS, "f32")
    t = np.empty_like(a)
    show("add", "numpy", "f32", ELEMENTS, measured(lambda: a + b))
    show("add", "numpy out=", "f32", ELEMENTS, measured(lambda: np.add(a, b, out=t)))
    show("chain_tanh", "numpy", "f32", ELEMENTS,
         measured(lambda: chain_tanh(a, b, np.tanh, sigmoid), runs_min=3))
    show("chain_8", "numpy", "f32", ELEMENTS, measured(lambda: chain_8(a, b, np.maximum)))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def rms_norm(x):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(1e-5))


def rows():
    x = random((SIDE, SIDE), "f32")
    show("softmax", "numpy", "f32", SIDE, measured(lambda: softmax(x)))
    show("rms_norm", "numpy", "f32", SIDE, measured(lambda: rms_norm(x)))


def matmul():
    a, b = random((1024, 1024), "f32"), random((1024, 1024), "f32")
    show("matmul", "numpy", "f32", 1024, measured(lambda: a @ b))


def engine():
    a, b = np.ones(8, np.float32), np.ones(8, np.float32)
    show("tiny_add", "numpy", "f32", 8, tiny(lambda: a + b))

    def hundred():
        y = a
        for _ in range(100):
            y = y + b
        return y
    show("tiny_chain_100", "numpy", "f32", 8, tiny(hundred, 50))


KNOWN = {"elementwise": elementwise, "rows": rows, "matmul": matmul, "engine": engine}
for group in groups(KNOWN):
    KNOWN[group]()
