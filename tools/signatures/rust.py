"""Writes the declarations of the C functions for Rust: bindings/rust/src/<header>.rs."""

import re

from signatures.c import functions, groups
from signatures.places import MARK

HEAD = """\
//! {title}
// {mark}
use std::ffi::{{c_char, c_int}};

use crate::*;

extern "C" {{
"""
TYPES = {"int": "c_int", "int64_t": "i64", "size_t": "usize", "uint64_t": "u64", "double": "f64",
         "float": "f32", "char": "c_char"}
KEYWORDS = {"type", "ref", "move", "in", "loop", "match", "mod", "use", "where"}


def rust_type(text):
    """`const int*` -> `*const c_int`; the const of a value says nothing to the caller."""
    name = re.sub(r"^const |\*$", "", text).strip()
    name = TYPES.get(name, name)
    if not text.endswith("*"):
        return name
    return f"*const {name}" if text.startswith("const ") else f"*mut {name}"


def parameters(function):
    pairs = [tuple(function.result.rsplit(" ", 1))] if function.result else []
    return ", ".join(f"{name}_: {rust_type(kind)}" if name in KEYWORDS else
                     f"{name}: {rust_type(kind)}" for kind, name in pairs + function.parameters)


def declaration(function):
    text = f"    pub fn {function.name}({parameters(function)}) -> c_int;"
    if len(text) <= 100:
        return text
    inside = parameters(function).replace(", ", ",\n        ")
    return f"    pub fn {function.name}(\n        {inside},\n    ) -> c_int;"


def comment(row):
    text = row.documentation.split("\n>>> ")[0].strip()
    return "\n".join(f"    /// {line}".rstrip() for line in text.split("\n"))


def outputs(families):
    """Path below bindings/rust -> text."""
    files = {}
    for name, (title, members) in groups(families).items():
        parts, row = [HEAD.format(title=title, mark=MARK.format(""))], None
        for function in (function for family in members for function in functions(family)):
            if function.row is not row:
                row = function.row
                parts.append(comment(row) + "\n")
            parts.append(declaration(function) + "\n")
        text = "".join([*parts, "}\n"])
        for used in ("c_char", "c_int"):
            if text.count(used) == 1:
                text = text.replace("{c_char, c_int}", "c_int")
        files[f"src/{name}.rs"] = text
    return files
