"""PyTorch: eager, eager into preallocated outputs, and compiled."""

import torch
from rows import ELEMENTS, SIDE, THREADS, chain_8, chain_tanh, groups, measured, report, tiny
from torch.nn import functional

torch.set_num_threads(THREADS)
torch.set_grad_enabled(False)
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def show(name, peer, dtype, size, times):
    report(name, peer, torch.__version__, dtype, size, times)


def tanh_chain(a, b):
    return chain_tanh(a, b, torch.tanh, torch.sigmoid)


def plain_chain(a, b):
    return chain_8(a, b, torch.maximum)


def tanh_chain_out(a, b, t, u):
    """The chain into two preallocated tensors, as a careful user writes it."""
    torch.mul(a, b, out=t)
    torch.add(t, a, out=t)
    torch.tanh(t, out=t)
    torch.sigmoid(b, out=u)
    torch.mul(t, u, out=t)
    torch.mul(a, 0.5, out=u)
    torch.sub(t, u, out=t)
    return torch.add(t, b, out=t)


def plain_chain_out(a, b, t):
    torch.add(a, b, out=t)
    torch.mul(t, a, out=t)
    torch.maximum(t, b, out=t)
    torch.add(t, a, out=t)
    torch.mul(t, b, out=t)
    torch.maximum(t, a, out=t)
    torch.add(t, b, out=t)
    return torch.mul(t, a, out=t)


def elementwise():
    for dtype, kind in DTYPES.items():
        a, b = (torch.randn(ELEMENTS).to(kind) for _ in range(2))
        t, u = torch.empty_like(a), torch.empty_like(a)
        show("add", "torch", dtype, ELEMENTS, measured(lambda: a + b))
        show("add", "torch out=", dtype, ELEMENTS, measured(lambda: torch.add(a, b, out=t)))
        for name, plain, into in (
                ("chain_tanh", tanh_chain, lambda: tanh_chain_out(a, b, t, u)),
                ("chain_8", plain_chain, lambda: plain_chain_out(a, b, t))):
            show(name, "torch", dtype, ELEMENTS, measured(lambda: plain(a, b)))
            show(name, "torch out=", dtype, ELEMENTS, measured(into))
            compiled = torch.compile(plain)
            show(name, "torch compiled", dtype, ELEMENTS, measured(lambda: compiled(a, b)))


def rows():
    calls = {"softmax": lambda x: functional.softmax(x, -1),
             "rms_norm": lambda x: functional.rms_norm(x, (SIDE,))}
    for dtype in ("f32", "bf16"):
        x = torch.randn(SIDE, SIDE).to(DTYPES[dtype])
        t = torch.empty_like(x)
        for name, call in calls.items():
            show(name, "torch", dtype, SIDE, measured(lambda: call(x)))
            compiled = torch.compile(call)
            show(name, "torch compiled", dtype, SIDE, measured(lambda: compiled(x)))
        show("softmax", "torch out=", dtype, SIDE,
             measured(lambda: torch.softmax(x, -1, out=t)))


def matmul():
    for dtype, kind in DTYPES.items():
        a, b = (torch.randn(1024, 1024).to(kind) for _ in range(2))
        show("matmul", "torch", dtype, 1024, measured(lambda: a @ b))


def engine():
    a, b = torch.ones(8), torch.ones(8)
    show("tiny_add", "torch", "f32", 8, tiny(lambda: a + b))

    def hundred():
        y = a
        for _ in range(100):
            y = y + b
        return y
    show("tiny_chain_100", "torch", "f32", 8, tiny(hundred, 50))


KNOWN = {"elementwise": elementwise, "rows": rows, "matmul": matmul, "engine": engine}
for group in groups(KNOWN):
    KNOWN[group]()
