"""Writes the type stubs of the package: lazuli/core/__init__.pyi and one for each module below."""

import ast
import re

from signatures.places import MARK

HEAD = """\
# {title}
# {mark}
{imports}

"""
IMPORTS = """\
import enum
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, ParamSpec, TypeAlias, TypeVar, overload

from typing_extensions import disjoint_base

from lazuli.core import {modules}

P = ParamSpec("P")
R = TypeVar("R")
scalar: TypeAlias = bool | int | float | complex
StreamOrDevice: TypeAlias = Stream | Device | DeviceType | None"""
INNER_IMPORTS = """\
from collections.abc import Sequence
from typing import Any

from typing_extensions import disjoint_base

from lazuli.core import Dtype, StreamOrDevice, array, float32, int32, scalar"""


# What arrays do otherwise than the types of other objects, and what mypy says of it.
IGNORED = {"__eq__": "override", "__ne__": "override", "__ipow__": "misc"}


def indented(text, spaces):
    return "\n".join(f"{' ' * spaces}{line}" if line else "" for line in text.split("\n"))


def parameter(p):
    text = p.star + p.name + (f": {p.type}" if p.type else "")
    return text if p.default is None else f"{text} = {p.default}"


def signature(name, parameters, returns, spaces):
    """`def name(...) -> returns:`, on lines of its own where one is too short for it."""
    parts, starred = [], False
    for p in parameters:
        if p.keyword_only and not starred:
            parts.append("*")
        starred = starred or p.keyword_only or p.star == "*"
        parts.append(parameter(p))
    line = f"def {name}({', '.join(parts)}) -> {returns}:"
    if len(line) + spaces <= 100:
        return line
    return "\n".join([f"def {name}(", *(f"    {part}," for part in parts), f") -> {returns}:"])


def function(row, name, spaces=0, method=False):
    """One function of the stub with its documentation; `self` has no annotation."""
    parameters = list(row.parameters)
    if method:
        parameters = [type(row.parameters[0])("self", None, None), *row.method.parameters]
    lines = [f"{signature(name, parameters, row.returns, spaces)}"]
    if row.documentation:
        lines.append(f'    """{indented(row.documentation, 4).lstrip()}\n    """')
    else:
        lines[0] += " ..."
    return indented("\n".join(lines), spaces)


def functions(family):
    """All functions of a family; what has several signatures is marked so."""
    parts = []
    several = {row.name for row in family.rows if row.overload}
    for row in family.rows:
        if row.cpp_only:
            continue
        for name in [row.name, *row.aliases]:
            head = "@overload\n" if row.name in several else ""
            parts.append(head + function(row, name))
    return parts


def class_text(node, methods=()):
    """A class as it stands in its file, with the methods that rows add."""
    text = re.sub(r":\n +\.\.\.$", ": ...", ast.unparse(node), flags=re.MULTILINE)
    for name, finding in IGNORED.items():
        text = re.sub(rf"^( +def {name}\(.*-> array: \.\.\.)$", rf"\1  # type: ignore[{finding}]",
                      text, flags=re.MULTILINE)
    if not node.bases:
        text = f"@disjoint_base\n{text}"
    return "\n".join([text, *methods])


def stub(families, imports):
    """The text of one module from the families that lie in it."""
    parts = [HEAD.format(title=families[0].title, mark=MARK.format(""), imports=imports)]
    everywhere = [row for family in families for row in family.rows]
    methods = [function(row, row.method.name, 4, method=True) for row in everywhere if row.method]
    for family in families:
        parts += [ast.unparse(node) for node in family.constants]
    for family in families:
        parts += [class_text(node, methods if node.name == "array" else ())
                  for node in family.classes]
        parts += functions(family)
    return "\n".join(parts) + "\n"


def stubs(families):
    """File name -> text."""
    modules = sorted({family.module for family in families if family.module})
    core = [family for family in families if not family.module]
    core.sort(key=lambda family: family.name != "types")
    texts = {"__init__.pyi": stub(core, IMPORTS.format(
        modules="(\n" + "".join(f"    {name} as {name},\n" for name in modules) + ")"))}
    for name in modules:
        inside = [family for family in families if family.module == name]
        texts[f"{name}.pyi"] = stub(inside, INNER_IMPORTS)
    return texts
