#!/usr/bin/env python3
"""Records how the package `tokenizers` (PyPI, 0.23.3) splits and tokenizes, for tests.

    bpe_oracle.py splits --output tests/models/data/splits.txt
    bpe_oracle.py tokens --model smollm2.gguf --output tests/models/data/tokenizer_smollm2.txt

`splits` writes a line of text and, for each split rule, how many bytes its pieces have.
`tokens` builds a tokenizer from the vocabulary and the merges of a GGUF file (package `gguf`) and
writes the tokens of a text: with special tokens parsed, as plain text ("=": the same), and the
text that they stand for ("=": the same; bytes for which there is no token are missing).
"""

import argparse
import sys
from pathlib import Path

import gguf
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

sys.path.insert(0, str(Path(__file__).resolve().parent))
from tokenizer_lines import lines  # noqa: E402

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,%d}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
GPT2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
SEQUENCE = pre_tokenizers.Sequence


def llama3(digits):
    return SEQUENCE([pre_tokenizers.Split(Regex(LLAMA3 % digits), "isolated"), BYTES])


RULES = {
    "gpt-2": GPT2,
    "smollm": SEQUENCE([pre_tokenizers.Digits(individual_digits=True), GPT2]),
    "llama-bpe": llama3(3),
    "qwen2": llama3(1),
}
HARD = [
    "I'm you're he's we've they'll I'd don't", "I'M YOU'RE HE'S WE'VE THEY'LL I'D DON'T",
    "'S's'x''s", "'", "''", "'l", "'ll", "'LL", "'lL", "'r", "'re", " 's", "  's", "\n's",
    "'\u017f", "\u2019s", "a b", "a  b", "a   b", " a", "  a", "a ", "a  ", " ", "  ", "\t", "\ta",
    "\t\ta", " \ta", "\t a", "\n", "\n\n", "\na", "\n a", " \na", " \n a", "\n \n a", " \n \n  a",
    "a\n", "a \n", "a\n \n", "\r\n", "a\r\nb", "\r\r\n\n", "a \r\n b", ".\n", ".\n\n", ".\r\n.",
    " .\n a", "...", " ...", "  ...", "a.b", "a .b", "a. b", "$a", "#a", " #a", "-a-b", "_a_b",
    "(a)", "[1]", "a1b2", "1a", "1", "12", "123", "1234", "12345678", " 1", "  1", " 12", "1 2",
    "1  2", "1\n2", "1.5", "1,234", "-1", "$1", "\n1", "\t1", "\u0661\u0662\u0663\u0664",
    "\u00bd\u00bc", "\u2167\u2168", "\u3007\u4e00", "x\u00b2", "a\u0301b", "\u0301a",
    "e\u0301\u0301", "\u00a0a", "\u00a0\u00a0a", "a\u00a0b", "\u3000a", "\u2028a", "a\u2028\u2029b",
    "\u0085a", "a\u0085\u0085b", "\u200ba", "\ufeffa", "\u1680a", "\x1ca", "\x1c\x1d", "\x0b\x0ca",
    "\x00a", "a\x7fb", "\U0001d7d8\U0001d7d9", "\U0001d400\U0001d401", "\U000323af\U000323b0",
    "\u1c89\u1c8a", "\U00010d40", "\U0001f600a", "a\U0001f600", " \U0001f600", "\u4e2d\u6587 a",
    "\u0e01\u0e33",
]
SPECIAL = ["<|im_start|>user\nhi<|im_end|>\n", "<|im_start|>", "<|im_end|>a", " <|endoftext|> ",
           "<|im_start", "<|im_start|><|im_start|>", "<|endoftext|>1", "<repo_name>x<file_sep>"]


def texts(count, seed, vocabulary):
    """Hard strings, then mixed ones that are text and not long."""
    made = list(HARD)
    for line in lines(100 * count, seed, vocabulary):
        try:
            text = line.decode()
        except UnicodeDecodeError:
            continue
        if len(line) <= 160:
            made.append(text)
        if len(made) >= count:
            break
    return made


def piece_sizes(rule, text):
    """Pieces come out spelt byte by byte, a character each."""
    return [len(piece) for piece, _ in RULES[rule].pre_tokenize_str(text)]


def splits(options):
    with open(options.output, "w", encoding="ascii") as file:
        file.write("|".join(["", *RULES]) + "\n")
        for text in texts(options.count, options.seed, ["a", "b1", " c"]):
            sizes = [piece_sizes(rule, text) for rule in RULES]
            assert all(sum(row) == len(text.encode()) for row in sizes)
            fields = [text.encode().hex(), *(" ".join(map(str, row)) for row in sizes)]
            file.write("|".join(fields) + "\n")


def byte_spelling():
    """The character that stands for each byte."""
    spelt = {}
    for byte in range(256):
        printable = 0x20 < byte < 0x7f or (byte > 0xa0 and byte != 0xad)
        others = len(spelt) - sum(ord(c) == b for b, c in spelt.items())
        spelt[byte] = chr(byte if printable else 0x100 + others)
    return spelt


def tokenizer_of(fields):
    """The tokenizer that the metadata describe, and its bytes without a token."""
    tokens = fields["tokenizer.ggml.tokens"].contents()
    kinds = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(line.split(" ")) for line in fields["tokenizer.ggml.merges"].contents()]
    made = Tokenizer(models.BPE({text: i for i, text in enumerate(tokens)}, merges))
    made.pre_tokenizer = RULES[fields["tokenizer.ggml.pre"].contents()]
    made.decoder = decoders.ByteLevel()
    special = [text for text, kind in zip(tokens, kinds, strict=True) if kind == 3]
    made.add_special_tokens([AddedToken(text, normalized=False) for text in special])
    missing = {byte for byte, spelt in byte_spelling().items() if spelt not in set(tokens)}
    words = [text.replace("\u0120", " ") for text in tokens if text.isprintable()]
    return made, missing, words


def tokens(options):
    tokenizer, missing, words = tokenizer_of(gguf.GGUFReader(options.model).fields)
    with open(options.output, "w", encoding="ascii") as file:
        for text in SPECIAL + texts(options.count, options.seed, words):
            tokenizer.encode_special_tokens = False
            parsed = tokenizer.encode(text, add_special_tokens=False).ids
            tokenizer.encode_special_tokens = True
            plain = tokenizer.encode(text, add_special_tokens=False).ids
            data = text.encode()
            kept = bytes(byte for byte in data if byte not in missing)
            fields = [data.hex(), " ".join(map(str, parsed)),
                      "=" if plain == parsed else " ".join(map(str, plain)),
                      "=" if kept == data else kept.hex()]
            file.write("|".join(fields) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", choices=("splits", "tokens"))
    parser.add_argument("--model")
    parser.add_argument("--output", required=True)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    {"splits": splits, "tokens": tokens}[options.work](options)


main()
