"""JAX under jit, on the CPU."""

import os

os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from rows import ELEMENTS, SIDE, chain_8, chain_tanh, groups, measured, report, tiny  # noqa: E402

DTYPES = {"f32": jnp.float32, "bf16": jnp.bfloat16, "f16": jnp.float16}


def show(name, dtype, size, times):
    report(name, "jax jit", jax.__version__, dtype, size, times)


def random(shape, dtype, seed):
    return jax.random.normal(jax.random.key(seed), shape, jnp.float32).astype(DTYPES[dtype])


def timed(function, *arguments):
    compiled = jax.jit(function)
    return measured(lambda: compiled(*arguments).block_until_ready())


def elementwise():
    for dtype in DTYPES:
        a, b = random((ELEMENTS,), dtype, 0), random((ELEMENTS,), dtype, 1)
        show("add", dtype, ELEMENTS, timed(lambda a, b: a + b, a, b))
        show("chain_tanh", dtype, ELEMENTS,
             timed(lambda a, b: chain_tanh(a, b, jnp.tanh, jax.nn.sigmoid), a, b))
        show("chain_8", dtype, ELEMENTS, timed(lambda a, b: chain_8(a, b, jnp.maximum), a, b))


def rms_norm(x):
    wide = x.astype(jnp.float32)
    return (wide * jax.lax.rsqrt((wide * wide).mean(-1, keepdims=True) + 1e-5)).astype(x.dtype)


def rows():
    for dtype in ("f32", "bf16"):
        x = random((SIDE, SIDE), dtype, 0)
        show("softmax", dtype, SIDE, timed(lambda x: jax.nn.softmax(x, -1), x))
        show("rms_norm", dtype, SIDE, timed(rms_norm, x))


def matmul():
    for dtype in DTYPES:
        a, b = random((1024, 1024), dtype, 0), random((1024, 1024), dtype, 1)
        show("matmul", dtype, 1024, timed(lambda a, b: a @ b, a, b))


def engine():
    a, b = jnp.ones(8), jnp.ones(8)
    add = jax.jit(lambda a, b: a + b)
    show("tiny_add", "f32", 8, tiny(lambda: add(a, b).block_until_ready()))

    def hundred():
        y = a
        for _ in range(100):
            y = y + b
        return y.block_until_ready()
    show("tiny_chain_100", "f32", 8, tiny(hundred, 5))


KNOWN = {"elementwise": elementwise, "rows": rows, "matmul": matmul, "engine": engine}
for group in groups(KNOWN):
    KNOWN[group]()
