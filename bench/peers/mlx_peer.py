"""The MLX wheel on the CPU, plain and compiled. `lazuli` as the first argument measures Lazuli's
Python package instead: the same lines, the other import."""

import sys

if "lazuli" in sys.argv:
    sys.argv.remove("lazuli")
    import lazuli
    import lazuli.core as mx
    PEER, VERSION = "lazuli (python)", lazuli.__version__
else:
    import importlib.metadata

    import mlx.core as mx
    mx.set_default_device(mx.cpu)
    PEER, VERSION = "mlx", importlib.metadata.version("mlx")

from rows import ELEMENTS, SIDE, chain_8, chain_tanh, groups, measured, report, tiny  # noqa: E402

DTYPES = {"f32": mx.float32, "bf16": mx.bfloat16, "f16": mx.float16}


def show(name, peer, dtype, size, times):
    report(name, peer, VERSION, dtype, size, times)


def random(shape, dtype):
    x = mx.random.normal(shape).astype(DTYPES[dtype])
    mx.eval(x)
    return x


def compare(name, dtype, size, function, *arguments):
    """The row plain and compiled."""
    show(name, PEER, dtype, size, measured(lambda: mx.eval(function(*arguments)), runs_min=3))
    compiled = mx.compile(function)
    show(name, f"{PEER} compiled", dtype, size,
         measured(lambda: mx.eval(compiled(*arguments)), runs_min=3))


def elementwise():
    for dtype in DTYPES:
        a, b = random((ELEMENTS,), dtype), random((ELEMENTS,), dtype)
        show("add", PEER, dtype, ELEMENTS, measured(lambda: mx.eval(a + b)))
        compare("chain_tanh", dtype, ELEMENTS,
                lambda a, b: chain_tanh(a, b, mx.tanh, mx.sigmoid), a, b)
        compare("chain_8", dtype, ELEMENTS, lambda a, b: chain_8(a, b, mx.maximum), a, b)


def rows():
    for dtype in ("f32", "bf16"):
        x = random((SIDE, SIDE), dtype)
        show("softmax", PEER, dtype, SIDE, measured(lambda: mx.eval(mx.softmax(x, axis=-1))))
        show("rms_norm", PEER, dtype, SIDE,
             measured(lambda: mx.eval(mx.fast.rms_norm(x, None, 1e-5))))


def matmul():
    for dtype in DTYPES:
        a, b = random((1024, 1024), dtype), random((1024, 1024), dtype)
        show("matmul", PEER, dtype, 1024, measured(lambda: mx.eval(a @ b), runs_min=2))


def engine():
    a, b = mx.ones(8), mx.ones(8)
    mx.eval(a, b)
    show("tiny_add", PEER, "f32", 8, tiny(lambda: mx.eval(a + b)))

    def hundred():
        y = a
        for _ in range(100):
            y = y + b
        mx.eval(y)
    show("tiny_chain_100", PEER, "f32", 8, tiny(hundred, 50))


KNOWN = {"elementwise": elementwise, "rows": rows, "matmul": matmul, "engine": engine}
for group in groups(KNOWN):
    KNOWN[group]()
