"""The rows of gpu_memory_bench and gpu_latency_bench in PyTorch, eager and compiled."""

import statistics
import sys
import time

import torch
import torch.nn.functional as F

COLUMNS = 8192


def seconds_of(work, rounds=7, round_seconds=0.02, calls_before=3):
    for _ in range(calls_before):
        work()
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    calls = max(1, min(1000, int(round_seconds / (time.perf_counter() - start))))
    times = []
    for _ in range(rounds):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(calls):
            work()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) / calls)
    return statistics.median(times)


def chain(x, y):
    return torch.abs(torch.maximum(x * y + x, y) * 0.5 - x) + y


def rows(count, dtype, name, compiled):
    size = dtype.itemsize
    total = count * size
    x = torch.rand(count // COLUMNS, COLUMNS, device="cuda").mul_(2).sub_(1).to(dtype)
    y = torch.rand(count // COLUMNS, COLUMNS, device="cuda").mul_(2).sub_(1).to(dtype)
    w, b = (torch.rand(COLUMNS, device="cuda").to(dtype) for _ in range(2))
    picks = torch.randint(0, count // COLUMNS, (count // COLUMNS,), device="cuda")
    other = torch.bfloat16 if dtype == torch.float32 else torch.float32
    line = x.reshape(-1)
    table = {
        "copy": (2 * total, lambda: x.clone()),
        "negate": (2 * total, lambda: -x),
        "add": (3 * total, lambda: x + y),
        "chain7": (3 * total, lambda: chain(x, y)),
        "sum": (total, lambda: x.sum()),
        "sum_rows": (total, lambda: x.sum(-1)),
        "sum_columns": (total, lambda: x.sum(0)),
        "softmax": (2 * total, lambda: torch.softmax(x, -1)),
        "rms_norm": (2 * total, lambda: F.rms_norm(x, (COLUMNS,), w, 1e-5)),
        "layer_norm": (2 * total, lambda: F.layer_norm(x, (COLUMNS,), w, b, 1e-5)),
        "transposed_copy": (2 * total, lambda: x.t().contiguous()),
        "cast": (total + count * other.itemsize, lambda: x.to(other)),
        "cumsum": (2 * total, lambda: torch.cumsum(line, 0)),
        "cumsum_rows": (2 * total, lambda: torch.cumsum(x, -1)),
        "take_rows": (2 * total, lambda: torch.index_select(x, 0, picks)),
    }
    kind = "torch.compile" if compiled else "torch"
    for op, (moved, work) in table.items():
        if compiled:
            if op not in ("chain7", "softmax", "rms_norm", "layer_norm"):
                continue
            work = torch.compile(work)
        seconds = seconds_of(work)
        print(f"{op}_2^{count.bit_length() - 1:<18} {name:<5} {seconds * 1e6:10.2f} us "
              f"{moved / seconds / 1e12:9.3f} TB/s {kind}", flush=True)


def latency():
    x, y = torch.rand(16, device="cuda"), torch.rand(16, device="cuda")
    times = []
    for _ in range(300):
        start = time.perf_counter()
        x + y
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    print(f"tiny add and wait {statistics.median(times) * 1e6:.2f} us torch")


if __name__ == "__main__":
    latency()
    for exponent in [int(a) for a in sys.argv[1:]] or [26, 28]:
        for dtype, name in ((torch.float32, "f32"), (torch.bfloat16, "bf16")):
            for compiled in (False, True):
                rows(1 << exponent, dtype, name, compiled)
