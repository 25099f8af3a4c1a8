"""Words that do not belong: output and exits of library code, parameters of ops taken by number,
paths of one machine, hosts."""

import re

from tidy.source import Finding

CALLS = re.compile(r"(?<![\w.>:])(?:std::)?(getenv|secure_getenv|v?f?printf|puts|abort|exit|_exit|"
                   r"quick_exit|terminate)\s*\(|std::(cerr|cout|clog)\b")
MEND_CALLS = {
    "getenv": "add a row to base/flags.def and read the flag",
    "output": "log through base, or return the text",
    "exit": "throw one of the errors of lazuli/error.h",
}
# Where parameters of ops are words; elsewhere they are fields.
PARAMS = re.compile(r"\bparams(?:\(\))?\s*\[")
OF_WORDS = ("src/ops/table/", "src/core/")
# Written in pieces so that this file passes its own check.
MACHINE_PATHS = re.compile("|".join([r"(?<![\w.~}\"'])/wo" + r"rk/\w", r"(?<![\w.])/ro" + r"ot/",
                                     r"(?<![\w.])/ho" + r"me/\w"]))
HOSTS = re.compile("|".join([r"pypi\.o" + "rg", r"pythonho" + r"sted\.", r"deb\.debi" + "an",
                             r"index\.crat" + "es", r"static\.crat" + "es", r"registry\.np" + "mjs",
                             r"huggingfa" + r"ce\.co"]))


def kind_of(call):
    if "getenv" in call:
        return "getenv"
    return "output" if call in ("cerr", "cout", "clog", "puts") or "printf" in call else "exit"


def check_calls(tree):
    for path in tree.cpp:
        if not path.startswith(("src/", "models/")) or path.startswith("src/base/"):
            continue
        for number, line in enumerate(tree.code(path).splitlines(), 1):
            for match in CALLS.finditer(line):
                call = match.group(1) or match.group(2)
                yield Finding(path, number, f"{call} outside src/base", MEND_CALLS[kind_of(call)])


def check_params(tree):
    for path in tree.cpp:
        if not path.startswith("src/") or path.startswith(OF_WORDS):
            continue
        for number, line in enumerate(tree.code(path).splitlines(), 1):
            if PARAMS.search(line):
                yield Finding(path, number, "a parameter of an op is taken by its number",
                              "read a field of the op's struct in ops/table/params.h")


def check_places(tree):
    for path in tree.texts:
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            for pattern, what, mend in (
                    (MACHINE_PATHS, "a path of one machine", "say it relative to the checkout"),
                    (HOSTS, "the host of a registry", "name the package; the reader's settings "
                     "say where it comes from")):
                if match := pattern.search(line):
                    yield Finding(path, number, f"{what}: {match.group()}", mend)


def check(tree):
    yield from check_calls(tree)
    yield from check_params(tree)
    yield from check_places(tree)
