#!/usr/bin/env python3
"""Compares the tokenizer with llama.cpp (PyPI llama-cpp-python), or records its answers.

    tokenizer_oracle.py record --model FILE --output tests/models/data/tokenizer_gemma.txt
    tokenizer_oracle.py compare --model FILE --test-program build/release/bin/models_test
    tokenizer_oracle.py vocabularies --test-program build/release/bin/models_test

`record` writes 200 lines and the peer's tokens; the test Tokenizer.AgreesWithTheRecording reads
them. `compare` makes 10,000 lines from a seed and runs the same test on them; so does the test
Tokenizer.AgreesWithThePeer where `./dev setup peers` was run. `vocabularies` does it with small
random vocabularies, which reach the corners that a real one does not; it needs PyPI gguf too.
"""

import argparse
import ctypes
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import llama_cpp

sys.path.insert(0, str(Path(__file__).resolve().parent))
from tokenizer_lines import lines  # noqa: E402


class Peer:
    """The tokenizer of llama.cpp."""

    def __init__(self, path):
        self.quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
        llama_cpp.llama_log_set(self.quiet, None)
        parameters = llama_cpp.llama_model_default_params()
        parameters.vocab_only = True
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
        if not self.model:
            raise SystemExit(f"the peer cannot load {path}")
        self.vocabulary = llama_cpp.llama_model_get_vocab(self.model)

    def close(self):
        llama_cpp.llama_model_free(self.model)

    def encode(self, text, add_special, parse_special):
        room = 4 * len(text) + 16  # a space may become three bytes, and something may stand first
        tokens = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self.vocabulary, text, len(text), tokens, room,
                                         add_special, parse_special)
        assert count >= 0
        return list(tokens[:count])

    def decode(self, tokens, render_special):
        room = 512 * len(tokens) + 1
        text = ctypes.create_string_buffer(room)
        array = (llama_cpp.llama_token * len(tokens))(*tokens)
        count = llama_cpp.llama_detokenize(self.vocabulary, array, len(tokens), text, room, False,
                                           render_special)
        assert count >= 0
        return text.raw[:count]

    def token_texts(self):
        """The texts of all tokens that are whole characters, spaces as spaces."""
        count = llama_cpp.llama_vocab_n_tokens(self.vocabulary)
        texts = [llama_cpp.llama_vocab_get_text(self.vocabulary, token) for token in range(count)]
        return [text.decode().replace("▁", " ") for text in texts]

    def roles(self):
        v = self.vocabulary
        return [llama_cpp.llama_vocab_bos(v), llama_cpp.llama_vocab_eos(v),
                llama_cpp.llama_vocab_eot(v)]


def write_answers(peer, texts, output):
    """One line a text: its bytes, the tokens in two ways of asking, and what each decodes to.

    "=" stands for the usual: the same tokens behind the begin token, and the text itself.
    """
    begin = peer.roles()[0]
    with open(output, "w", encoding="ascii") as file:
        file.write(" ".join(map(str, peer.roles())) + "\n")
        for text in texts:
            parsed, plain = peer.encode(text, False, True), peer.encode(text, True, False)
            decoded = [peer.decode(parsed, True), peer.decode(plain, False)]
            fields = [text.hex(), " ".join(map(str, parsed)),
                      "=" if plain == [begin, *parsed] else " ".join(map(str, plain)),
                      *("=" if d == text else d.hex() for d in decoded)]
            file.write("|".join(fields) + "\n")


def run_test(program, model, answers):
    environment = {**os.environ, "LAZULI_TOKENIZER_MODEL": str(model),
                   "LAZULI_TOKENIZER_ANSWERS": str(answers)}
    return subprocess.run([program, "--gtest_filter=Tokenizer.AgreesWithTheRecording"],
                          env=environment, stdout=subprocess.PIPE, text=True, check=False)


def record(options):
    peer = Peer(options.model)
    write_answers(peer, lines(options.count or 200, options.seed, peer.token_texts()),
                  options.output)
    return 0


def compare(options):
    peer = Peer(options.model)
    count = options.count or 10_000
    with tempfile.TemporaryDirectory() as folder:
        answers = Path(folder) / "answers.txt"
        write_answers(peer, lines(count, options.seed, peer.token_texts()), answers)
        done = run_test(options.test_program, options.model, answers)
    print(done.stdout[-4000:])
    print(f"{count} lines, seed {options.seed}: {'differ' if done.returncode else 'equal'}")
    return done.returncode


def random_vocabulary(rng, path):
    """A vocabulary over few letters with many merges, and random kinds, scores and settings."""
    import gguf  # noqa: PLC0415, only this task needs it

    letters = "abcde" + rng.choice(["", "é", "<>", "中x"])
    tokens = {"<unk>": (0, 2), "<s>": (0, 3), "</s>": (0, 3)}
    for byte in range(256):
        tokens[f"<0x{byte:02X}>"] = (0, 6)
    for letter in letters + "▁":
        if rng.random() < 0.9:
            tokens[letter] = (-rng.randint(1, 30), 1)
    for _ in range(rng.randint(0, 60)):
        parts = [rng.choice([letter for letter in tokens if len(letter) < 5] + list(letters + "▁ "))
                 for _ in range(rng.randint(2, 3))]
        kind = rng.choice([1] * 12 + [2, 3, 4, 4, 4, 5])
        text = "".join(parts)
        # The order among special tokens of one length that overlap is left open by the peer.
        if kind in (2, 3, 4) and any(len(t.encode()) == len(text.encode()) and k in (2, 3, 4)
                                     for t, (_, k) in tokens.items()):
            continue
        tokens.setdefault(text, (rng.choice([-1, 1]) * rng.randint(0, 40), kind))
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text.encode() for text in tokens])
    writer.add_token_scores([float(score) for score, _ in tokens.values()])
    writer.add_token_types([kind for _, kind in tokens.values()])
    for key in ("add_bos_token", "add_eos_token", "add_space_prefix"):
        if rng.random() < 0.5:
            writer.add_bool(f"tokenizer.ggml.{key}", rng.random() < 0.5)
    writer.add_context_length(8)
    writer.add_embedding_length(8)
    writer.add_block_count(1)
    writer.add_feed_forward_length(8)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return list(tokens), letters


def random_texts(rng, tokens, letters, count):
    alphabet = list(letters) * 3 + [" ", "▁", "z", "\n"] + [t for t in tokens if len(t) < 8]
    texts = [b""]
    for _ in range(count):
        text = "".join(rng.choice(alphabet) for _ in range(rng.randint(1, 30))).encode()
        if rng.random() < 0.1:
            at = rng.randrange(len(text) + 1)
            text = text[:at] + bytes([rng.randint(0x80, 0xff)]) + text[at:]
        texts.append(text)
    return texts


def vocabularies(options):
    rng = random.Random(options.seed)
    count = options.count or 200
    with tempfile.TemporaryDirectory() as folder:
        model, answers = Path(folder) / "v.gguf", Path(folder) / "answers.txt"
        for index in range(count):
            tokens, letters = random_vocabulary(rng, model)
            peer = Peer(model)
            write_answers(peer, random_texts(rng, tokens, letters, 100), answers)
            peer.close()
            done = run_test(options.test_program, model, answers)
            if done.returncode != 0:
                print(done.stdout[-4000:])
                print(f"vocabulary {index} of seed {options.seed} differs")
                return 1
    print(f"{count} vocabularies with 101 texts each, seed {options.seed}: equal")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("task", choices=["record", "compare", "vocabularies"])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--test-program", type=Path)
    parser.add_argument("--count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for needed in {"record": ["model", "output"], "compare": ["model", "test_program"],
                   "vocabularies": ["test_program"]}[options.task]:
        if getattr(options, needed) is None:
            parser.error(f"{options.task} needs --{needed.replace('_', '-')}")
    return globals()[options.task](options)


if __name__ == "__main__":
    sys.exit(main())
