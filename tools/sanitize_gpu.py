"""Runs the tests of GPU kernels under NVIDIA's compute-sanitizer, in parts.

    python3 tools/sanitize_gpu.py synccheck
    python3 tools/sanitize_gpu.py racecheck --part 2/8 --bin build/release/bin

Ends with 0 where nothing was found. What is no finding of ours:
- initcheck does not see what cuBLASLt and cuDNN store through the tensor memory accelerator: steps
  that read such results (tests of DnnAttention, of Products of halves), and cuBLASLt's
  splitKreduce_kernel, are named though their values are right;
- initcheck: scatter_merge of bytes swaps words of four, of which the last may reach past the array,
  into the rest of its block;
- synccheck cannot instrument slab_rows, which takes all shared memory (Internal Sanitizer
  Error)."""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

TOOLS = ("memcheck", "synccheck", "racecheck", "initcheck")
PROGRAMS = ("kernels_test", "ops_test")
NOTHING_FOUND = re.compile(r"(ERROR SUMMARY: 0 errors|RACECHECK SUMMARY: 0 hazards)")


def find_sanitizer():
    found = shutil.which("compute-sanitizer")
    places = [found] if found else sorted(Path("/usr/local").glob("cuda*/bin/compute-sanitizer"))
    if not places:
        sys.exit("compute-sanitizer was not found: it comes with the CUDA toolkit")
    return str(places[-1])


def run(sanitizer, tool, program, part, parts):
    """Whether the tests of this part passed and nothing was found."""
    environment = {**os.environ, "LAZULI_GPU": "1", "GTEST_TOTAL_SHARDS": str(parts),
                   "GTEST_SHARD_INDEX": str(part - 1)}
    done = subprocess.run([sanitizer, "--tool", tool, "--print-limit", "5", program,
                           "--gtest_brief=1"],
                          env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    good = done.returncode == 0 and NOTHING_FOUND.search(done.stdout)
    print(f"{tool} {program.name}, part {part} of {parts}: {'nothing' if good else 'FOUND'}",
          flush=True)
    if not good:
        print(done.stdout[-4000:], flush=True)
    return bool(good)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("--part", default="", help="K/N: the K-th of N parts; unnamed, all of 8")
    parser.add_argument("--bin", type=Path, default=Path("build/release/bin"))
    options = parser.parse_args()
    part, _, parts = options.part.partition("/")
    chosen = [int(part)] if part else range(1, 9)
    results = [run(find_sanitizer(), options.tool, options.bin / program, k, int(parts or 8))
               for program in PROGRAMS for k in chosen]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
