"""Writes bindings/python/src/generated/<family>.cpp, the registrations for nanobind.

The types of the parameters decide how the C++ function is called; a row has no code of its own.
Functions are bound as pointers, so that those of one signature share their instantiation."""

from signatures.places import MARK

HEAD = """\
// {title}
// {mark}
#include "array/casters.h"
#include "array/dtypes.h"
#include "array/methods.h"
#include "array/operands.h"
#include "functions/adapters.h"
#include "generated/families.h"
#include "{header}"

namespace lazuli::python {{
namespace {{

"""
AXES = "int | Sequence[int] | None"
TYPES = {
    "array": "const array&",
    "scalar | array": "const Operand&",
    "scalar | array | None": "const std::optional<Operand>&",
    "array | None": "const std::optional<array>&",
    "bool": "bool",
    "bool | None": "std::optional<bool>",
    "int": "int",
    "int | None": "std::optional<int>",
    "float": "double",
    "float | None": "std::optional<double>",
    "str": "const std::string&",
    AXES: "const Axes&",
    "int | Sequence[int]": "const Extents&",
    "Sequence[int]": "const Shape&",
    "Sequence[int] | None": "const std::optional<Shape>&",
    "Sequence[array]": "const std::vector<array>&",
    "Dtype": "Dtype",
    "Dtype | None": "std::optional<Dtype>",
    "StreamOrDevice": "StreamOrDevice",
}
# Of Python's int and float, C++ has several; the declaration says which.
NUMBERS = {"int": ("uint64_t", "size_t"), "float": ("float",),
           "float | None": ("std::optional<float>",)}
RETURNS = {"array": "array", "list[array]": "std::vector<array>", "None": "void"}
LITERALS = {"True": "true", "False": "false", "None": "nb::none()", "[]": "nb::list()"}
DTYPES = ("float32", "int32")


def is_cast(row, parameter):
    """True for a dtype that the first operand is brought to, since C++ takes none."""
    return parameter.type == "Dtype | None" and not any(
        "dtype" in declaration.names for declaration in row.declarations)


class Binding:
    """The C++ function of a row, or of its method, that nanobind is given."""

    def __init__(self, row, parameters, method=False):
        self.row, self.parameters, self.method = row, parameters, method
        self.own = [p for p in row.parameters if any(q.name == p.name for q in parameters)]
        self.function = "::".join(filter(None, ("lazuli", row.family.namespace, row.name)))

    def declared(self, count):
        """The declaration with so many parameters besides the stream, or None."""
        for declaration in self.row.declarations:
            if not declaration.generic and len(declaration.parameters) == count:
                return declaration

    def cpp_type(self, parameter):
        for declaration in self.row.declarations:
            for other in declaration.parameters:
                if other.name == parameter.name and other.type in NUMBERS.get(parameter.type, ()):
                    return other.type
        if parameter.type == "int | Sequence[int]" and self.takes_axes(parameter):
            return "const Axes&"
        return TYPES[parameter.type]

    def takes_axes(self, parameter):
        return parameter.name in ("axis", "axes")

    def value(self, p):
        """The C++ expression for one parameter."""
        if p.name in self.row_operands():
            return {"a": "x", "b": "y"}[p.name]
        for name, second in (self.row.method.second_names if self.method else {}).items():
            if p.name == name:
                return f"{second}.value_or({name})"
        if p.type == "scalar | array":
            return f"{p.name}.value()"
        if p.type == "scalar | array | None":
            return f"optional_value({p.name})"
        if p.type == "int | Sequence[int]":
            return f"{p.name}.list" if self.takes_axes(p) else f"{p.name}.shape"
        filled = p.default not in (None, "None")
        if p.type.endswith(" | None") and filled and not self.row.none_axis:
            return f"{p.name}.value_or({p.default})"
        return p.name

    def row_operands(self):
        return ("a", "b") if self.row.together else ()

    def arguments(self, axis=None, change=None, first=None):
        """The call's arguments; `change` stands for the axis, "" for none."""
        parts = []
        for p in self.own:
            if is_cast(self.row, p):
                continue
            text = self.value(p)
            if p is axis and change is not None:
                text = change
            elif first and p is self.own[0]:
                text = first
            parts.append(text)
        return ", ".join(part for part in parts if part)

    def call(self, first=None):
        axis = next((p for p in self.own if p.name in ("axis", "axes")), None)
        if axis and axis.type in (AXES, "Sequence[int] | None"):
            everything, some = ("!axis" if axis.type != AXES else f"{axis.name}.all"), axis.name
            some = f"*{some}" if axis.type != AXES else f"{some}.list"
            return (f"{everything} ? {self.function}({self.arguments(axis, '', first)}) : "
                    f"{self.function}({self.arguments(axis, some, first)})")
        if axis and self.row.none_axis:
            one = f"{self.function}({self.arguments(axis, '*axis', first)})"
            rest = self.arguments(axis, "", first)
            if self.row.none_axis == "flatten":
                flat = f"flatten({first or self.own[0].name}, stream)"
                rest = self.arguments(axis, "0", flat)
            return f"axis ? {one} : {self.function}({rest})"
        return f"{self.function}({self.arguments(first=first)})"

    def body(self):
        row = self.row
        if row.together:
            beside = ", from_compared_number" if row.together == "compared" else ""
            if [p.name for p in self.own] == ["a", "b", "stream"]:
                beside = beside or ", from_weak_number"
                return [f"return apply_together(&{self.function}{beside}, a, b, stream);"]
            return [f"auto [x, y] = from_operands(a.object, b.object{beside});",
                    f"return {self.call()};"]
        if any(is_cast(row, p) for p in self.own):
            first = self.own[0].name
            return [f"const array cast = dtype ? astype({first}, *dtype, stream) : {first};",
                    f"return {self.call('cast')};"]
        return [f"return {self.call()};"]

    def define(self, name):
        declared = ", ".join(f"{self.cpp_type(p)} {p.name}" for p in self.parameters)
        body = "\n".join(f"  {line}" for line in self.body())
        return f"{RETURNS[self.row.returns]} {name}({declared}) {{\n{body}\n}}\n"


def argument(parameter, noconvert=False):
    text = f'nb::arg("{parameter.name}")'
    if noconvert:
        text += ".noconvert()"
    if parameter.star:
        return text
    if "None" in (parameter.type or "") and parameter.default != "None":
        if parameter.type != "StreamOrDevice":
            text += ".none()"
    if parameter.default is None:
        return text
    default = parameter.default
    if default in DTYPES:
        default = f"nb::steal(dtype_object({default}))"
    elif default.startswith("'"):
        default = f'"{default[1:-1]}"'
    return f"{text} = {LITERALS.get(default, default)}"


def arguments(parameters, noconvert=""):
    """The nb::arg of each parameter, and nb::kw_only() where keywords begin."""
    result, starred = [], False
    for parameter in parameters:
        starred = starred or bool(parameter.star)
        if parameter.keyword_only and not starred and "nb::kw_only()" not in result:
            result.append("nb::kw_only()")
        result.append(argument(parameter, parameter.name == noconvert))
    return "".join(f", {text}" for text in result)


def suffix(row, index):
    return f"{row.name}_{index}" if row.overload else row.name


def definitions(row):
    if not row.adapter:
        yield Binding(row, row.parameters).define(f"function_{row.name}")
    if needs_own_method(row):
        parameters = [row.parameters[0], *row.method.parameters]
        yield Binding(row, parameters, method=True).define(f"method_{row.name}")


def needs_own_method(row):
    """True unless the function's own C++ serves: the method lacks or adds parameters."""
    if row.method is None or row.method.adapter:
        return False
    return row.method.second_names or [p.name for p in row.method.parameters] != [
        p.name for p in row.parameters[1:]]


def register(row):
    documentation = f'R"doc({row.documentation})doc"' if row.documentation else '""'
    function = f"&adapters::{row.adapter}" if row.adapter else f"&function_{row.name}"
    lines = ["  {"]
    lines.append(f"    const char* documentation = {documentation};")
    lines.append(f'    m.def("{row.name}", {function}{arguments(row.parameters, row.noconvert)}, '
                 "documentation);")
    lines += [f'    m.attr("{alias}") = m.attr("{row.name}");' for alias in row.aliases]
    if row.method is not None:
        if row.method.adapter:
            function = f"&adapters::{row.method.adapter}"
        elif needs_own_method(row):
            function = f"&method_{row.name}"
        lines.append(f'    define_method("{row.method.name}", {function}'
                     f"{arguments(row.method.parameters)}, documentation);")
    return "\n".join([*lines, "  }"])


def bindings(family):
    own = f"lazuli/{family.name}.h" if family.namespace else "lazuli/ops.h"
    head = HEAD.format(title=family.title,
                       mark=MARK.format(f"/{family.name}.pyi"),
                       header=family.header or own)
    functions = "\n".join(text for row in family.bound for text in definitions(row))
    body = "\n".join(register(row) for row in family.bound)
    module = ""
    if family.module:
        module = (f'  nb::module_ m = module.def_submodule("{family.module}", '
                  f'"{family.documentation.splitlines()[0]}");\n')
    name = "module" if family.module else "m"
    return (f"{head}{functions}\n}}  // namespace\n\nvoid register_{family.name}_rows("
            f"nb::module_& {name}) {{\n{module}{body}\n}}\n\n}}  // namespace lazuli::python\n")


def documentation_header(families):
    """generated/documentation.h: what rows say of functions that are bound by hand."""
    rows = [row for family in families for row in family.rows if row.hand and not row.overload]
    texts = [f"inline constexpr const char* {documentation_name(row)} =\n"
             f'    {builtin_signature(row)}R"doc({row.documentation})doc";' for row in rows]
    return "\n".join([
        "// The documentation of functions that are bound by hand.",
        f"// {MARK.format('')}",
        "#pragma once", "", "namespace lazuli::python::documentation {", "", *texts, "",
        "}  // namespace lazuli::python::documentation", ""])


def builtin_signature(row):
    """What CPython reads the signature of its own kind of functions from."""
    if not row.builtin:
        return ""
    return f'"{row.name}({", ".join(p.star + p.name for p in row.parameters)})\\n--\\n\\n" '


def documentation_name(row):
    return f"{row.family.module}_{row.name}" if row.family.module else row.name


def families_header(families):
    """generated/families.h: the families, and one function that registers them all."""
    bound = [family for family in families if family.bound]
    declared = [f"void register_{family.name}_rows(nb::module_& module);" for family in bound]
    called = [f"  register_{family.name}_rows(module);" for family in bound]
    return "\n".join([
        "// The families of src/ops/signatures.",
        f"// {MARK.format('')}",
        "#pragma once", "", '#include "array/array_object.h"', "",
        "namespace lazuli::python {", "", *declared, "",
        "inline void register_families(nb::module_& module) {", *called, "}", "",
        "}  // namespace lazuli::python", ""])
