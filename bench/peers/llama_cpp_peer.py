"""llama.cpp on the demo's model: decode of 128 tokens after a short prompt, prefill of 512."""

import os
import time
from pathlib import Path

import llama_cpp
from rows import THREADS, groups, report_rate

NAME = "gemma-3-270m-q4_k_m.gguf"
PROMPT = b"The meaning to life and the universe is"
PREFILL = 512
DECODE = 128
RUNS = 5


def model_path():
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "lazuli" / "models" / NAME


def prefill_rate(llama, tokens):
    llama.reset()
    before = time.perf_counter()
    llama.eval(tokens)
    return len(tokens) / (time.perf_counter() - before)


def decode_rate(llama, tokens):
    """Greedy decoding; the first token after the prompt is not counted."""
    llama.reset()
    llama.eval(tokens)
    token = llama.sample(temp=0.0)
    before = time.perf_counter()
    for _ in range(DECODE):
        llama.eval([token])
        token = llama.sample(temp=0.0)
    return DECODE / (time.perf_counter() - before)


def llm():
    llama = llama_cpp.Llama(str(model_path()), n_ctx=2048, n_batch=512, n_ubatch=512,
                            n_threads=THREADS, n_threads_batch=THREADS, verbose=False)
    prompt = llama.tokenize(PROMPT)
    long_prompt = (prompt * (PREFILL // len(prompt) + 1))[:PREFILL]
    version = llama_cpp.__version__
    prefill_rate(llama, long_prompt)
    report_rate("prefill", "llama.cpp", version, "q4_k_m", PREFILL,
                [prefill_rate(llama, long_prompt) for _ in range(RUNS)])
    report_rate("decode", "llama.cpp", version, "q4_k_m", DECODE,
                [decode_rate(llama, prompt) for _ in range(RUNS)])


KNOWN = {"llm": llm}
for group in groups(KNOWN):
    KNOWN[group]()
