"""Writes the C functions of the operations: bindings/c/include/mlx/c/<header>.h and their bodies.

A declaration of C++ becomes one function: the result comes first, lists have their length behind
them, and the stream is last. Its name is that of the operation, with _axes or _axis behind it where
the operation has a form without axes too; @c names the others, "" for a form that C has not."""

from dataclasses import dataclass

from signatures.places import MARK
from signatures.python import is_cast

LISTS = {"const std::vector<int>&": "int", "std::vector<int>": "int", "Shape": "int",
         "const Shape&": "int", "Strides": "int64_t"}
ARRAYS = ("const array&", "array")
OPTIONAL_ARRAYS = ("const std::optional<array>&", "std::optional<array>", "const Key&")
VECTORS = ("const std::vector<array>&", "std::vector<array>")
VALUES = {"bool": "bool", "int": "int", "double": "double", "float": "float",
          "const float": "float", "size_t": "size_t", "uint64_t": "uint64_t", "Dtype": "mlx_dtype",
          "std::optional<int>": "mlx_optional_int", "std::optional<float>": "mlx_optional_float",
          "const std::string&": "const char*"}
RESULTS = {"array": "mlx_array* res", "std::vector<array>": "mlx_vector_array* res"}
HEADER = """\
/* {title}
   {mark}
   Each function returns 0, or 1 after it has told the error handler what is wrong; then the result
   stays as it was. */
#ifndef MLX_C_{guard}_H
#define MLX_C_{guard}_H

#include "mlx/c/array.h"
#include "mlx/c/optional.h"
#include "mlx/c/stream.h"
#include "mlx/c/vector.h"

#ifdef __cplusplus
extern "C" {{
#endif

"""
SOURCE = """\
// {title}
// {mark}
#include "mlx/c/{header}.h"

#include "handles.h"
{includes}
using namespace lazuli::c;

"""


@dataclass
class CFunction:
    name: str
    row: object
    declaration: object
    flat: bool = False  # without the axis, of the flattened array

    @property
    def callee(self):
        return "::".join(filter(None, ("lazuli", self.row.family.namespace, self.row.name)))

    @property
    def parameters(self):
        """Pairs of type and name."""
        found = []
        for p in self.own:
            if p.type in LISTS:
                found += [(f"const {LISTS[p.type]}*", p.name), ("size_t", f"{p.name}_num")]
            elif p.type in ARRAYS + OPTIONAL_ARRAYS:
                found.append(("const mlx_array", p.name))
            elif p.type in VECTORS:
                found.append(("const mlx_vector_array", p.name))
            else:
                found.append((VALUES[p.type], p.name))
        if self.has_cast:
            found.append(("mlx_optional_dtype", "dtype"))
        if self.has_stream:
            found.append(("const mlx_stream", "s"))
        return found

    @property
    def own(self):
        return [p for p in self.declaration.parameters if not (self.flat and p.name == "axis")]

    @property
    def has_cast(self):
        """True where Python's dtype is one that the first operand is brought to."""
        return any(is_cast(self.row, p) for p in self.row.parameters) and not self.row.adapter

    @property
    def has_stream(self):
        return any(p.name == "stream" for p in self.row.parameters) or self.row.cpp_only

    @property
    def result(self):
        return RESULTS.get(self.declaration.returns, "")

    @property
    def prototype(self):
        parts = [self.result, *(f"{kind} {name}" for kind, name in self.parameters)]
        return f"int {self.name}({', '.join(part for part in parts if part)})"

    def argument(self, p):
        if p.type in LISTS:
            kind = "shape" if p.type in ("Shape", "const Shape&") else "list"
            kind = "strides" if p.type == "Strides" else kind
            return f"{kind}_of({p.name}, {p.name}_num)"
        if p.type in ARRAYS + VECTORS:
            return f"value_of({p.name})"
        if p.type in OPTIONAL_ARRAYS or p.type.startswith("std::optional"):
            return f"optional_of({p.name})"
        return f"dtype_of({p.name})" if p.type == "Dtype" else p.name

    @property
    def call(self):
        arguments = [self.argument(p) for p in self.declaration.parameters]
        if self.has_cast:
            arguments[0] = f"cast_of({arguments[0]}, dtype, s)"
        if self.flat:
            arguments[0] = f"lazuli::flatten({arguments[0]}, stream_of(s))"
            arguments[self.declaration.names.index("axis")] = "0"
        arguments += ["stream_of(s)"] if self.has_stream else []
        call = f"{self.callee}({', '.join(arguments)})"
        return f"set(res, {call});" if self.result else f"{call};"


def spelt(declaration):
    """True if every type of the declaration has a form in C."""
    known = {*LISTS, *ARRAYS, *OPTIONAL_ARRAYS, *VECTORS, *VALUES}
    return not declaration.generic and declaration.returns in (*RESULTS, "void") and all(
        p.type in known for p in declaration.parameters)


def default_name(row, declaration):
    base = "_".join(filter(None, ("mlx", row.family.namespace, row.name)))
    forms = [other for other in row.declarations if not other.generic]
    for suffix in ("axes", "axis"):
        if suffix in declaration.names and any(
                not {"axis", "axes"} & set(other.names) for other in forms):
            return f"{base}_{suffix}"
    return base


def functions(family):
    """The functions of a family; the first declaration of a name has it."""
    found, taken = [], set()
    for row in family.rows:
        for index, declaration in enumerate(row.declarations):
            if not spelt(declaration):
                continue
            name = default_name(row, declaration)
            flattens = row.none_axis == "flatten" and row.c_names is None
            if flattens:
                found += [CFunction(f"{name}_axis", row, declaration),
                          CFunction(name, row, declaration, flat=True)]
                continue
            if row.c_names is not None:
                name = row.c_names[index] if index < len(row.c_names) else ""
            if name and name not in taken:
                taken.add(name)
                found.append(CFunction(name, row, declaration))
    return found


def wrap(text, indent, width=100):
    lines = []
    while len(text) > width:
        at = text.rindex(", ", 0, width) + 1
        lines.append(text[:at])
        text = " " * indent + text[at + 1:]
    return "\n".join([*lines, text])


def comment(row):
    text = row.documentation.split("\n>>> ")[0].strip()
    return "/* " + "\n   ".join(text.split("\n")).replace("\n   \n", "\n\n") + " */"


def header(title, name, found):
    parts = [HEADER.format(title=title, mark=MARK.format(""), guard=name.upper())]
    row = None
    for function in found:
        if function.row is not row:
            row = function.row
            parts.append(comment(row) + "\n")
        parts.append(wrap(f"{function.prototype};\n", 4))
        parts.append("\n" if function is found[-1] else "")
    parts.append("#ifdef __cplusplus\n}\n#endif\n\n#endif\n")
    return "".join(parts)


def source(title, name, found, headers):
    includes = "".join(f'#include "lazuli/{header}.h"\n' for header in headers)
    parts = [SOURCE.format(title=title, mark=MARK.format(""), header=name, includes=includes)]
    for function in found:
        call = wrap(f"  return guarded([&] {{ {function.call} }});", 6)
        parts.append(f"{wrap(function.prototype, 4)} {{\n{call}\n}}\n")
    return "\n".join(parts)


def groups(families):
    """Header -> its title and its families."""
    found = {}
    for family in families:
        if not family.plain:
            name = family.namespace or "ops"
            title = family.title if family.namespace else "Operations."
            found.setdefault(name, (title, []))[1].append(family)
    return found


def outputs(families):
    """Path below bindings/c -> text."""
    files = {}
    for name, (title, members) in groups(families).items():
        found = [function for family in members for function in functions(family)]
        files[f"include/mlx/c/{name}.h"] = header(title, name, found)
        files[f"src/generated/{name}.cpp"] = source(title, name, found, [name])
    return files
