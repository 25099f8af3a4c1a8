"""The rows of gpu_products_bench that PyTorch has."""

import sys
from functools import partial

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from torch_peer import seconds_of


def row(name, kind, seconds, amount, unit):
    rate = f"{amount / seconds / 1e12:9.3f} {unit}"
    print(f"{name:<28} {kind:<5} {seconds * 1e6:10.2f} us {rate} torch", flush=True)


def random(*shape, dtype=torch.bfloat16):
    return torch.rand(*shape, device="cuda").mul_(2).sub_(1).to(dtype)


def graph_seconds_of(work, together=16):
    """Of one call, without what calls cost the host."""
    for _ in range(3):
        work()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(together):
            work()
    return seconds_of(graph.replay) / together


def main(wanted):
    for dtype, kind in ((torch.bfloat16, "bf16"), (torch.float16, "f16"), (torch.float32, "f32")):
        for n in (4096, 8192):
            if wanted in f"matmul_{n}":
                x, y = random(n, n, dtype=dtype), random(n, n, dtype=dtype)
                seconds = seconds_of(lambda: x @ y, calls_before=140)
                row(f"matmul_{n}", kind, seconds, 2 * n**3, "TFLOP/s")
    for n, k in ((4096, 4096), (1024, 4096), (14336, 4096), (4096, 14336), (128256, 4096)):
        for m in (1, 8, 32, 64):
            if wanted in f"rows{m}_{n}x{k}":
                count = max(1, min(16, (512 << 20) // (n * k * 2)))
                weights = [random(n, k) for _ in range(count)]
                x, turn = random(m, k), [0]

                def work():
                    turn[0] += 1
                    return F.linear(x, weights[turn[0] % count])

                row(f"rows{m}_{n}x{k}", "bf16", seconds_of(work), 2 * n * k, "TB/s")
                row(f"rows{m}_{n}x{k}", "graph", graph_seconds_of(work), 2 * n * k, "TB/s")
    for head in (64, 128, 256):
        if wanted in f"prefill_causal_4096_d{head}":
            heads = 4096 // head
            q, k, v = (random(4, heads, 4096, head) for _ in range(3))
            work = partial(F.scaled_dot_product_attention, q, k, v, is_causal=True)
            operations = 4 * 4 * heads * 4096.0 * 4096 * head / 2
            row(f"prefill_causal_4096_d{head}", "bf16", seconds_of(work), operations, "TFLOP/s")
            with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
                row(f"prefill_causal_4096_d{head}", "cudnn", seconds_of(work), operations,
                    "TFLOP/s")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
