"""Writes docs/ops.md, and the state of each name of the oracle."""

from signatures.places import MARK
from signatures.tables import kernels, primitives

HEAD = """\
<!-- {mark} -->
# Operations

One line a function of `lazuli.core`, from its row of `src/ops/signatures` and from the op tables.
`method`: arrays have it too. `runs as`: how a device computes it. *fused* steps are emitted for
what is evaluated together, on every device; *kernel* is one of the device; *view* only changes
strides; *composed* functions record several ops. `derivative`: whether vjp and jvp go through, or
give zeros.
C++ names are the same, in the namespace `lazuli`.
"""
# Ops of primitive.def whose result does not vary smoothly with an input.
FLAT = {"argmax", "argmin", "argsort", "argpartition", "random_bits", "arange", "affine_quantize",
        "all", "any"}


def spelling(row):
    """The call as Python writes it, without the stream."""
    parts, keywords = [], False
    for parameter in row.parameters:
        if parameter.name == "stream":
            continue
        keywords = keywords or bool(parameter.star)
        if parameter.keyword_only and not keywords:
            parts.append("*")
            keywords = True
        default = "" if parameter.default is None else f"={parameter.default}"
        parts.append(parameter.star + parameter.name + default)
    prefix = f"{row.family.module}." if row.family.module else ""
    return f"{prefix}{row.name}({', '.join(parts)})"


class Devices:
    """How devices compute what a row records."""

    def __init__(self):
        self.forms, self.kernels = primitives(), kernels()

    def ops(self, row):
        return row.ops or ([row.name] if row.name in self.forms else [])

    def runs_as(self, row):
        if row.table:
            return "fused"
        ops = self.ops(row)
        if not ops:
            return "composed"
        forms = {self.forms[op] for op in ops}
        if forms == {"View"}:
            return "view"
        having = [device for device, names in self.kernels.items() if set(ops) <= names]
        where = "" if len(having) == len(self.kernels) else f" ({', '.join(having)})"
        return ("fused or kernel" if forms == {"Reduce"} else "kernel") + where

    def derivative(self, row):
        if row.table:
            return "yes" if row.table.differentiable else "zero"
        if row.flat:
            return "zero"
        ops = self.ops(row)
        return "zero" if ops and all(op in FLAT for op in ops) else "yes"


def document(families):
    lines, devices = [HEAD.format(mark=MARK.format(""))], Devices()
    for family in families:
        rows = [row for row in family.rows if not row.cpp_only and not row.overload]
        if family.plain or not rows:
            continue
        lines += [f"## {family.documentation.splitlines()[0]}", "",
                  "| call | method | runs as | derivative | shape | dtype |",
                  "|---|---|---|---|---|---|"]
        for row in rows:
            method = f"`{row.method.name}`" if row.method else ""
            facts = [f"`{spelling(row)}`", method, devices.runs_as(row), devices.derivative(row),
                     row.part("Shape"), row.part("Dtype")]
            lines.append("| " + " | ".join(fact.replace("|", "\\|") for fact in facts) + " |")
        lines.append("")
    return "\n".join(lines)


def names(families):
    """Every name of the Python package that a row or a class or constant of a family tells of."""
    found = set()
    for family in families:
        for row in family.rows:
            if not row.cpp_only:
                found |= {f"{family.place}.{name}" for name in [row.name, *row.aliases]}
        found |= {f"{family.place}.{node.name}" for node in family.classes}
        found |= {f"{family.place}.{node.target.id}" for node in family.constants
                  if hasattr(node, "target")}
        found |= {f"{family.place}.{node.targets[0].id}" for node in family.constants
                  if hasattr(node, "targets")}
    return {name.removeprefix("core.") if name.count(".") == 2 else name for name in found}


def states(text, families):
    """The list with each name marked: row, or missing and the issue that brings it."""
    rows, lines = names(families), []
    for line in text.splitlines():
        name, *state = line.split()
        if name in rows:
            state = ["row"]
        elif state[0] == "row":
            state = ["missing", "removed"]
        lines.append(" ".join([name, *state]))
    return "\n".join(lines) + "\n"
