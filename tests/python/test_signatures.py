"""Names and parameters are the oracle's: every call that it takes is taken here."""

import inspect
import re
from pathlib import Path
from types import SimpleNamespace

import lazuli.core as mx
import pytest

# Names of ours that the oracle has not.
OWN_NAMES = {"rint", "_array_from_bytes", "_Transformed", "why_unavailable",
             "random.state"}  # which the oracle has too, but does not list
# Parameters that belong to what is not there yet: other modes of quantisation.
MISSING_PARAMETERS = {("quantize", "global_scale"), ("dequantize", "global_scale")}
# The oracle's text says something else than the oracle does.
MISPRINTED = {"arange", "save_gguf", "savez", "savez_compressed", "random.permutation"}

LIST = r"""
import types
def signature(o):
    s = getattr(o, "__nb_signature__", None)
    return [[text, [repr(d) for d in defaults or ()]] for text, _, defaults in s] if s else None
result = {}
for prefix, place in (("", mx), ("array.", mx.array), ("fast.", mx.fast), ("random.", mx.random),
                      ("linalg.", mx.linalg), ("distributed.", mx.distributed),
                      ("metal.", mx.metal), ("cuda.", mx.cuda)):
    for name in dir(place):
        o = getattr(place, name)
        if not isinstance(o, types.ModuleType) and not (prefix == "array." and name[0] == "_"):
            result[prefix + name] = signature(o)
"""


def split_parameters(text):
    parts, depth, current = [], 0, ""
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += letter
    return [part for part in [*parts, current.strip()] if part]


def parameters(text, defaults):
    """name -> (keyword only, default or None) of the text of a signature."""
    inside = text[text.index("(") + 1:text.rindex(") ->") if ") ->" in text else text.rindex(")")]
    result, keyword_only = {}, False
    for part in split_parameters(inside.replace("\n", " ")):
        if part in ("*", "/"):
            keyword_only = keyword_only or part == "*"
            continue
        name = re.match(r"\*{0,2}\w+", part).group()
        keyword_only = keyword_only or (name.startswith("*") and not name.startswith("**"))
        default = part.split("=", 1)[1].strip() if "=" in part else None
        if default and re.fullmatch(r"\\\d+", default):
            default = defaults[int(default[1:])]
        if default:
            default = re.sub(r"^(mlx|lazuli)\.core\.", "", default).strip("'\"")
        result[name.lstrip("*")] = SimpleNamespace(keyword_only=keyword_only, default=default,
                                                   variadic=name.startswith("*"))
    return result


def table_rows():
    """The elementwise ops: a row of their tables is all that a new one takes."""
    tables = Path(__file__).parents[2] / "src" / "ops" / "table"
    return [name for table in ("unary", "binary")
            for name in re.findall(r"^[A-Z]+\((\w+),", (tables / f"{table}.def").read_text(), re.M)]


@pytest.fixture(scope="module")
def theirs(oracle):
    return oracle.run(LIST)


@pytest.fixture(scope="module")
def own():
    space = {"mx": mx}
    exec(LIST, space)
    return space["result"]


def test_no_name_is_invented(own, theirs):
    rows = {name for name in table_rows() if name in own}
    assert {name for name in own if name not in theirs} - rows <= OWN_NAMES


def same(a, b):
    try:
        return float(a) == pytest.approx(float(b), rel=1e-6)
    except (TypeError, ValueError):
        return a == b


def test_parameters(own, theirs):
    wrong = []
    for name, signatures in sorted(own.items()):
        if not signatures or not theirs.get(name) or name in MISPRINTED:
            continue
        ours = parameters(*signatures[0])
        wanted = parameters(*theirs[name][0])
        for parameter, facts in wanted.items():
            if facts.variadic or (name, parameter) in MISSING_PARAMETERS:
                continue
            mine = ours.get(parameter)
            if mine is None:
                wrong.append(f"{name}: {parameter} is missing")
            elif mine.keyword_only and not facts.keyword_only:
                wrong.append(f"{name}: {parameter} is keyword only")
            elif not same(mine.default, facts.default):
                wrong.append(f"{name}: {parameter} = {mine.default}, not {facts.default}")
        order = [p for p in ours if p in wanted and not wanted[p].keyword_only]
        if order != [p for p in wanted if p in ours and not wanted[p].keyword_only]:
            wrong.append(f"{name}: the order is {order}")
    assert not wrong


def test_functions_have_documentation_of_their_own():
    assert mx.abs.__doc__ and mx.add.__doc__ and inspect.getdoc(mx.array)
