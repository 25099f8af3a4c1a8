"""Reads src/ops/signatures/*.pyi: a family a file, a public function an entry."""

import ast
import inspect
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "src" / "ops" / "signatures"


@dataclass
class Parameter:
    name: str
    type: str
    default: str | None
    keyword_only: bool


@dataclass
class Row:
    name: str
    parameters: list
    returns: str
    documentation: str
    declarations: list = field(default_factory=list)  # how C++ spells it, without the stream
    none_axis: str = ""       # what C++ takes where Python's axis is None
    aliases: list = field(default_factory=list)
    method: dict | None = None  # None: no method

    @property
    def summary(self):
        return self.documentation.split("\n\n")[0]


@dataclass
class Family:
    name: str
    documentation: str
    rows: list


def read_parameters(function):
    spec = function.args
    plain = spec.posonlyargs + spec.args
    defaults = [None] * (len(plain) - len(spec.defaults)) + spec.defaults
    pairs = [(*pair, False) for pair in zip(plain, defaults)]
    pairs += [(*pair, True) for pair in zip(spec.kwonlyargs, spec.kw_defaults)]
    return [Parameter(argument.arg, ast.unparse(argument.annotation),
                      default and ast.unparse(default), keyword_only)
            for argument, default, keyword_only in pairs]


def decorate(row, decorator, path):
    """Applies one decorator of an entry; what is misspelt is an error at its own line."""
    called = isinstance(decorator, ast.Call)
    name = (decorator.func if called else decorator).id
    arguments = [ast.literal_eval(argument) for argument in decorator.args] if called else []
    named = ({keyword.arg: ast.literal_eval(keyword.value) for keyword in decorator.keywords}
             if called else {})
    if name == "cpp":
        row.declarations, row.none_axis = arguments, named.get("none_axis", "")
    elif name == "alias":
        row.aliases = arguments
    elif name == "method":
        row.method = named
    else:
        raise SystemExit(f"{path}:{decorator.lineno}: no decorator is named {name}")


def read_family(path):
    tree = ast.parse(path.read_text())
    family = Family(path.stem, ast.get_docstring(tree), [])
    for function in tree.body[1:]:
        documentation = inspect.cleandoc(ast.get_docstring(function) or "")
        row = Row(function.name, read_parameters(function), ast.unparse(function.returns),
                  documentation)
        for decorator in function.decorator_list:
            decorate(row, decorator, path)
        for part in ("Shape: ", "Dtype: ", "Errors: ", "Source: ", ">>> "):
            if part not in documentation:
                raise SystemExit(f"{path}:{function.lineno}: {row.name} does not document {part}")
        family.rows.append(row)
    return family


def read_families():
    return [read_family(path) for path in sorted(FOLDER.glob("*.pyi"))]
