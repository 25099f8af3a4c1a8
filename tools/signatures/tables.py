"""Reads what the op tables say: the elementwise rows, and which op has a kernel on which device."""

import re
from dataclasses import dataclass

from signatures.places import ROOT

OPS = ROOT / "src" / "ops" / "table"
BACKENDS = ROOT / "src" / "backends"
ACCEPTS = {
    "Number": "",
    "Signed": "not bool",
    "Ordered": "not complex64",
    "Integral": "integers and bool only",
    "Whole": "integers only, bool is taken as uint8",
    "Inexact": "integers and bool are computed in float32",
    "Float": "integers and bool are computed in float32, not complex64",
    "Complex": "",
}
REFUSES = {"Signed": "bool", "Ordered": "complex64", "Integral": "floating dtypes and complex64",
           "Whole": "floating dtypes and complex64", "Float": "complex64"}


@dataclass
class Elementwise:
    """One row of unary.def or binary.def."""

    name: str
    arity: int
    accepts: str
    result: str
    differentiable: bool
    documentation: str

    @property
    def shape(self):
        return "that of a." if self.arity == 1 else "that of a and b, broadcast together."

    @property
    def dtype(self):
        same = "that of a" if self.arity == 1 else "that which a and b promote to"
        result = {"Same": same, "Real": f"{same}; complex64 gives float32", "Boolean": "bool"}
        text = ACCEPTS[self.accepts]
        if self.result == "Boolean" and self.accepts == "Inexact":
            text = ""
        return result[self.result] + (f"; {text}." if text else ".")

    @property
    def errors(self):
        errors = []
        if self.arity == 2:
            errors.append("ValueError if the shapes do not broadcast")
        if self.accepts in REFUSES:
            errors.append(f"ValueError for {REFUSES[self.accepts]}")
        return "; ".join(errors) + "." if errors else "none."


def elementwise_rows():
    """Name -> row."""
    rows = {}
    for arity, name in ((1, "unary"), (2, "binary")):
        text = (OPS / f"{name}.def").read_text()
        pattern = rf'^{name.upper()}\((\w+),\s*(\w+),\s*(\w+),(.*?)"([^"]*)"\)$'
        for row in re.finditer(pattern, text, re.MULTILINE | re.DOTALL):
            smooth = row[4].count("zeros_like") < arity or "where(" in row[4]
            rows[row[1]] = Elementwise(row[1], arity, row[2], row[3], smooth, row[5])
    return rows


def primitives():
    text = (OPS / "primitive.def").read_text()
    return dict(re.findall(r"^PRIMITIVE\((\w+),\s*(\w+)", text, re.MULTILINE))


def kernels():
    """Device -> the ops that it has kernels for."""
    return {device: set(re.findall(r"KERNEL\((\w+)\)", table.read_text()))
            for device, table in (("CPU", BACKENDS / "cpu" / "kernel_table.def"),
                                  ("GPU", BACKENDS / "cuda" / "kernel_table.def"))}
