"""Writes include/lazuli/ops/<family>.h, the documented declarations."""

from signatures.cpp import with_stream, wrap
from signatures.places import MARK

HEAD = """\
// {title}
// {mark}
{more}#pragma once

{includes}

{prelude}namespace lazuli{inner} {{
"""
STANDARD = (("std::optional", "optional"), ("std::string", "string"), ("std::pair", "utility"),
            ("std::move", "utility"), ("std::enable_if", "type_traits"),
            ("std::integral", "concepts"), ("std::vector", "vector"))


def comment(row):
    """The documentation without the example, which is Python's."""
    text = row.documentation.split("\n>>> ")[0].strip()
    return "\n".join(f"// {line}".rstrip() for line in text.split("\n"))


def has_stream(row):
    return row.cpp_only or any(p.name == "stream" for p in row.parameters)


def spell(row):
    """Its declarations, with the stream that every operation takes last."""
    if row.declarations and has_stream(row):
        return [wrap(with_stream(declaration.text)) for declaration in row.declarations]
    return [wrap(f"{declaration.text};") for declaration in row.declarations]


def includes(family, body):
    found = sorted({f"<{header}>" for text, header in STANDARD if text in body})
    own = sorted(f'"{name}"' for name in ["lazuli/array.h", *family.includes])
    blocks = ["\n".join(f"#include {name}" for name in block) for block in (found, own) if block]
    return "\n\n".join(blocks)


def header(family):
    parts = []
    for row in family.rows:
        if row.declarations:
            parts += [comment(row), *spell(row), ""]
    body = "\n".join(parts)
    inner = f"::{family.namespace}" if family.namespace else ""
    prelude = f"{family.prelude.strip()}\n\n" if family.prelude else ""
    head = HEAD.format(title=family.title, more=family.more, inner=inner,
                       mark=MARK.format(f"/{family.name}.pyi"), prelude=prelude,
                       includes=includes(family, body))
    return f"{head}\n{body}\n}}  // namespace lazuli{inner}\n"
