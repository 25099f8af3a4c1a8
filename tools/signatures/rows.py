"""Reads src/ops/signatures/*.pyi: a family a file, a public function an entry."""

import ast
import inspect
from dataclasses import dataclass, field

from signatures.cpp import read_declaration
from signatures.places import ROWS
from signatures.tables import elementwise_rows

PARTS = ("Shape", "Dtype", "Errors", "Source")
SETTINGS = {"module", "namespace", "header", "includes", "prelude", "plain"}


@dataclass
class Parameter:
    name: str
    type: str
    default: str | None
    keyword_only: bool = False
    star: str = ""  # "*" or "**"


@dataclass
class Method:
    """How the function looks as a method of `array`."""

    name: str
    parameters: list          # without self
    adapter: str = ""         # the hand-written C++ function
    second_names: dict = field(default_factory=dict)  # parameter -> its name in the array API


@dataclass
class Row:
    name: str
    family: object
    parameters: list
    returns: str
    documentation: str
    line: int
    declarations: list = field(default_factory=list)
    none_axis: str = ""         # what C++ takes where Python's axis is None
    aliases: list = field(default_factory=list)
    method: Method | None = None
    adapter: str = ""           # the hand-written C++ function that is bound
    noconvert: str = ""         # a parameter that takes nothing but arrays
    together: str = ""          # "yes", "compared": numbers yield to the other operand's dtype
    overload: bool = False      # a further signature of the row before
    hand: bool = False          # bound by hand; the row says how it looks
    builtin: bool = False       # by CPython's own means
    cpp_only: bool = False
    flat: bool = False          # its derivative is zero
    ops: list = field(default_factory=list)  # of the op tables; by default the one of its name
    c_names: list | None = None              # a name for each declaration
    table: object = None

    @property
    def summary(self):
        return self.documentation.split("\n\n")[0]

    def part(self, name):
        """The text behind 'Shape:' and the like, on one line; empty without one."""
        if f"\n{name}: " not in self.documentation:
            return ""
        text = self.documentation.split(f"\n{name}: ", 1)[1]
        ends = [text.index(end) for end in [*(f"\n{part}: " for part in PARTS), "\n\n"]
                if end in text]
        return " ".join(text[:min(ends, default=len(text))].split())


@dataclass
class Family:
    name: str
    documentation: str
    module: str = ""       # of lazuli.core; empty for itself
    namespace: str = ""    # of C++'s lazuli
    header: str = ""       # the public header, where it is written by hand
    includes: list = field(default_factory=list)
    prelude: str = ""      # C++ in front of the declarations
    plain: bool = False    # functions that are no operations: they have no shapes and dtypes
    rows: list = field(default_factory=list)
    classes: list = field(default_factory=list)    # nodes of ast, for the stub
    constants: list = field(default_factory=list)

    @property
    def title(self):
        return self.documentation.split("\n")[0]

    @property
    def more(self):
        """What the documentation says behind its first line, as comments of C++."""
        lines = self.documentation.split("\n")[1:]
        return "".join(f"// {line}".rstrip() + "\n" for line in ["", *lines] if lines)

    @property
    def bound(self):
        """The rows whose binding is written from them."""
        return [row for row in self.rows if not row.hand and not row.cpp_only]

    @property
    def place(self):
        return f"core.{self.module}" if self.module else "core"


def read_parameters(spec):
    """The parameters of a node of ast."""
    plain = spec.posonlyargs + spec.args
    defaults = [None] * (len(plain) - len(spec.defaults)) + spec.defaults
    found = [(*pair, False, "") for pair in zip(plain, defaults)]
    if spec.vararg:
        found.append((spec.vararg, None, False, "*"))
    found += [(*pair, True, "") for pair in zip(spec.kwonlyargs, spec.kw_defaults)]
    if spec.kwarg:
        found.append((spec.kwarg, None, False, "**"))
    return [Parameter(argument.arg, argument.annotation and ast.unparse(argument.annotation),
                      default and ast.unparse(default), keyword_only, star)
            for argument, default, keyword_only, star in found]


def method_parameters(row, text, without, second_names):
    """Those that @method spells, or the function's behind its first; the stream is a keyword."""
    if text:
        spec = ast.parse(f"def method({text}): ...").body[0].args
        return read_parameters(spec)[1:]
    parameters = [Parameter(p.name, p.type, p.default, p.keyword_only or p.name == "stream")
                  for p in row.parameters[1:] if p.name != without]
    for second in second_names.values():
        at = next(i for i, p in enumerate(parameters) if p.keyword_only)
        parameters.insert(at, Parameter(second, "int | None", "None", True))
    return parameters


def decorate(row, name, arguments, named):
    """Applies one decorator of an entry; True unless there is none of that name."""
    if name == "cpp":
        row.declarations = [read_declaration(text) for text in arguments]
        row.none_axis = named.get("none_axis", "")
    elif name == "alias":
        row.aliases = arguments
    elif name == "method":
        adapter, without = named.pop("adapter", ""), named.pop("without", "")
        method, text = named.pop("name", row.name), arguments[0] if arguments else ""
        row.method = Method(method, method_parameters(row, text, without, named), adapter, named)
    elif name == "adapter":
        row.adapter, row.noconvert = arguments[0], named.get("noconvert", "")
    elif name == "together":
        row.together = "compared" if named.get("compared") else "yes"
    elif name == "ops":
        row.ops = arguments
    elif name == "c":
        row.c_names = arguments
    elif name == "hand":
        row.hand, row.builtin = True, named.get("builtin", False)
    elif name in ("overload", "cpp_only", "flat"):
        setattr(row, name, True)
    else:
        return False
    return True


def complete(row):
    """What the op tables say of an elementwise row: its summary, shape, dtype, errors."""
    table, text = row.table, row.documentation
    before, _, after = text.partition("Source: ")
    before = before.strip() or table.documentation
    facts = "".join(f"\n{part}: {value}" for part, value in (
        ("Shape", table.shape), ("Dtype", table.dtype), ("Errors", table.errors))
        if f"\n{part}: " not in f"\n{before}")
    row.documentation = f"{before}\n{facts}\nSource: {after}".strip()
    if not row.declarations:
        operands = ", ".join(f"const array& {p.name}" for p in row.parameters
                             if p.name != "stream")
        row.declarations = [read_declaration(f"array {row.name}({operands})")]
    if table.arity == 2 and not row.together:
        row.together = "yes"


def check(row, path):
    if row.overload:
        return
    wanted = [">>> "] if row.family.plain else [*(f"{part}: " for part in PARTS), ">>> "]
    if row.cpp_only:
        wanted = []
    for part in wanted:
        if part not in row.documentation:
            raise SystemExit(f"{path}:{row.line}: {row.name} does not document {part}")


def read_row(function, family, tables, path):
    row = Row(function.name, family, read_parameters(function.args),
              ast.unparse(function.returns), inspect.cleandoc(ast.get_docstring(function) or ""),
              function.lineno)
    for decorator in function.decorator_list:
        called = isinstance(decorator, ast.Call)
        name = (decorator.func if called else decorator).id
        arguments = [ast.literal_eval(argument) for argument in decorator.args] if called else []
        named = ({keyword.arg: ast.literal_eval(keyword.value) for keyword in decorator.keywords}
                 if called else {})
        if not decorate(row, name, arguments, named):
            raise SystemExit(f"{path}:{decorator.lineno}: no decorator is named {name}")
    if not family.module and row.name in tables:
        row.table = tables[row.name]
        complete(row)
    check(row, path)
    return row


def read_family(path, tables):
    tree = ast.parse(path.read_text())
    family = Family(path.stem, ast.get_docstring(tree))
    for node in tree.body[1:]:
        if isinstance(node, ast.FunctionDef):
            family.rows.append(read_row(node, family, tables, path))
        elif isinstance(node, ast.ClassDef):
            family.classes.append(node)
        elif isinstance(node, ast.Assign) and node.targets[0].id in SETTINGS:
            setattr(family, node.targets[0].id, ast.literal_eval(node.value))
        elif isinstance(node, (ast.AnnAssign, ast.Assign)):
            family.constants.append(node)
        else:
            raise SystemExit(f"{path}:{node.lineno}: neither function, class nor constant")
    return family


def default_row(table, family):
    """An elementwise op that has no entry: its row of the op tables says all that is needed."""
    names = ("a", "b")[:table.arity]
    kind = "array" if table.arity == 1 else "scalar | array"
    parameters = [*(Parameter(name, kind, None) for name in names),
                  Parameter("stream", "StreamOrDevice", "None")]
    call = f"mx.{table.name}({', '.join(['mx.array([1, 2])'] * table.arity)})"
    text = f"Source: src/ops/table.\n\n>>> y = {call}"
    row = Row(table.name, family, parameters, "array", text, 0, table=table)
    complete(row)
    return row


def read_families():
    tables = elementwise_rows()
    families = [read_family(path, tables) for path in sorted(ROWS.glob("*.pyi"))]
    named = {row.name for family in families if not family.module for row in family.rows}
    homes = {family.name: family for family in families}
    for table in tables.values():
        if table.name not in named:
            home = homes["unary" if table.arity == 1 else "binary"]
            home.rows.append(default_row(table, home))
    return families
