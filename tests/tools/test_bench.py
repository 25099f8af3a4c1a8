"""The table of measurements."""

import bench_table


def row(name, peer, value, dtype="f32", size=1 << 24, number=0, unit="ms_median"):
    return {"name": name, "peer": peer, "dtype": dtype, "size": size, unit: value, "round": number}


def cells(rows):
    lines = bench_table.table(rows).splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_floor_and_ratios_are_taken_round_by_round():
    rows = []
    for number, slow in enumerate((1, 10, 1)):  # a neighbour disturbs the second round
        rows += [row("r2w1", "floor", 4 * slow, "bytes", 4 << 24, number),
                 row("chain_8", "lazuli", 5 * slow, number=number),
                 row("chain_8", "torch", 100 * slow, number=number),
                 row("chain_8", "numpy", 50 * slow, number=number)]
    head, _, line = cells(rows)
    assert head == ["row", "unit", "floor", "lazuli", "numpy", "torch", "lazuli / floor",
                    "best other / lazuli"]
    assert line == ["chain_8 f32 16777216", "ms", "4", "5", "50", "100", "1.25", "10"]


def test_rates_compare_the_other_way_round():
    rows = [row("decode", "lazuli", 150, "q4_k_m", 128, unit="tok_s_median"),
            row("decode", "llama.cpp", 100, "q4_k_m", 128, unit="tok_s_median")]
    assert cells(rows)[2] == ["decode q4_k_m 128", "tok/s", "", "150", "100", "", "1.5"]


def test_rows_without_a_floor_or_a_peer_stay_empty():
    assert cells([row("tiny_add", "mlx", 0.006, size=8)])[2] == [
        "tiny_add f32 8", "ms", "", "0.006", "", ""]
