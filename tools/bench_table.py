"""Joins the rows that benchmark programs print into one Markdown table.

usage: bench_table.py FILE.jsonl...

Each line of a file is one row (bench/peers/rows.py). Rows of one name, dtype and size stand in one
line of the table, a column for each peer; several rounds are joined by their median. The floor is
what memory allows for the same bytes in the same round.
"""

import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path

# How many arrays a row reads and writes, as memory_floor_bench names it, and a factor on that time.
FLOORS = {
    "add": ("r2w1", 1), "chain_tanh": ("r2w1", 1), "chain_tanh_sizes": ("r2w1", 1),
    "chain_tanh_held": ("r2w1", 4 / 3), "chain_8": ("r2w1", 1),
    "softmax": ("r1w1", 1), "rms_norm": ("r1w1", 1),
}
ITEM_BYTES = {"f32": 4, "bf16": 2, "f16": 2}
MATRIX_ROWS = {"softmax", "rms_norm"}
FIRST_PEERS = ["lazuli", "lazuli (python)", "hand-fused"]


def read(paths):
    rows = []
    for path in paths:
        rows += [json.loads(line) for line in Path(path).read_text().splitlines() if line]
    return rows


def value_of(row):
    return row["ms_median"] if "ms_median" in row else row["tok_s_median"]


def by_line(rows):
    """A dictionary from (name, dtype, size) to peer to round to value."""
    lines = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        key = (row["name"], row["dtype"], row["size"])
        lines[key][row["peer"]][row.get("round", 0)] = value_of(row)
    return lines


def floor_of(lines, key):
    """The floor of a line in each round, empty where none is known."""
    name, dtype, size = key
    if name not in FLOORS or dtype not in ITEM_BYTES:
        return {}
    kind, factor = FLOORS[name]
    stream = ITEM_BYTES[dtype] * (size * size if name in MATRIX_ROWS else size)
    measured = lines.get((kind, "bytes", stream), {}).get("floor", {})
    return {number: value * factor for number, value in measured.items()}


def ratio(values, base):
    """The median over the rounds that both have of value over base."""
    shared = values.keys() & base.keys()
    return statistics.median(values[n] / base[n] for n in shared) if shared else None


def number(value):
    if value is None:
        return ""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if value >= 0.001 else f"{value * 1e6:.3g} ns"


def peers_of(lines):
    seen = {peer for peers in lines.values() for peer in peers} - {"floor"}
    return [p for p in FIRST_PEERS if p in seen] + sorted(seen - set(FIRST_PEERS))


def table(rows):
    lines = by_line(rows)
    rates = {row["name"] for row in rows if "tok_s_median" in row}
    peers = peers_of(lines)
    head = ["row", "unit", "floor", *peers, "lazuli / floor", "best other / lazuli"]
    out = ["| " + " | ".join(head) + " |", "|---|---|" + "--:|" * (len(peers) + 3)]
    for key, cells in lines.items():
        name, dtype, size = key
        if dtype == "bytes" and name[:1] == "r":
            continue
        values = {peer: statistics.median(cells[peer].values()) for peer in peers if peer in cells}
        floor = floor_of(lines, key) or cells.get("floor", {})
        own = cells.get("lazuli") or cells.get("lazuli (python)") or {}
        others = {peer: cells[peer] for peer in values
                  if not peer.startswith("lazuli") and peer != "hand-fused"}
        ratios = [r for r in (ratio(own, other) if name in rates else ratio(other, own)
                              for other in others.values()) if r is not None]
        out.append("| " + " | ".join(
            [f"{name} {dtype} {size}", "tok/s" if name in rates else "ms",
             number(statistics.median(floor.values())) if floor else ""]
            + [number(values.get(peer)) for peer in peers]
            + [number(ratio(own, floor)) if floor and own else "",
               number(min(ratios)) if ratios else ""]) + " |")
    return "\n".join(out)


if __name__ == "__main__":
    print(table(read(sys.argv[1:])))
