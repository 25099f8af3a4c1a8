#!/usr/bin/env python3
"""Encodes texts of 1 MB with Lazuli's tokenizer and with llama.cpp's, in turn, and compares.

    .cache/peers/bin/python bench/tokenizer_bench.py MODEL build/release/bin/tokenizer_bench
"""

import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "models"))
from tokenizer_lines import CODE, SENTENCES, words  # noqa: E402
from tokenizer_oracle import Peer  # noqa: E402

SIZE = 1_000_000


def fill(part):
    """Parts joined to SIZE bytes."""
    text = bytearray()
    while len(text) < SIZE:
        text += part()
    return bytes(text[:SIZE])


def texts():
    rng = random.Random(1)
    english = " ".join(SENTENCES[:3]).split()
    return {
        "English words": fill(lambda: (rng.choice(english) + " ").encode()),
        "sentences in 30 scripts": fill(lambda: (words(rng) + "\n").encode()),
        "code": fill(lambda: rng.choice(CODE).encode()),
        "one letter": b"a" * SIZE,
        "tabs": b"\t" * SIZE,
        "random bytes": rng.randbytes(SIZE),
    }


def peer_ms(peer, text):
    times = []
    for _ in range(3):
        start = time.perf_counter()
        tokens = peer.encode(text, True, True)
        times.append((time.perf_counter() - start) * 1e3)
    return len(tokens), statistics.median(times)


def main():
    model, program = sys.argv[1:3]
    peer = Peer(model)
    print(f"{'text of 1 MB':26}{'tokens':>8}{'Lazuli ms':>11}{'llama.cpp ms':>14}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "text"
        for name, text in texts().items():
            file.write_bytes(text)
            done = subprocess.run([program, model, file], stdout=subprocess.PIPE, text=True,
                                  check=True)
            _, count, ms = done.stdout.splitlines()[-1].rsplit(" ", 2)
            peer_count, other = peer_ms(peer, text)
            if int(count) != peer_count:
                raise SystemExit(f"{name}: {count} tokens, the peer has {peer_count}")
            print(f"{name:26}{count:>8}{float(ms):11.0f}{other:14.0f}{other / float(ms):8.1f}")


if __name__ == "__main__":
    main()
