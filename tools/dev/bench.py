"""./dev bench: measures groups of rows, Lazuli and its peers in turn, and joins them in a table."""

import argparse
import json
import os
import subprocess
import sys
from datetime import date

import build
import model
import setup
from console import CACHE, ROOT, VENV, Failure, run, say, step

sys.path.insert(0, str(ROOT / "tools"))
import bench_table  # noqa: E402

PEERS = ROOT / "bench" / "peers"
# Programs of each group, and whether the Python peers have rows in it.
GROUPS = {
    "elementwise": (["memory_floor_bench", "hand_fused_bench", "elementwise_bench"], True),
    "rows": (["memory_floor_bench", "rows_bench"], True),
    "matmul": (["matmul_bench"], True),
    "engine": (["engine_bench"], True),
    "llm": (["llm_bench"], False),
}


def environment():
    """Without settings that slow a peer down, and with as many threads for each."""
    threads = str(len(os.sched_getaffinity(0)))
    clean = {name: value for name, value in os.environ.items()
             if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    return clean | {"OMP_NUM_THREADS": threads, "LAZULI_BENCH_THREADS": threads}


def python_commands(place, group):
    """The peers that are set up: (command, extra environment)."""
    peers, oracle = CACHE / "peers" / "bin" / "python", CACHE / "oracle" / "bin" / "python"
    if group == "llm":
        return [([peers, PEERS / "llama_cpp_peer.py", group], {})] if peers.exists() else []
    commands = []
    if (place / "python").is_dir():
        commands.append(([VENV / "bin" / "python", PEERS / "mlx_peer.py", "lazuli", group],
                         {"PYTHONPATH": str(place / "python")}))
    commands.append(([VENV / "bin" / "python", PEERS / "numpy_peer.py", group], {}))
    commands.append(([oracle, PEERS / "mlx_peer.py", group], {}))
    if peers.exists():
        commands.append(([peers, PEERS / "torch_peer.py", group], {}))
        commands.append(([peers, PEERS / "jax_peer.py", group], {}))
    return commands


def commands_of(place, group):
    programs, has_peers = GROUPS[group]
    commands = []
    for program in programs:
        arguments = [model.ensure()] if group == "llm" else []
        commands.append(([place / "bin" / program, *arguments], {}))
    if has_peers or group == "llm":
        commands += python_commands(place, group)
    return commands


def measure(place, group, rounds):
    """The rows of a group, each marked with its round."""
    rows = []
    for number in range(rounds):
        for command, extra in commands_of(place, group):
            name = " ".join(str(part).rsplit("/", 1)[-1] for part in command[:3])
            load = os.getloadavg()[0]
            say(f"    round {number + 1} of {rounds}: {name} (load {load:.1f})")
            done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE,
                                  text=True, env=environment() | extra, check=False)
            if done.returncode != 0:
                raise Failure(f"{name} ended with {done.returncode}")
            rows += [json.loads(line) | {"round": number} for line in done.stdout.splitlines()
                     if line.startswith("{")]
    return rows


def machine():
    """The processor's name and the number of threads."""
    for line in open("/proc/cpuinfo", encoding="utf-8"):
        if line.startswith("model name"):
            return f"{line.split(':', 1)[1].strip()}, {len(os.sched_getaffinity(0))} threads"
    return f"{len(os.sched_getaffinity(0))} threads"


def record(name, rows, groups, text):
    """Keeps the rows and the table under bench/results."""
    folder = ROOT / "bench" / "results"
    versions = sorted({f"{row['peer'].split(' ')[0]} {row['version']}" for row in rows
                       if row["peer"] != "floor"})
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / f"{name}.md").write_text(
        f"# {name}\n\n{date.today()}, {machine()}; "
        f"`./dev bench {' '.join(groups)} --record {name}`.\n{', '.join(versions)}.\n\n{text}\n")
    say(f"kept as bench/results/{name}.md")


def main(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("names", nargs="*", help=f"groups ({', '.join(GROUPS)}), or programs of "
                        "bench/ without _bench; all groups unless named")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record", metavar="NAME", help="keep the table in bench/results")
    options = parser.parse_args(arguments)
    setup.ensure()
    place = build.build("release")
    names = options.names or list(GROUPS)
    for name in [name for name in names if name not in GROUPS]:
        program = place / "bin" / f"{name}_bench"
        if not program.exists():
            raise Failure(f"there is no group and no program {name}: groups are "
                          f"{', '.join(GROUPS)}")
        run([program], env=environment())
    groups = [name for name in names if name in GROUPS]
    if not groups:
        return
    if not (CACHE / "peers" / "bin" / "python").exists():
        say("note: PyTorch, JAX and llama.cpp are left out; ./dev setup peers fetches them")
    rows = []
    for group in groups:
        step(f"measure {group}")
        rows += measure(place, group, options.rounds)
    text = bench_table.table(rows)
    say(f"\n{text}")
    if options.record:
        record(options.record, rows, groups, text)
