"""mypy.stubtest with the signatures that nanobind tells of: names, order, kinds and defaults of
parameters. Without this it knows nothing of the package's functions."""

import ast
import inspect
import re
import sys
import tempfile

from mypy import stubtest

# Classes of nanobind have its metaclass and take any arguments where they have no constructor; its
# enumerations have a mark; the others are names that the stubs alone have.
ALLOWED = r"""lazuli\.core\.(distributed\.)?[A-Za-z]+\.__init__
lazuli\.core\.(distributed\.)?(ArrayAt|ArrayIterator|Device|Dtype|Stream|StreamContext|Group)
lazuli\.core\.(custom_function|finfo|iinfo)
lazuli\.core\.(DeviceType|DtypeCategory)\.__nb_enum__
lazuli\.core\.(P|R|scalar|StreamOrDevice)
"""
KINDS = {"posonlyargs": inspect.Parameter.POSITIONAL_ONLY,
         "args": inspect.Parameter.POSITIONAL_OR_KEYWORD,
         "kwonlyargs": inspect.Parameter.KEYWORD_ONLY}
plain_signature = stubtest.safe_inspect_signature
plain_is_function = stubtest.is_probably_a_function


def nanobind_signature(function):
    """The inspect.Signature of the first signature that nanobind wrote down."""
    text, _, values = function.__nb_signature__[0]
    text = re.sub(r"\\(\d+)", r"values[\1]", text)
    spec = ast.parse(f"{text}: ...").body[0].args
    defaults = [None] * (len(spec.posonlyargs + spec.args) - len(spec.defaults)) + spec.defaults
    defaults = dict(zip([p.arg for p in spec.posonlyargs + spec.args], defaults))
    defaults |= dict(zip([p.arg for p in spec.kwonlyargs], spec.kw_defaults))
    parameters = []
    for group, kind in KINDS.items():
        if group == "kwonlyargs" and spec.vararg:
            parameters.append(inspect.Parameter(spec.vararg.arg, inspect.Parameter.VAR_POSITIONAL))
        for p in getattr(spec, group):
            default = defaults.get(p.arg)
            value = inspect.Parameter.empty if default is None else eval(
                ast.unparse(default), {"values": values})
            parameters.append(inspect.Parameter(p.arg, kind, default=value))
    if spec.kwarg:
        parameters.append(inspect.Parameter(spec.kwarg.arg, inspect.Parameter.VAR_KEYWORD))
    return inspect.Signature(parameters)


def signature(function):
    if hasattr(function, "__nb_signature__"):
        if len(function.__nb_signature__) > 1:
            return None  # several: stubtest cannot compare them
        return nanobind_signature(function)
    return plain_signature(function)


def is_function(value):
    return hasattr(value, "__nb_signature__") or plain_is_function(value)


stubtest.safe_inspect_signature = signature
stubtest.is_probably_a_function = is_function
if __name__ == "__main__":
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as allowed:
        allowed.write(ALLOWED)
        allowed.flush()
        sys.argv = ["stubtest", "lazuli", "--allowlist", allowed.name]
        sys.exit(stubtest.main())
